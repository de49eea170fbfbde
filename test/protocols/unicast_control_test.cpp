// Control bodies of reliable unicast: there and back, one encoding each, every bound, every damage.
// Not what the machine does with them.
#include "protocols/samples.hpp"

#include "hanse/protocols/unicast_control.hpp"

#include <fstream>

using namespace hanse;
using namespace hanse::test;

namespace {

unicast_mark mark(std::uint64_t n) {
  return {test::id(1), 1'700'000'000'000'000 + n, n, 1'700'000'000'000};
}

std::vector<unicast_control> samples() {
  unicast_ack full{INT64_MAX, 1'000'000, std::vector<bool>(256, true), std::vector<bool>(256, true), {}, true};
  full.settled_later[0] = false;
  for (std::uint64_t i = 0; i < 256; ++i) full.errors.push_back({1'000'000 + i, errc::in_doubt});
  unicast_probe many;
  for (std::uint64_t i = 0; i < unicast_probe_max; ++i) many.marks.push_back(mark(i));
  return {unicast_ack{},
          unicast_ack{7, 3, {false, false, true}, {true}, {{2, errc::in_doubt}, {9, static_cast<errc>(250)}}, false},
          full,
          unicast_skip{7, 1},
          unicast_probe{{mark(1)}},
          many,
          unicast_settled{},
          unicast_settled{{mark(1), mark(2)}}};
}

errc code_of(const unicast_control& body) {
  return decode_unicast_control(encode(body)).code();
}

} // namespace

TEST_CASE("unicast control: every body comes back as it was, within its size") {
  for (const auto& s : samples()) {
    const auto wire = encode(s);
    CHECK(wire.size() <= unicast_control_size_max);
    const auto back = decode_unicast_control(wire);
    REQUIRE(back);
    CHECK(*back == s);
  }
  CHECK(unicast_protocol() == protocol_id{"hanse.unicast", 1, 0});
}

TEST_CASE("unicast control: the ack in docs/wire.md is what the code writes") {
  std::ifstream page{HANSE_SOURCE_DIR "/docs/wire.md"};
  std::string line, digits;
  while (std::getline(page, line) && line != "```wire unicast-ack") {
  }
  REQUIRE(page);
  while (std::getline(page, line) && line != "```")
    for (char c : line.substr(0, line.find('#')))
      if (c != ' ') digits += c;
  CHECK(digits ==
        to_hex(encode(unicast_ack{7, 3, {false, false, true}, {true, false, true}, {{2, errc::in_doubt}}, false})));
}

TEST_CASE("unicast control: whatever decodes re-encodes to the same octets") {
  for (const auto& s : samples()) {
    const auto wire = encode(s);
    if (wire.size() > 1000) continue;
    const auto judge = [&](byte_view bad) {
      const auto back = decode_unicast_control(bad);
      if (back) CHECK(equal(encode(*back), bad));
    };
    for_each_bit_flip(wire, judge);
    for_each_other_length(wire, [&](byte_view bad) { CHECK_FALSE(decode_unicast_control(bad)); });
  }
}

TEST_CASE("unicast control: what makes no sense is refused") {
  CHECK(code_of(unicast_ack{1, 1, {true}, {}, {}, false}) == errc::not_canonical); // settled would be 2
  CHECK(code_of(unicast_ack{1, 1, {}, {}, {{3, errc::expired}, {3, errc::expired}}, false}) == errc::not_canonical);
  CHECK(code_of(unicast_ack{1, 1, {}, {}, {{3, errc::none}}, false}) == errc::bad_value);
  CHECK(code_of(unicast_ack{UINT64_MAX, 1, {}, {}, {}, false}) == errc::bad_value);
  CHECK(code_of(unicast_skip{1, 0}) == errc::bad_value);
  CHECK(code_of(unicast_probe{}) == errc::bad_value);
  CHECK(code_of(unicast_probe{{mark(2), mark(1)}}) == errc::not_canonical);
  CHECK(code_of(unicast_probe{{mark(1), mark(1)}}) == errc::not_canonical);
  unicast_settled many;
  for (std::uint64_t i = 0; i <= unicast_probe_max; ++i) many.marks.push_back(mark(i));
  CHECK(code_of(many) == errc::too_long);
  unicast_ack errors;
  for (std::uint64_t i = 1; i <= stream_window_max + 1; ++i) errors.errors.push_back({i, errc::expired});
  CHECK(code_of(errors) == errc::too_long);

  msgpack_writer zeros; // a set with a trailing octet of zeros
  zeros.array(7);
  for (const int n : {1, 1, 0}) zeros.unsigned_integer(static_cast<std::uint64_t>(n));
  zeros.blob(octets({0}));
  zeros.blob({});
  zeros.array(0);
  zeros.boolean(false);
  CHECK(decode_unicast_control(zeros.view()).code() == errc::not_canonical);
  msgpack_writer unknown;
  unknown.array(2);
  unknown.unsigned_integer(0);
  unknown.array(0);
  CHECK(decode_unicast_control(unknown.view()).code() == errc::bad_type);
  CHECK(decode_unicast_control(bytes(unicast_control_size_max + 1)).code() == errc::too_long);
}
