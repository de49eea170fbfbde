// ERIS beyond the vectors: sizes around every edge, random access, forged trees and capabilities.
#include "hanse/domains/eris.hpp"

#include "hanse/crypto/chacha20.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace hanse;

namespace {

using block_map = std::map<digest, bytes>;

bytes sample(std::size_t size, std::uint64_t seed = 1) {
  bytes content(size);
  seeded_random{seed}.fill(content);
  return content;
}

eris_capability encode_all(byte_view content, eris_block_size size, block_map& blocks, const eris_key& secret = {}) {
  eris_encoder encoder{size, secret, [&](const digest& reference, byte_view block) {
                         blocks[reference] = to_bytes(block);
                         return ok();
                       }};
  REQUIRE(encoder.update(content));
  auto c = encoder.finish();
  REQUIRE(c);
  return *c;
}

expected<bytes> decode_all(const eris_capability& c, const block_map& blocks, eris_decoder_config config = {}) {
  eris_decoder decoder{c, config};
  bytes content;
  while (!decoder.done()) {
    const auto reference = *decoder.next();
    const auto found = blocks.find(reference);
    if (found == blocks.end()) return errc::not_found;
    HANSE_CHECK(decoder.provide(reference, found->second, [&](byte_view part) { append(content, part); }));
  }
  return content;
}

/// A node that nobody's encoder makes, correctly encrypted under its own hash.
eris_pair forge(byte_view plain, std::uint8_t level, block_map& blocks) {
  eris_pair pair;
  pair.key = blake2b_256(plain).octets;
  bytes cipher(plain.size());
  chacha20_xor(cipher, plain, pair.key, level);
  pair.reference = blake2b_256(cipher);
  blocks[pair.reference] = cipher;
  return pair;
}

bytes node_of(const std::vector<eris_pair>& pairs, eris_block_size size) {
  bytes plain;
  for (const auto& p : pairs) {
    append(plain, p.reference.view());
    append(plain, p.key);
  }
  plain.resize(octets_of(size));
  return plain;
}

} // namespace

