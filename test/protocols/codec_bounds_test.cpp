// The codec's bounds: lengths, counts, depth, truncation, and how little a bomb makes us allocate.
// Not canonical form and types (codec_test.cpp).
#include "protocols/allocations.hpp"
#include "protocols/samples.hpp"

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

bytes nested_arrays(std::size_t depth) {
  bytes out(depth - 1, std::byte{0x91});
  out.push_back(std::byte{0x90});
  return out;
}

} // namespace

TEST_CASE("a bomb of few octets is refused without allocating for it") {
  const std::array<bytes, 10> bombs{
      octets({0xdd, 0xff, 0xff, 0xff, 0xff}),
      octets({0xdf, 0xff, 0xff, 0xff, 0xff}),
      octets({0xdb, 0xff, 0xff, 0xff, 0xff}),
      octets({0xc6, 0xff, 0xff, 0xff, 0xff}),
      octets({0xc9, 0xff, 0xff, 0xff, 0xff}),
      octets({0xdc, 0xff, 0xff}),
      octets({0xde, 0xff, 0xff}),
      octets({0x91, 0xdd, 0xff, 0xff, 0xff, 0xff}),
      octets({0xda, 0xff, 0xff, 'a'}),
      octets({0xdd, 0x80, 0, 0, 0, 0xc0}),
  };
  for (const auto& bomb : bombs) {
    CAPTURE(to_hex(bomb));
    errc code{};
    CHECK(octets_allocated_by([&] { code = error_of(bomb); }) < 1024);
    CHECK((code == errc::truncated || code == errc::bad_type));
    // whoever reserves by the count that a read returns is as safe
    CHECK(octets_allocated_by([&] {
            msgpack_reader in{bomb};
            std::vector<identity> many;
            many.reserve(in.array(SIZE_MAX));
          }) < 64 * 1024);
    const auto wire = shared_bytes::copy_of(bomb);
    const auto allocated = octets_allocated_by([&] {
      CHECK_FALSE(decode_envelope(wire));
      CHECK_FALSE(decode_fault(bomb));
      CHECK_FALSE(decode_node_advert(bomb));
      CHECK_FALSE(decode_engine_advert(bomb));
      CHECK_FALSE(read_payload(wire));
    });
    CHECK(allocated < 64 * 1024);
  }
}

TEST_CASE("sixteen levels may nest, and no more") {
  CHECK(error_of(nested_arrays(codec_depth_max)) == errc::none);
  CHECK(error_of(nested_arrays(codec_depth_max + 1)) == errc::too_deep);
  const auto too_deep = nested_arrays(codec_depth_max + 1);
  msgpack_reader in{too_deep};
  for (std::size_t i = 0; i <= codec_depth_max; ++i) in.array(1);
  CHECK(in.finish().code() == errc::too_deep);
  bytes maps;
  for (std::size_t i = 0; i < codec_depth_max; ++i) append(maps, octets({0x81, 0}));
  maps.push_back(std::byte{0xc0});
  CHECK(error_of(maps) == errc::none);
  maps.insert(maps.begin(), {std::byte{0x81}, std::byte{0}});
  CHECK(error_of(maps) == errc::too_deep);
  bytes row = octets({0x92}); // a level that is complete counts no more
  append(row, nested_arrays(codec_depth_max - 1));
  append(row, nested_arrays(codec_depth_max - 1));
  CHECK(error_of(row) == errc::none);
}

TEST_CASE("a value has at most half a million values in it, and a size within the bound") {
  msgpack_writer out;
  out.array(codec_tokens_max - 1);
  for (std::size_t i = 1; i < codec_tokens_max; ++i) out.nil();
  CHECK(error_of(out.view()) == errc::none);
  msgpack_writer more;
  more.array(codec_tokens_max);
  for (std::size_t i = 0; i < codec_tokens_max; ++i) more.nil();
  CHECK(error_of(more.view()) == errc::too_long);
  const auto nil = octets({0xc0});
  CHECK(msgpack_reader{nil, 0}.finish().code() == errc::too_long);
  bytes large = octets({0xc6, 0, 0x10, 0, 0});
  large.resize(5 + codec_size_max);
  CHECK(error_of(large) == errc::too_long);
}

TEST_CASE("what is missing is truncated and what is left over is trailing") {
  CHECK(error_of({}) == errc::truncated);
  CHECK(error_of(octets({0xc0, 0xc0})) == errc::trailing_bytes);
  CHECK(error_of(octets({0x92, 0xc0})) == errc::truncated);
  CHECK(error_of(octets({0x81, 0xc0})) == errc::truncated);
  CHECK(error_of(octets({0xcd, 1})) == errc::truncated);
  CHECK(error_of(octets({0xa2, 'a'})) == errc::truncated);
  CHECK(msgpack_reader{byte_view{}}.finish().code() == errc::truncated);
  const auto two = octets({0x92, 0xc0, 0xc0});
  CHECK(error_after(two, [](auto& in) { in.array_exactly(2); }) == errc::trailing_bytes);
  const auto pair = octets({0x92, 0xc0});
  CHECK(error_after(pair, [](auto& in) { in.array(2); }) == errc::truncated); // fewer octets than elements
  const auto unfinished = octets({0x92, 0x91, 0xc0}); // the outer array lacks its second element
  CHECK(error_of(unfinished) == errc::truncated);
  CHECK(error_after(unfinished, [](auto& in) {
          in.array_exactly(2);
          in.array_exactly(1);
          in.nil();
        }) == errc::truncated);
  const auto value = written([](auto& out) {
    out.array(3);
    out.text("some text");
    out.unsigned_integer(70'000);
    out.blob(octets({1, 2, 3}));
  });
  for_each_other_length(value, [](byte_view bad) {
    const auto code = error_of(bad);
    CHECK((code == errc::truncated || code == errc::trailing_bytes));
  });
}

TEST_CASE("reading allocates nothing") {
  const auto wire = written([](auto& out) {
    out.array(4);
    out.text("a text that is longer than any small string");
    out.blob(bytes(100));
    out.unsigned_integer(7);
    out.nil();
  });
  CHECK(allocations_by([&] {
          msgpack_reader in{wire};
          in.array_exactly(4);
          in.text(100);
          in.blob(100);
          in.unsigned_integer();
          if (!in.nil() || !in.finish()) std::abort();
        }) == 0);
}
