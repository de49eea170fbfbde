// Fault bodies and trace ids.
// Not how a fault reaches an actor (test/actors).
#include "protocols/samples.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

bytes fault_wire(std::uint64_t version, std::uint64_t code, std::string_view detail, std::uint64_t engine_code,
                 std::string_view category) {
  msgpack_writer out;
  out.array(5);
  out.unsigned_integer(version);
  out.unsigned_integer(code);
  out.text(detail);
  out.unsigned_integer(engine_code);
  out.text(category);
  return std::move(out).take();
}

constexpr std::uint64_t engine_error = static_cast<std::uint64_t>(errc::engine_error);

} // namespace

TEST_CASE("a fault reads back as it was written") {
  const fault_body of_engine{errc::engine_error, "no such seat", 7, "booking_errc"};
  CHECK(*decode_fault(encode(of_engine)) == of_engine);
  const fault_body ours{errc::schema_mismatch, "", 0, ""};
  CHECK(*decode_fault(encode(ours)) == ours);
}

TEST_CASE("the number of an error that this build does not know is kept") {
  const auto f = decode_fault(fault_wire(1, 250, "from the future", 0, ""));
  REQUIRE(f);
  CHECK(f->code == errc{250});
  CHECK(to_string(f->code) == "unknown");
  CHECK(equal(encode(*f), fault_wire(1, 250, "from the future", 0, "")));
}

TEST_CASE("a fault that breaks the rules is refused") {
  CHECK(decode_fault(fault_wire(1, engine_error, "x", 1, "c")));
  CHECK(decode_fault(fault_wire(2, engine_error, "x", 1, "c")).code() == errc::bad_version);
  CHECK(decode_fault(fault_wire(1, 0, "x", 0, "")).code() == errc::bad_value);
  CHECK(decode_fault(fault_wire(1, 256, "x", 0, "")).code() == errc::bad_value);
  CHECK(decode_fault(fault_wire(1, 40, "x", 1, "")).code() == errc::bad_value);
  CHECK(decode_fault(fault_wire(1, 40, "x", 0, "c")).code() == errc::bad_value);
  CHECK(decode_fault(fault_wire(1, engine_error, "x", 256, "c")).code() == errc::bad_value);
  CHECK(decode_fault(fault_wire(1, 40, std::string(513, 'x'), 0, "")).code() == errc::too_long);
  CHECK(decode_fault(fault_wire(1, engine_error, "", 1, std::string(129, 'x'))).code() == errc::too_long);
  CHECK(decode_fault(fault_wire(1, 40, std::string(2000, 'x'), 0, "")).code() == errc::too_long);
  CHECK(decode_fault(octets({0x94, 1, 40, 0xa0, 0})).code() == errc::bad_value);
}

TEST_CASE("texts of a fault are cut at a character and never make it unreadable") {
  const auto detail_of = [](std::string text) {
    const auto back = decode_fault(encode(fault_body{errc::internal, std::move(text), 0, ""}));
    REQUIRE(back);
    return back->detail;
  };
  CHECK(detail_of(std::string(512, 'a')) == std::string(512, 'a'));
  CHECK(detail_of(std::string(2000, 'a')) == std::string(512, 'a'));
  CHECK(detail_of(std::string(511, 'a') + "ä") == std::string(511, 'a'));
  CHECK(detail_of(std::string(510, 'a') + "ä") == std::string(510, 'a') + "ä");
  CHECK(detail_of(std::string(510, 'a') + "€uro") == std::string(510, 'a'));
  CHECK(detail_of(std::string(509, 'a') + "😀") == std::string(509, 'a'));
  CHECK(detail_of("a\xff z") == "a? z");
  CHECK(detail_of(std::string(600, '\x80')) == std::string(512, '?'));
  const fault_body f{errc::engine_error, "", 1, std::string(300, 'c')};
  CHECK(decode_fault(encode(f))->engine_category == std::string(128, 'c'));
}

TEST_CASE("every flipped bit, truncation and appended octet of a fault is refused or says something else") {
  const fault_body f{errc::engine_error, "no such seat", 7, "booking_errc"};
  const auto wire = encode(f);
  for_each_bit_flip(wire, [&](byte_view bad) {
    const auto other = decode_fault(bad);
    if (!other) return;
    CHECK(*other != f);
    CHECK(equal(encode(*other), bad));
  });
  for_each_other_length(wire, [](byte_view bad) { CHECK_FALSE(decode_fault(bad)); });
}

TEST_CASE("a trace id is 32 hexadecimal digits") {
  const std::string text = "000102030405060708090a0b0c0d0e0f";
  CHECK(to_string(parse_trace_id(text).value()) == text);
  CHECK(parse_trace_id("").code() == errc::bad_value);
  CHECK(parse_trace_id(text.substr(2)).code() == errc::bad_value);
  CHECK(parse_trace_id(text + "00").code() == errc::bad_value);
  CHECK(parse_trace_id("x" + text.substr(1)).code() == errc::bad_value);
  CHECK_FALSE(trace_id{});
  CHECK(parse_trace_id(text).value());
}
