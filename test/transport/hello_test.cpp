// Tests of the hello and bye encodings. Not when they are sent (link_test.cpp).
#include "hanse/transport/hello.hpp"

#include "hanse/crypto/random.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace hanse;

TEST_CASE("a hello comes back as it was, and only whole") {
  hello h;
  h.protocols = {link_protocol, {"link", 2, 7}};
  h.advert = bytes(300, std::byte{9});
  h.id_floor = 1'700'000'000'000'000;
  h.life = UINT64_MAX;
  const auto wire = encode(h);
  REQUIRE(decode_hello(wire));
  CHECK(*decode_hello(wire) == h);
  for (std::size_t n = 0; n < wire.size(); ++n) CHECK_FALSE(decode_hello(byte_view{wire}.first(n)));
  bytes longer = wire;
  longer.push_back(std::byte{0});
  CHECK(decode_hello(longer).code() == errc::trailing_bytes);
}

TEST_CASE("a hello of another version is told from a malformed one") {
  bytes wire = encode(hello{});
  wire[1] = std::byte{2};
  CHECK(decode_hello(wire).code() == errc::bad_version);
  wire[1] = std::byte{0xc0};
  CHECK(decode_hello(wire).code() == errc::bad_type);
}

TEST_CASE("a hello over its maximum is refused") {
  msgpack_writer out;
  out.array(5);
  out.unsigned_integer(hello_version);
  out.array(0);
  out.blob(bytes(advert_size_max));
  out.unsigned_integer(0);
  out.unsigned_integer(0);
  CHECK(decode_hello(out.view()).code() == errc::too_long);
}

TEST_CASE("a bye carries its reason, cut and printable") {
  const auto plain = decode_bye(encode_bye({errc::queue_full, "too much"}));
  REQUIRE(plain);
  CHECK(plain->code == errc::queue_full);
  CHECK(plain->text == "too much");
  const auto odd = decode_bye(encode_bye({errc::internal, "\xff\n" + std::string(1000, 'x')}));
  REQUIRE(odd);
  CHECK(odd->text == "??" + std::string(bye_text_max - 2, 'x'));
}

TEST_CASE("the text of a bye is made printable where it arrives, too") {
  msgpack_writer out;
  out.array(2);
  out.unsigned_integer(static_cast<std::uint8_t>(errc::untrusted));
  out.text("a\n\x7f\x1b[2J");
  const auto b = decode_bye(out.view());
  REQUIRE(b);
  CHECK(b->text == "a???[2J");
}

TEST_CASE("a bye with a code that nobody knows is a closed link") {
  for (const int code : {0, 255}) {
    const auto b = decode_bye(encode_bye({static_cast<errc>(code), ""}));
    REQUIRE(b);
    CHECK(b->code == errc::link_closed);
  }
}

TEST_CASE("random octets decode to errors or to what encodes to the same octets") {
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    CAPTURE(seed);
    seeded_random r{seed};
    bytes wire = encode(hello{{link_protocol}, bytes(r.below(4)), r.below(300), r.below(70'000)});
    for (std::size_t i = 0, n = r.below(3); i < n; ++i)
      wire[r.below(wire.size())] = std::byte(static_cast<unsigned char>(r.below(256)));
    wire.resize(wire.size() - r.below(2));
    const auto h = decode_hello(wire);
    if (h) CHECK(encode(*h) == wire);
  }
}

TEST_CASE("the hello in docs/wire.md is what the code writes and reads") {
  std::ifstream page{HANSE_SOURCE_DIR "/docs/wire.md"};
  REQUIRE(page);
  std::string line, digits;
  while (std::getline(page, line) && line != "```wire hello") {
  }
  while (std::getline(page, line) && line != "```")
    for (const char c : line.substr(0, line.find('#')))
      if (c != ' ') digits += c;
  const hello h{{link_protocol}, {}, 7, 42};
  CHECK(to_hex(encode(h)) == digits);
  CHECK(*decode_hello(from_hex(digits).value()) == h);
}
