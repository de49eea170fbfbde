// The codec: what the writer emits, and all that the cursor refuses.
// Not its bounds (codec_bounds_test.cpp), not the comparison with msgpack-cxx (codec_cross_test.cpp).
#include "protocols/allocations.hpp"
#include "protocols/samples.hpp"

#include <bit>
#include <cmath>
#include <limits>

using namespace hanse;
using namespace hanse::test;

namespace {

/// The error of reading one whole value of any kind.
errc error_of(byte_view wire) {
  msgpack_reader in{wire};
  in.raw();
  return in.finish().code();
}

template <class Write>
bytes written(Write write) {
  msgpack_writer out;
  write(out);
  return std::move(out).take();
}

template <class Read>
errc error_after(byte_view wire, Read read) {
  msgpack_reader in{wire};
  read(in);
  return in.finish().code();
}

} // namespace

TEST_CASE("every kind of value comes back as it was written") {
  msgpack_writer out;
  out.array(9);
  out.nil();
  out.boolean(true);
  out.unsigned_integer(UINT64_MAX);
  out.integer(INT64_MIN);
  out.real(-0.0);
  out.text("Straße");
  out.blob(octets({0, 255}));
  out.array(0);
  out.map(2);
  out.text("a");
  out.integer(-1);
  out.text("b");
  out.integer(5);

  msgpack_reader in{out.view()};
  in.array_exactly(9);
  CHECK(in.nil());
  CHECK(in.boolean());
  CHECK(in.unsigned_integer() == UINT64_MAX);
  CHECK(in.integer() == INT64_MIN);
  CHECK(std::signbit(in.real()));
  CHECK(in.text(10) == "Straße");
  CHECK(equal(in.blob(2), octets({0, 255})));
  CHECK(in.array(0) == 0);
  CHECK(in.map(2) == 2);
  CHECK(in.text(1) == "a");
  CHECK(in.integer() == -1);
  CHECK(in.text(1) == "b");
  CHECK(in.integer() == 5);
  CHECK(in.finish());
}

TEST_CASE("peek tells the kind of the next value and consumes nothing") {
  const auto kind_of = [](std::initializer_list<int> wire) {
    const auto input = octets(wire);
    return msgpack_reader{input}.peek();
  };
  CHECK(kind_of({0xc0}) == token_kind::nil);
  CHECK(kind_of({0xc2}) == token_kind::boolean);
  CHECK(kind_of({0x05}) == token_kind::unsigned_integer);
  CHECK(kind_of({0xcf}) == token_kind::unsigned_integer);
  CHECK(kind_of({0xff}) == token_kind::negative_integer);
  CHECK(kind_of({0xd3}) == token_kind::negative_integer);
  CHECK(kind_of({0xcb}) == token_kind::real);
  CHECK(kind_of({0xa0}) == token_kind::text);
  CHECK(kind_of({0xc6}) == token_kind::blob);
  CHECK(kind_of({0x90}) == token_kind::array);
  CHECK(kind_of({0xdf}) == token_kind::map);
  CHECK(kind_of({}) == std::nullopt);
  CHECK(kind_of({0xc1}) == std::nullopt);
  CHECK(kind_of({0xd4}) == std::nullopt);
}

TEST_CASE("integers at every boundary are written minimally and read back") {
  for (unsigned shift = 0; shift < 64; ++shift) {
    for (std::uint64_t near : {UINT64_MAX, std::uint64_t{0}, std::uint64_t{1}}) {
      const auto value = (std::uint64_t{1} << shift) + near;
      CAPTURE(value);
      const auto wire = written([&](auto& out) { out.unsigned_integer(value); });
      CHECK(wire.size() == (value < 0x80 ? 1 : value < 0x100 ? 2 : value < 0x10000 ? 3 : value <= UINT32_MAX ? 5 : 9));
      CHECK(error_after(wire, [&](auto& in) { CHECK(in.unsigned_integer() == value); }) == errc::none);
      const auto number = static_cast<std::int64_t>(~value);
      const auto negative = written([&](auto& out) { out.integer(number); });
      CHECK(error_after(negative, [&](auto& in) { CHECK(in.integer() == number); }) == errc::none);
    }
  }
}

