// Large messages sealed in parts: the octets are those of `seal`.
#include "hanse/protocols/message_parts.hpp"

#include "protocols/samples.hpp"

using namespace hanse;
using namespace hanse::test;

TEST_CASE("a message sealed in parts is octet by octet what seal makes of it, whatever the size of its body") {
  for (const auto size : {parts_body_min, parts_body_min + 1, body_size_max}) {
    auto e = plain_envelope(1, std::string(size, 'x'));
    const auto wire = encode(e);
    const byte_view one{wire};
    seeded_random random{1};
    const auto whole = seal(key(1), {&one, 1}, random);
    const auto parts = seal_in_parts(key(1), e);
    bytes joined = parts.head;
    append(joined, parts.body.view());
    append(joined, parts.tail);
    CHECK(joined.size() == parts.size());
    CHECK(joined == whole);
    CHECK(joined.size() <= payload_size_max);
    CHECK(open(shared_bytes{joined}).value().messages == std::vector{e});
  }
}