TEST_CASE("what is encoded in parts of any size is decoded, around every edge of the tree") {
  for (const std::size_t size :
       {0, 1, 1022, 1023, 1024, 1025, 16'383, 16'384, 16'385, 17'408, 262'143, 262'144, 300'000})
    for (const auto block_size : {eris_block_size::small, eris_block_size::large}) {
      CAPTURE(size);
      const auto content = sample(size);
      block_map blocks, again;
      const auto c = encode_all(content, block_size, blocks);
      eris_encoder encoder{block_size, eris_null_secret, [&](const digest& r, byte_view b) {
                             again[r] = to_bytes(b);
                             return ok();
                           }};
      for (std::size_t at = 0, step = 1; at < size; at += step, step = step * 3 % 5003 + 1)
        REQUIRE(encoder.update(byte_view{content}.subspan(at, std::min(step, size - at))));
      CHECK(*encoder.finish() == c);
      CHECK(encoder.content_size() == size);
      CHECK((again == blocks));
      auto decoded = decode_all(c, blocks);
      REQUIRE(decoded);
      CHECK((*decoded == content));
    }
}

TEST_CASE("content is read from any offset, and an offset behind its end is refused") {
  const auto content = sample(40'000);
  block_map blocks;
  const auto c = encode_all(content, eris_block_size::small, blocks);
  for (const std::uint64_t offset : {0, 1, 1023, 1024, 16'384, 16'385, 39'999, 40'000}) {
    CAPTURE(offset);
    auto decoded = decode_all(c, blocks, {.offset = offset});
    REQUIRE(decoded);
    CHECK((*decoded == bytes(content.begin() + static_cast<std::ptrdiff_t>(offset), content.end())));
  }
  for (const std::uint64_t offset : {40'001ull, 41'000ull, 1ull << 20, 1ull << 62})
    CHECK(decode_all(c, blocks, {.offset = offset}).code() == errc::bad_value);
  block_map one;
  const auto small = encode_all(sample(100), eris_block_size::small, one);
  CHECK(decode_all(small, one, {.offset = 90})->size() == 10);
  CHECK(decode_all(small, one, {.offset = 2000}).code() == errc::bad_value);
}

TEST_CASE("a flipped bit in any block is found, and another copy of the block goes on") {
  const auto content = sample(20'000);
  block_map blocks;
  const auto c = encode_all(content, eris_block_size::small, blocks);
  REQUIRE(blocks.size() == 23); // 20 leaves, two nodes and the root
  for (const auto& [name, good] : blocks) {
    eris_decoder decoder{c};
    bytes decoded;
    int refused = 0;
    while (!decoder.done()) {
      const auto reference = *decoder.next();
      auto block = blocks.at(reference);
      const auto take = [&](byte_view part) { append(decoded, part); };
      if (reference == name && refused == 0) {
        auto bad = block;
        bad[static_cast<std::size_t>(name.octets[0]) * 4] ^= std::byte{0x10};
        CHECK(decoder.provide(reference, bad, take).code() == errc::bad_checksum);
        ++refused;
      }
      REQUIRE(decoder.provide(reference, block, take));
    }
    CHECK(refused == 1);
    CHECK((decoded == content));
  }
}

TEST_CASE("a capability with level 255, or any that no content needs, is refused before anything is fetched") {
  block_map blocks;
  auto wire = encode(encode_all(sample(100), eris_block_size::large, blocks));
  for (const int level : {6, 100, 255}) {
    wire[1] = static_cast<std::byte>(level);
    CHECK(decode_eris_capability(wire).code() == errc::too_deep);
  }
  wire[1] = std::byte{5};
  CHECK(decode_eris_capability(wire));
  wire[0] = std::byte{10};
  wire[1] = std::byte{14};
  CHECK(decode_eris_capability(wire).code() == errc::too_deep);
}

TEST_CASE("capabilities: octets and text re-encode to the same, and everything else is refused") {
  block_map blocks;
  const auto c = encode_all(sample(5000), eris_block_size::small, blocks);
  CHECK(*decode_eris_capability(encode(c)) == c);
  const auto urn = to_urn(c);
  CHECK(urn.size() == 115);
  CHECK(*parse_eris_urn(urn) == c);
  CHECK(parse_eris_urn(urn.substr(0, 114)).code() != errc::none);
  CHECK(parse_eris_urn(urn + "A").code() != errc::none);
  CHECK(parse_eris_urn("urn:eris:").code() == errc::truncated);
  CHECK(parse_eris_urn("urn:uuid:" + urn.substr(9)).code() == errc::bad_value);
  auto lower = urn;
  lower[20] = 'a';
  CHECK(parse_eris_urn(lower).code() == errc::bad_value);
  auto spare = urn; // the last character holds three bits and two zeros
  spare.back() = spare.back() == 'B' ? 'C' : 'B';
  CHECK(parse_eris_urn(spare).code() == errc::not_canonical);
  auto wire = encode(c);
  wire[0] = std::byte{12};
  CHECK(decode_eris_capability(wire).code() == errc::bad_value);
  CHECK(decode_eris_capability(byte_view{wire}.first(65)).code() == errc::truncated);
  wire.push_back({});
  CHECK(decode_eris_capability(wire).code() == errc::trailing_bytes);
}

TEST_CASE(
    "a loop cannot be walked: a node that claims itself or its parent as a child is not that block one level lower") {
  // A reference is a hash over the reference itself, so a true loop cannot be made; the nearest is a node whose block
  // is given again for its child, or the same block and key claimed at another level.
  block_map blocks;
  std::vector<eris_pair> leaves;
  for (int i = 0; i < 16; ++i) leaves.push_back(forge(sample(1024, static_cast<std::uint64_t>(i) + 1), 0, blocks));
  const auto node = forge(node_of(leaves, eris_block_size::small), 1, blocks);
  const std::vector<eris_pair> twice(16, node);
  const auto root = forge(node_of(twice, eris_block_size::small), 3, blocks); // claims node, of level 1, as level 2
  CHECK(decode_all({eris_block_size::small, 3, root}, blocks).code() == errc::decryption_failed);
  eris_walk walk{{eris_block_size::small, 1, node}};
  REQUIRE(walk.enter(blocks.at(node.reference)));
  CHECK(walk.current()->level == 0); // levels only fall
}

TEST_CASE("a small tree that claims an exabyte of content is refused at its root") {
  block_map blocks;
  auto pair = forge(bytes(octets_of(eris_block_size::large)), 0, blocks);
  for (std::uint8_t level = 1; level <= 5; ++level)
    pair = forge(node_of(std::vector<eris_pair>(512, pair), eris_block_size::large), level, blocks);
  CHECK(blocks.size() == 6);
  CHECK(decode_all({eris_block_size::large, 5, pair}, blocks).code() == errc::too_long);
}

TEST_CASE("a forged node is refused: a gap, garbage behind the references, too few of them, a root with one child") {
  block_map blocks;
  const auto a = forge(sample(1024, 1), 0, blocks), b = forge(sample(1024, 2), 0, blocks);
  const auto small = eris_block_size::small;
  const auto decode_root = [&](byte_view plain, std::uint8_t level) {
    return decode_all({small, level, forge(plain, level, blocks)}, blocks).code();
  };
  CHECK(decode_root(node_of({a, {}, b}, small), 1) == errc::not_canonical);
  auto garbage = node_of({a, b}, small);
  garbage.back() = std::byte{1};
  CHECK(decode_root(garbage, 1) == errc::not_canonical);
  CHECK(decode_root(node_of({a}, small), 1) == errc::not_canonical);
  CHECK(decode_root(node_of({}, small), 1) == errc::not_canonical);
  const auto half = forge(node_of({a, b}, small), 1, blocks);
  CHECK(decode_root(node_of({half, half}, small), 2) == errc::not_canonical); // only the last may be filled in part
}

TEST_CASE("the convergence secret decides whether equal content gives equal blocks") {
  const auto content = sample(3000);
  block_map plain, secret, other;
  const auto key = blake2b_256(as_byte_view("secret")).octets;
  CHECK(encode_all(content, eris_block_size::small, plain) != encode_all(content, eris_block_size::small, secret, key));
  CHECK(encode_all(content, eris_block_size::small, other, key) ==
        encode_all(content, eris_block_size::small, secret, key));
  for (const auto& [name, block] : secret) CHECK_FALSE(plain.contains(name));
}

TEST_CASE("leaves that were made elsewhere, in any order, make the same tree") {
  const auto content = sample(300'000); // three levels of small blocks
  const auto size = octets_of(eris_block_size::small);
  const eris_key secret{std::byte{7}};
  block_map blocks, again;
  const auto c = encode_all(content, eris_block_size::small, blocks, secret);
  const auto whole = content.size() / size;
  std::vector<eris_pair> leaves(whole);
  for (std::size_t i = whole; i-- > 0;) {
    auto block = to_bytes(byte_view{content}.subspan(i * size, size));
    leaves[i] = make_eris_leaf(secret, block, block); // in the same place
    again[leaves[i].reference] = block;
  }
  eris_encoder encoder{eris_block_size::small, secret, [&](const digest& r, byte_view b) {
                         again[r] = to_bytes(b);
                         return ok();
                       }};
  for (const auto& leaf : leaves) REQUIRE(encoder.add_leaf(leaf));
  REQUIRE(encoder.update(byte_view{content}.subspan(whole * size)));
  CHECK(*encoder.finish() == c);
  CHECK(encoder.content_size() == content.size());
  CHECK((again == blocks));
}

TEST_CASE("a sink's error stops the encoder, and stays") {
  int blocks = 0;
  eris_encoder encoder{eris_block_size::small, {}, [&](const digest&, byte_view) -> expected<unit> {
                         if (++blocks == 3) return errc::io_error;
                         return ok();
                       }};
  CHECK(encoder.update(sample(10'000)).code() == errc::io_error);
  CHECK(encoder.update({}).code() == errc::io_error);
  CHECK(encoder.finish().code() == errc::io_error);
  CHECK(blocks == 3);
}

TEST_CASE("the decoder names leaves in advance, in order, at most as many as it is told") {
  block_map blocks;
  const auto c = encode_all(sample(40'000), eris_block_size::small, blocks);
  eris_decoder decoder{c, {.ahead_max = 20}};
  std::size_t most = 0;
  while (!decoder.done()) {
    const auto wanted = decoder.wanted();
    REQUIRE(wanted.front() == *decoder.next());
    most = std::max(most, wanted.size());
    if (wanted.size() > 1 && decoder.takes(wanted.back())) { // the node behind the known leaves, before them
      REQUIRE(decoder.provide(wanted.back(), blocks.at(wanted.back()), [](byte_view) {}));
      continue;
    }
    REQUIRE(decoder.provide(wanted.front(), blocks.at(wanted.front()), [](byte_view) {}));
  }
  CHECK(most == 21);
  CHECK(decoder.content_size() == 40'000);
}