TEST_CASE("an integer in a longer form than needed is not canonical, at every width") {
  for (unsigned width : {1U, 2U, 4U, 8U}) {
    const int index = std::countr_zero(width);
    for (std::uint64_t limit :
         {std::uint64_t{0x80}, std::uint64_t{0x100}, std::uint64_t{0x10000}, std::uint64_t{1} << 32}) {
      for (std::uint64_t value : {std::uint64_t{0}, limit - 1, limit}) {
        bytes wire{static_cast<std::byte>(0xcc + index)};
        if (width < 8 && value >> (8 * width) != 0) continue;
        for (unsigned i = width; i-- > 0;) wire.push_back(static_cast<std::byte>(value >> (8 * i)));
        const std::array<std::uint64_t, 4> least{0x80, 0x100, 0x10000, std::uint64_t{1} << 32};
        CAPTURE(width);
        CAPTURE(value);
        CHECK(error_of(wire) == (value >= least[index] ? errc::none : errc::not_canonical));
      }
    }
  }
  const auto signed_form = [](unsigned width, std::int64_t value) {
    bytes wire{static_cast<std::byte>(0xd0 + std::countr_zero(width))};
    for (unsigned i = width; i-- > 0;) wire.push_back(static_cast<std::byte>(value >> (8 * i)));
    return error_of(wire);
  };
  CHECK(signed_form(1, -33) == errc::none);
  CHECK(signed_form(2, -129) == errc::none);
  CHECK(signed_form(4, -32769) == errc::none);
  CHECK(signed_form(8, std::int64_t{INT32_MIN} - 1) == errc::none);
  for (std::int64_t value : {-32, -1, 0, 5, 127}) {
    for (unsigned width : {1U, 2U, 4U, 8U}) CHECK(signed_form(width, value) == errc::not_canonical);
  }
  CHECK(signed_form(2, -128) == errc::not_canonical);
  CHECK(signed_form(4, -32768) == errc::not_canonical);
  CHECK(signed_form(8, INT32_MIN) == errc::not_canonical);
  CHECK(signed_form(8, std::int64_t{1} << 40) == errc::not_canonical);
}

TEST_CASE("lengths and counts in a longer form than needed are not canonical") {
  const auto padded = [](std::initializer_list<int> head, std::size_t size, int fill) {
    auto wire = octets(head);
    wire.resize(wire.size() + size, static_cast<std::byte>(fill));
    return error_of(wire);
  };
  CHECK(padded({0xd9, 31}, 31, 'a') == errc::not_canonical);
  CHECK(padded({0xd9, 32}, 32, 'a') == errc::none);
  CHECK(padded({0xda, 0, 255}, 255, 'a') == errc::not_canonical);
  CHECK(padded({0xda, 1, 0}, 256, 'a') == errc::none);
  CHECK(padded({0xdb, 0, 0, 255, 255}, 65535, 'a') == errc::not_canonical);
  CHECK(padded({0xdb, 0, 1, 0, 0}, 65536, 'a') == errc::none);
  CHECK(padded({0xc4, 0}, 0, 0) == errc::none);
  CHECK(padded({0xc5, 0, 255}, 255, 0) == errc::not_canonical);
  CHECK(padded({0xc5, 1, 0}, 256, 0) == errc::none);
  CHECK(padded({0xc6, 0, 0, 255, 255}, 65535, 0) == errc::not_canonical);
  CHECK(padded({0xc6, 0, 1, 0, 0}, 65536, 0) == errc::none);
  CHECK(padded({0xdc, 0, 15}, 15, 0xc0) == errc::not_canonical);
  CHECK(padded({0xdc, 0, 16}, 16, 0xc0) == errc::none);
  CHECK(padded({0xdd, 0, 0, 255, 255}, 65535, 0xc0) == errc::not_canonical);
  CHECK(padded({0xdd, 0, 1, 0, 0}, 65536, 0xc0) == errc::none);
  CHECK(padded({0xde, 0, 15}, 30, 0xc0) == errc::not_canonical);
  CHECK(padded({0xdf, 0, 0, 255, 255}, 131070, 0xc0) == errc::not_canonical);
}

TEST_CASE("a map's keys must ascend strictly by their octets") {
  CHECK(error_of(octets({0x82, 1, 9, 2, 9})) == errc::none);
  CHECK(error_of(octets({0x82, 2, 9, 1, 9})) == errc::not_canonical);
  CHECK(error_of(octets({0x82, 1, 9, 1, 9})) == errc::not_canonical);
  CHECK(error_of(octets({0x83, 1, 9, 2, 9, 2, 8})) == errc::not_canonical);
  CHECK(error_of(octets({0x82, 0xa1, 'b', 0, 0xa2, 'a', 'a', 0})) == errc::none); // a shorter text has a smaller head
  CHECK(error_of(octets({0x82, 0x91, 1, 0, 0x91, 2, 0})) == errc::none);          // keys may be containers
  CHECK(error_of(octets({0x82, 0x91, 2, 0, 0x91, 2, 0})) == errc::not_canonical);
  CHECK(error_of(octets({0x82, 1, 0x82, 1, 0, 2, 0, 2, 0})) == errc::none);          // a map within a map
  CHECK(error_of(octets({0x82, 1, 0x82, 1, 0, 1, 0, 2, 0})) == errc::not_canonical); // its keys count as well
  CHECK(error_of(octets({0x82, 1, 0x82, 5, 0, 6, 0, 1, 0})) == errc::not_canonical); // and the outer ones after it
}

