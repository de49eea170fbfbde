// The cursor against msgpack-cxx: what the cursor accepts, msgpack-cxx reads as the same value, and writing that value
// gives the same octets again. On random values, on the same with damage, and on random octets.
// Not the catalogue of refusals (codec_test.cpp).
#include "protocols/samples.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#define MSGPACK_NO_BOOST
#include <msgpack/unpack.hpp>

using namespace hanse;
using namespace hanse::test;

namespace {

bool accepts(byte_view wire) {
  msgpack_reader in{wire};
  in.raw();
  return in.finish().has_value();
}

void write_value(msgpack_writer& out, random_source& random, std::size_t depth);

std::uint64_t any_size_number(random_source& random) {
  return random.next_u64() >> random.below(64);
}

std::string random_text(random_source& random) {
  constexpr std::array<std::string_view, 6> pieces{"a", "hello world", "ä", "€", "😀", "\n"};
  std::string text;
  for (auto n = random.below(random.below(10) == 0 ? 80 : 6); n > 0; --n) text += pieces[random.below(pieces.size())];
  return text;
}

/// Keys are written first, each by itself, to put them in order.
void write_map(msgpack_writer& out, random_source& random, std::size_t depth) {
  const auto less = [](const bytes& a, const bytes& b) { return std::ranges::lexicographical_compare(a, b); };
  std::set<bytes, decltype(less)> keys{less};
  for (auto n = random.below(random.below(8) == 0 ? 20 : 4); n > 0; --n) {
    msgpack_writer key;
    write_value(key, random, depth + 2);
    keys.insert(std::move(key).take());
  }
  out.map(keys.size());
  for (const auto& key : keys) {
    out.raw(key);
    write_value(out, random, depth + 1);
  }
}

void write_value(msgpack_writer& out, random_source& random, std::size_t depth) {
  const auto count = random.below(random.below(8) == 0 ? 40 : 4);
  switch (random.below(depth < 5 ? 9 : 7)) {
  case 0:
    return out.nil();
  case 1:
    return out.boolean(random.below(2) == 1);
  case 2:
    return out.unsigned_integer(any_size_number(random));
  case 3:
    return out.integer(-static_cast<std::int64_t>(any_size_number(random) >> 1));
  case 4:
    return out.real(std::bit_cast<double>(random.next_u64()));
  case 5:
    return out.text(random_text(random));
  case 6:
    return out.blob(bytes(random.below(8) == 0 ? random.below(70'000) : count));
  case 7:
    out.array(count);
    for (std::size_t i = 0; i < count; ++i) write_value(out, random, depth + 1);
    return;
  default:
    return write_map(out, random, depth);
  }
}

/// Reads the next value by its kind, holds it against `o`, and writes it again.
void compare(msgpack_reader& in, const msgpack::object& o, msgpack_writer& again) {
  const auto kind = in.peek();
  REQUIRE(kind);
  switch (*kind) {
  case token_kind::nil:
    REQUIRE(o.type == msgpack::type::NIL);
    REQUIRE(in.nil());
    return again.nil();
  case token_kind::boolean:
    REQUIRE(o.type == msgpack::type::BOOLEAN);
    REQUIRE(in.boolean() == o.via.boolean);
    return again.boolean(o.via.boolean);
  case token_kind::unsigned_integer:
    REQUIRE(o.type == msgpack::type::POSITIVE_INTEGER);
    REQUIRE(in.unsigned_integer() == o.via.u64);
    return again.unsigned_integer(o.via.u64);
  case token_kind::negative_integer:
    REQUIRE(o.type == msgpack::type::NEGATIVE_INTEGER);
    REQUIRE(in.integer() == o.via.i64);
    return again.integer(o.via.i64);
  case token_kind::real:
    REQUIRE(o.type == msgpack::type::FLOAT64);
    REQUIRE(std::bit_cast<std::uint64_t>(in.real()) == std::bit_cast<std::uint64_t>(o.via.f64));
    return again.real(o.via.f64);
  case token_kind::text: {
    REQUIRE(o.type == msgpack::type::STR);
    const std::string_view theirs{o.via.str.ptr, o.via.str.size};
    REQUIRE(in.text(SIZE_MAX) == theirs);
    return again.text(theirs);
  }
  case token_kind::blob: {
    REQUIRE(o.type == msgpack::type::BIN);
    const auto theirs = as_byte_view({o.via.bin.ptr, o.via.bin.size});
    REQUIRE(equal(in.blob(SIZE_MAX), theirs));
    return again.blob(theirs);
  }
  case token_kind::array:
    REQUIRE(o.type == msgpack::type::ARRAY);
    REQUIRE(in.array(SIZE_MAX) == o.via.array.size);
    again.array(o.via.array.size);
    for (std::size_t i = 0; i < o.via.array.size; ++i) compare(in, o.via.array.ptr[i], again);
    return;
  case token_kind::map:
    REQUIRE(o.type == msgpack::type::MAP);
    REQUIRE(in.map(SIZE_MAX) == o.via.map.size);
    again.map(o.via.map.size);
    for (std::size_t i = 0; i < o.via.map.size; ++i) {
      compare(in, o.via.map.ptr[i].key, again);
      compare(in, o.via.map.ptr[i].val, again);
    }
    return;
  }
}

/// Holds an accepted input against msgpack-cxx.
void cross_check(byte_view wire) {
  CAPTURE(to_hex(wire));
  const msgpack::unpack_limit limit{1 << 20, 1 << 20, 1 << 20, 1 << 20, 0, 32};
  const auto text = as_text(wire);
  std::size_t used = 0;
  msgpack::object_handle theirs;
  REQUIRE_NOTHROW(theirs = msgpack::unpack(text.data(), text.size(), used, nullptr, nullptr, limit));
  REQUIRE(used == wire.size());
  msgpack_reader in{wire};
  msgpack_writer again;
  compare(in, theirs.get(), again);
  REQUIRE(in.finish());
  REQUIRE(equal(again.view(), wire));
}

bytes random_value(random_source& random) {
  msgpack_writer out;
  write_value(out, random, 0);
  return std::move(out).take();
}

/// One to three changes: an octet replaced, removed or inserted, or a bit flipped.
void damage(bytes& wire, random_source& random) {
  for (auto n = 1 + random.below(3); n > 0 && !wire.empty(); --n) {
    const auto at = static_cast<std::ptrdiff_t>(random.below(std::min<std::size_t>(wire.size(), 64)));
    const auto octet = static_cast<std::byte>(random.below(256));
    switch (random.below(4)) {
    case 0:
      wire[at] = octet;
      break;
    case 1:
      wire[at] ^= static_cast<std::byte>(1U << random.below(8));
      break;
    case 2:
      wire.erase(wire.begin() + at);
      break;
    default:
      wire.insert(wire.begin() + at, octet);
    }
  }
}

} // namespace

TEST_CASE("random values are accepted and are the same to msgpack-cxx") {
  const auto seed = fresh_seed();
  CAPTURE(seed);
  seeded_random random{seed};
  for (int i = 0; i < 3000; ++i) {
    const auto wire = random_value(random);
    if (wire.size() > codec_size_max) continue;
    REQUIRE(accepts(wire));
    cross_check(wire);
  }
}

TEST_CASE("damaged values that are accepted are the same to msgpack-cxx") {
  const auto seed = fresh_seed();
  CAPTURE(seed);
  seeded_random random{seed};
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto wire = random_value(random);
    damage(wire, random);
    if (!accepts(wire)) continue;
    ++accepted;
    cross_check(wire);
  }
  CHECK(accepted > 100);
}

TEST_CASE("random octets that are accepted are the same to msgpack-cxx") {
  const auto seed = fresh_seed();
  CAPTURE(seed);
  seeded_random random{seed};
  int accepted = 0;
  for (int i = 0; i < 300'000; ++i) {
    bytes wire(1 + random.below(12));
    random.fill(wire);
    if (!accepts(wire)) continue;
    ++accepted;
    cross_check(wire);
  }
  CHECK(accepted > 100);
}

TEST_CASE("all inputs of up to two octets, and all beginnings of three, are judged alike") {
  for (unsigned n = 0; n < 0x10000; ++n) {
    const std::array pair{static_cast<std::byte>(n >> 8), static_cast<std::byte>(n)};
    if (accepts(pair)) cross_check(pair);
    if (n < 256 && accepts(byte_view{pair}.last(1))) cross_check(byte_view{pair}.last(1));
    const std::array triple{pair[0], pair[1], std::byte{0x7f}};
    if (accepts(triple)) cross_check(triple);
  }
}
