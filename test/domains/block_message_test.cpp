// blocks/1 messages and storage receipts: they come back as they were, and nothing else is taken.
#include "hanse/domains/block_message.hpp"
#include "hanse/domains/storage_receipt.hpp"
#include "hanse/protocols/codec.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

key_pair key_of(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random);
}

digest name_of(int n) {
  return blake2b_256(as_byte_view(std::to_string(n)));
}

std::vector<digest> names_of(int count) {
  std::vector<digest> names;
  for (int i = 0; i < count; ++i) names.push_back(name_of(i));
  return names;
}

std::vector<block_message> samples(byte_view block) {
  const auto asker = key_of(1).identity(), topic = key_of(2).identity();
  return {
      blocks_get{names_of(3)},
      blocks_answer{{{name_of(1), block}, {name_of(2), block}}, names_of(2)},
      blocks_ask{names_of(1)},
      blocks_presence{names_of(2), names_of(1)},
      blocks_search{77, asker, 8, topic, names_of(2)},
      blocks_search{78, asker, 1, std::nullopt, names_of(2)},
      blocks_put{5, 1'700'000'000'000, {block, block}},
      blocks_stored{5, errc::table_full, block},
  };
}

} // namespace

TEST_CASE("every message of blocks/1 re-encodes to the same octets") {
  const bytes block(100, std::byte{7});
  for (const auto& m : samples(block)) {
    const auto wire = encode(m);
    auto again = decode_block_message(wire);
    REQUIRE(again);
    CHECK(again->index() == m.index());
    CHECK(encode(*again) == wire);
  }
}

TEST_CASE("a message that is cut, changed or longer is refused or still canonical, and never crashes the reader") {
  const bytes block(40, std::byte{7});
  for (const auto& m : samples(block)) {
    const auto wire = encode(m);
    for (std::size_t cut = 0; cut < wire.size(); ++cut) CHECK_FALSE(decode_block_message(byte_view{wire}.first(cut)));
    for (std::size_t at = 0; at < wire.size(); ++at)
      for (const int bit : {1, 16, 128}) {
        auto changed = wire;
        changed[at] ^= static_cast<std::byte>(bit);
        if (auto again = decode_block_message(changed); again && !std::holds_alternative<blocks_stored>(*again))
          CHECK(encode(*again) == changed);
      }
    auto longer = wire;
    longer.push_back(std::byte{0});
    CHECK(decode_block_message(longer).code() == errc::trailing_bytes);
  }
}

TEST_CASE("messages are bounded: names, blocks, their size, and how far a search goes") {
  const auto raw = [](std::uint64_t kind, std::size_t fields, auto&& rest, std::uint64_t version = 1) {
    msgpack_writer out;
    out.array(fields);
    out.unsigned_integer(kind);
    out.unsigned_integer(version);
    rest(out);
    return decode_block_message(out.view()).code();
  };
  const auto names = [](std::size_t count) {
    return [count](msgpack_writer& out) {
      out.array(count);
      for (std::size_t i = 0; i < count; ++i) out.blob(name_of(static_cast<int>(i)).view());
    };
  };
  CHECK(raw(0, 3, names(256)) == errc::none);
  CHECK(raw(0, 3, names(257)) != errc::none);
  CHECK(raw(0, 3, names(1), 2) == errc::bad_version);
  CHECK(raw(9, 3, names(1)) == errc::bad_value);
  CHECK(raw(0, 4, names(1)) == errc::bad_value);
  const auto search = [](std::uint64_t ttl, std::size_t count) {
    return [ttl, count](msgpack_writer& out) {
      out.unsigned_integer(1);
      out.blob(key_of(1).identity().wire());
      out.unsigned_integer(ttl);
      out.nil();
      out.array(count);
      for (std::size_t i = 0; i < count; ++i) out.blob(name_of(static_cast<int>(i)).view());
    };
  };
  CHECK(raw(4, 7, search(8, 64)) == errc::none);
  CHECK(raw(4, 7, search(9, 1)) == errc::bad_value);
  CHECK(raw(4, 7, search(0, 1)) == errc::bad_value);
  CHECK(raw(4, 7, search(8, 65)) != errc::none);
  const auto put = [](std::size_t count, std::size_t size) {
    return [count, size](msgpack_writer& out) {
      out.unsigned_integer(1);
      out.unsigned_integer(1);
      out.array(count);
      for (std::size_t i = 0; i < count; ++i) out.blob(bytes(size));
    };
  };
  CHECK(raw(5, 5, put(1, stored_block_size_max)) == errc::none);
  CHECK(raw(5, 5, put(1, stored_block_size_max + 1)) == errc::too_long);
  CHECK(raw(5, 5, put(65, 10)) != errc::none);
  CHECK(raw(5, 5, put(0, 10)) == errc::bad_value);
}

TEST_CASE("a full message fits in a body") {
  const bytes block(stored_block_size_max);
  blocks_answer answer;
  for (std::size_t octets = 0; octets + block.size() <= message_octets_max; octets += block.size())
    answer.blocks.push_back({name_of(static_cast<int>(octets)), block});
  answer.missing = names_of(256);
  CHECK(answer.blocks.size() == 29);
  CHECK(encode(answer).size() <= body_size_max);
}

TEST_CASE("a storage receipt is the storer's word for these blocks, this domain and this time, and no other") {
  const auto key = key_of(3);
  const auto domain = key_of(4).identity();
  auto names = names_of(20);
  names.push_back(names[3]); // twice
  const auto r = sign_receipt(key, domain, 1'700'000'000'000, names);
  CHECK(r.blocks.size() == 20);
  CHECK(r.storer == key.identity());
  const auto wire = encode(r);
  CHECK(*decode_receipt(wire) == r);
  CHECK(encode(sign_receipt(key, domain, wire_number_max, names_of(64))).size() <= receipt_size_max);
  auto changed = r;
  changed.until += 1;
  CHECK(decode_receipt(encode(changed)).code() == errc::bad_signature);
  changed = r;
  changed.domain = key_of(5).identity();
  CHECK(decode_receipt(encode(changed)).code() == errc::bad_signature);
  changed = r;
  changed.storer = key_of(5).identity();
  CHECK(decode_receipt(encode(changed)).code() == errc::bad_signature);
  changed = r;
  changed.blocks.pop_back();
  CHECK(decode_receipt(encode(changed)).code() == errc::bad_signature);
  changed = r;
  std::swap(changed.blocks[0], changed.blocks[1]);
  CHECK(decode_receipt(encode(changed)).code() == errc::not_canonical);
  changed.blocks.clear();
  CHECK(decode_receipt(encode(changed)).code() == errc::bad_value);
  for (std::size_t cut = 0; cut < wire.size(); ++cut) CHECK_FALSE(decode_receipt(byte_view{wire}.first(cut)));
}