TEST_CASE("field by field a map's keys are held to the same order") {
  const auto wire = octets({0x82, 0xa1, 'a', 1, 0xa1, 'a', 2});
  msgpack_reader in{wire};
  CHECK(in.map(2) == 2);
  CHECK(in.text(1) == "a");
  CHECK(in.unsigned_integer() == 1);
  CHECK(in.text(1).empty());
  CHECK(in.finish().code() == errc::not_canonical);
}

TEST_CASE("only float 64 is canonical, and only one NaN") {
  CHECK(error_of(octets({0xca, 0x3f, 0x80, 0, 0})) == errc::not_canonical);
  CHECK(error_of(octets({0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0})) == errc::none);
  CHECK(error_of(octets({0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0})) == errc::none);
  CHECK(error_of(octets({0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1})) == errc::not_canonical);
  CHECK(error_of(octets({0xcb, 0xff, 0xf8, 0, 0, 0, 0, 0, 0})) == errc::not_canonical);
  CHECK(error_of(octets({0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 1})) == errc::not_canonical);
  for (double value : {2.0, -0.0, 0.1, -std::numeric_limits<double>::infinity(), -std::nan("7"),
                       std::numeric_limits<double>::denorm_min(), std::nan("")}) {
    const auto wire = written([&](auto& out) { out.real(value); });
    CHECK(wire.size() == 9);
    double back = 1;
    CHECK(error_after(wire, [&](auto& in) { back = in.real(); }) == errc::none);
    if (std::isnan(value)) {
      CHECK(std::isnan(back));
    } else {
      CHECK(std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value));
    }
  }
}

