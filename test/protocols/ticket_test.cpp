// Tickets: there and back, and every single damage to the text.
// Not the advert in them (advert_test.cpp) and not bech32m itself (test/crypto/bech32m_test.cpp).
#include "protocols/samples.hpp"

#include "hanse/crypto/bech32m.hpp"

#include <algorithm>
#include <cctype>

using namespace hanse;
using namespace hanse::test;

namespace {

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

} // namespace

TEST_CASE("a ticket reads back as the advert it was made of") {
  const auto advert = sign(sample_node_advert(), key(1));
  const auto text = to_ticket(advert);
  CHECK(text.starts_with("hticket1"));
  for (const auto& form : {text, upper(text)}) {
    const auto back = parse_ticket(form);
    REQUIRE(back);
    CHECK(back->value == advert.value);
    CHECK(equal(back->wire, advert.wire));
  }
}

TEST_CASE("the largest advert fits a ticket") {
  auto advert = sample_node_advert();
  advert.addresses.assign(advert_addresses_max, {std::string(transport_address_size_max, 'a'), 65535});
  advert.protocols.assign(24, {std::string(50, 'p'), 65535, 65535});
  const auto text = to_ticket(sign(advert, key(1)));
  CHECK(text.size() <= ticket_size_max);
  CHECK(parse_ticket(text)->value == advert);
}

TEST_CASE("every character of a ticket, replaced by every other one, is refused") {
  const auto text = to_ticket(sign({id(1), 1, {{"mem://a", 1}}, {}, ""}, key(1)));
  auto bad = text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      bad[i] = static_cast<char>(c);
      if (bad[i] == text[i]) continue;
      CAPTURE(i);
      CAPTURE(c);
      CHECK_FALSE(parse_ticket(bad));
    }
    bad[i] = text[i];
  }
}

TEST_CASE("every flipped bit of a ticket, truncation and appended character is refused") {
  const auto text = to_ticket(sign(sample_node_advert(), key(1)));
  const auto refused = [](byte_view bad) { CHECK_FALSE(parse_ticket(as_text(bad))); };
  for_each_bit_flip(as_byte_view(text), refused);
  for_each_other_length(as_byte_view(text), refused);
}

TEST_CASE("a right checksum over another prefix or a damaged advert is refused") {
  const auto advert = sign(sample_node_advert(), key(1));
  CHECK(parse_ticket(encode_bech32m("hk", to_groups(advert.wire))).code() == errc::bad_value);
  auto damaged = advert.wire;
  damaged.back() ^= std::byte{1};
  CHECK(parse_ticket(encode_bech32m("hticket", to_groups(damaged))).code() == errc::bad_signature);
  const auto engine = sign(sample_engine_advert(), key(5));
  CHECK(parse_ticket(encode_bech32m("hticket", to_groups(engine.wire))).code() == errc::bad_type);
}

TEST_CASE("a text over the ticket's size is too long, and nonsense is refused") {
  CHECK(parse_ticket(std::string(ticket_size_max + 1, 'q')).code() == errc::too_long);
  CHECK(parse_ticket("").code() == errc::bad_value);
  CHECK(parse_ticket("hticket1").code() == errc::bad_value);
  CHECK_FALSE(parse_ticket(to_string(id(1))));
}
