// The examples in docs/wire.md are what the code writes and reads. Also what keeps the format from changing unnoticed.
// Not a test of the rules (the other files).
#include "protocols/samples.hpp"

#include <fstream>
#include <sstream>

using namespace hanse;
using namespace hanse::test;

namespace {

std::string page() {
  std::ifstream file{HANSE_SOURCE_DIR "/docs/wire.md"};
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The octets of the block that begins with "```wire NAME": hexadecimal up to a '#' on each line.
bytes example(const std::string& name) {
  std::istringstream lines{page()};
  std::string line;
  while (std::getline(lines, line) && line != "```wire " + name) {
  }
  REQUIRE(lines);
  std::string digits;
  while (std::getline(lines, line) && line != "```") {
    for (char c : line.substr(0, line.find('#')))
      if (c != ' ') digits += c;
  }
  return from_hex(digits).value();
}

key_pair numbered_key(int number) {
  std::array<std::byte, 32> seed;
  seed.fill(static_cast<std::byte>(number));
  return key_pair::from_seed(seed);
}

} // namespace

TEST_CASE("the envelope in docs/wire.md is what the code writes and reads") {
  auto e = full_envelope(message_kind::ask);
  e.source = numbered_key(1).identity();
  e.destination = numbered_key(2).identity();
  e.routing = {scope_kind::any, {}, 128, 250};
  e.transport = {false, true, security_kind::encrypted};
  e.stream.reset();
  CHECK(to_hex(encode(e)) == to_hex(example("envelope")));
  CHECK(*decode_envelope(shared_bytes{example("envelope")}) == e);
}

TEST_CASE("the advert and the ticket in docs/wire.md are what the code writes and reads") {
  auto advert = sample_node_advert();
  advert.node = numbered_key(1).identity();
  const auto signed_advert = sign(advert, numbered_key(1));
  CHECK(to_hex(signed_advert.wire) == to_hex(example("node-advert")));
  CHECK(decode_node_advert(example("node-advert"))->value == advert);
  CHECK(page().find("\n" + to_ticket(signed_advert) + "\n") != std::string::npos);
}

TEST_CASE("the fault in docs/wire.md is what the code writes and reads") {
  const fault_body f{errc::engine_error, "no such seat", 7, "booking_errc"};
  CHECK(to_hex(encode(f)) == to_hex(example("fault")));
  CHECK(*decode_fault(example("fault")) == f);
}