TEST_CASE("extensions and the reserved octet are of a bad type") {
  for (int first : {0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8}) {
    CAPTURE(first);
    CHECK(error_of(octets({first, 1, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) == errc::bad_type);
    CHECK(error_of(octets({0x91, first})) == errc::bad_type);
  }
}

TEST_CASE("text is well-formed UTF-8") {
  const auto text_error = [](std::initializer_list<int> characters) {
    const auto text = octets(characters);
    bytes wire{static_cast<std::byte>(0xa0 + text.size())};
    append(wire, text);
    const auto whole = error_of(wire);
    CHECK(error_after(wire, [](auto& in) { in.text(31); }) == whole);
    CHECK(is_utf8(as_text(text)) == (whole == errc::none));
    return whole;
  };
  CHECK(text_error({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 0x7f, 0}) == errc::none);
  CHECK(text_error({0xc2, 0x80}) == errc::none);
  CHECK(text_error({0xe0, 0xa0, 0x80}) == errc::none);
  CHECK(text_error({0xed, 0x9f, 0xbf}) == errc::none);
  CHECK(text_error({0xf0, 0x90, 0x80, 0x80}) == errc::none);
  CHECK(text_error({0xf4, 0x8f, 0xbf, 0xbf}) == errc::none);
  CHECK(text_error({0x80}) == errc::bad_value);
  CHECK(text_error({0xc1, 0xbf}) == errc::bad_value);             // overlong
  CHECK(text_error({0xe0, 0x9f, 0xbf}) == errc::bad_value);       // overlong
  CHECK(text_error({0xf0, 0x8f, 0xbf, 0xbf}) == errc::bad_value); // overlong
  CHECK(text_error({0xed, 0xa0, 0x80}) == errc::bad_value);       // surrogate
  CHECK(text_error({0xf4, 0x90, 0x80, 0x80}) == errc::bad_value); // above U+10FFFF
  CHECK(text_error({0xf5, 0x80, 0x80, 0x80}) == errc::bad_value);
  CHECK(text_error({0xff}) == errc::bad_value);
  CHECK(text_error({0xc2}) == errc::bad_value); // cut off
  CHECK(text_error({0xe2, 0x82}) == errc::bad_value);
  CHECK(text_error({0xf0, 0x9f, 0x98}) == errc::bad_value);
  CHECK(text_error({0xc2, 'a'}) == errc::bad_value);
  CHECK(text_error({0xe2, 0x82, 'a'}) == errc::bad_value);
  CHECK(text_error({0xf0, 0x9f, 0x98, 'a'}) == errc::bad_value);
  CHECK(text_error({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 0xff}) == errc::bad_value); // after the fast path
  CHECK(text_error({'a', 'b', 'c', 'd', 'e', 'f', 'g', 0xff, 'i', 'j'}) == errc::bad_value); // within a word
}

TEST_CASE("a value of another type or out of range is refused by every reader") {
  const auto nil = octets({0xc0});
  const auto five = octets({5});
  const auto text = octets({0xa2, 'h', 'i'});
  const auto blob = octets({0xc4, 2, 1, 2});
  CHECK(error_after(nil, [](auto& in) { in.boolean(); }) == errc::bad_type);
  CHECK(error_after(nil, [](auto& in) { in.unsigned_integer(); }) == errc::bad_type);
  CHECK(error_after(text, [](auto& in) { in.integer(); }) == errc::bad_type);
  CHECK(error_after(five, [](auto& in) { in.real(); }) == errc::bad_type);
  CHECK(error_after(blob, [](auto& in) { in.text(9); }) == errc::bad_type);
  CHECK(error_after(text, [](auto& in) { in.blob(9); }) == errc::bad_type);
  CHECK(error_after(text, [](auto& in) { in.blob_exactly(2); }) == errc::bad_type);
  CHECK(error_after(five, [](auto& in) { in.array(9); }) == errc::bad_type);
  CHECK(error_after(five, [](auto& in) { in.array_exactly(0); }) == errc::bad_type);
  CHECK(error_after(five, [](auto& in) { in.map(9); }) == errc::bad_type);
  CHECK(error_after(octets({0xff}), [](auto& in) { in.unsigned_integer(); }) == errc::bad_type);
  CHECK(error_after(five, [](auto& in) { in.unsigned_integer(4); }) == errc::bad_value);
  CHECK(error_after(text, [](auto& in) { in.text(1); }) == errc::too_long);
  CHECK(error_after(blob, [](auto& in) { in.blob(1); }) == errc::too_long);
  CHECK(error_after(blob, [](auto& in) { in.blob_exactly(1); }) == errc::too_long);
  CHECK(error_after(blob, [](auto& in) { in.blob_exactly(3); }) == errc::bad_value);
  CHECK(error_after(octets({0x91, 0xc0}), [](auto& in) { in.array(0); }) == errc::too_long);
  CHECK(error_after(octets({0x91, 0xc0}), [](auto& in) { in.array_exactly(2); }) == errc::bad_value);
  CHECK(error_after(octets({0x81, 0, 0}), [](auto& in) { in.map(0); }) == errc::too_long);
  const auto above = written([](auto& out) { out.unsigned_integer(std::uint64_t{INT64_MAX} + 1); });
  CHECK(error_after(above, [](auto& in) { in.integer(); }) == errc::bad_value);
}

TEST_CASE("the first error stays, and everything read after it is empty") {
  const auto wire = octets({0x93, 0xc0, 5, 6});
  msgpack_reader in{wire};
  in.array_exactly(3);
  CHECK_FALSE(in.boolean());
  CHECK_FALSE(in.good());
  CHECK(in.peek() == std::nullopt);
  CHECK(in.unsigned_integer() == 0);
  CHECK(in.integer() == 0);
  CHECK(in.real() == 0);
  CHECK(in.text(9).empty());
  CHECK(in.blob(9).empty());
  CHECK(in.array(9) == 0);
  CHECK(in.map(9) == 0);
  CHECK(in.raw().empty());
  CHECK_FALSE(in.nil());
  in.fail(errc::expired);
  CHECK(in.finish().code() == errc::bad_type);
}

TEST_CASE("a caller's own error fails the whole") {
  const auto wire = octets({5});
  msgpack_reader in{wire};
  CHECK(in.unsigned_integer() == 5);
  in.fail(error{errc::bad_version, "of mine"});
  CHECK(in.finish().code() == errc::bad_version);
  CHECK(in.finish().error().detail == "of mine");
}

TEST_CASE("raw returns the octets of one whole value and leaves the next") {
  const auto wire = octets({0x92, 0x82, 1, 0x91, 7, 2, 0xc4, 1, 0, 5});
  msgpack_reader in{wire};
  in.array_exactly(2);
  CHECK(equal(in.raw(), octets({0x82, 1, 0x91, 7, 2, 0xc4, 1, 0})));
  CHECK(in.unsigned_integer() == 5);
  CHECK(in.finish());
  msgpack_writer out;
  out.raw(wire);
  CHECK(equal(out.view(), wire));
}

TEST_CASE("a writer goes on after what a buffer holds, or reuses its memory") {
  auto out = msgpack_writer::appending_to(octets({1, 2}));
  out.nil();
  CHECK(equal(out.view(), octets({1, 2, 0xc0})));
  bytes buffer(1000);
  msgpack_writer again{std::move(buffer)};
  CHECK(again.size() == 0);
  CHECK(allocations_by([&] { again.text("no allocation for this"); }) == 0);
}
