// The ERIS encoder: leaves under the convergence secret, inner nodes as soon as they are full. See eris.hpp.
#include "hanse/domains/eris.hpp"

#include "hanse/crypto/chacha20.hpp"

#include <algorithm>

namespace hanse {

eris_pair make_eris_leaf(const eris_key& convergence_secret, byte_view content, std::span<std::byte> block) noexcept {
  eris_pair pair;
  pair.key = blake2b_256_keyed(convergence_secret, content).octets;
  chacha20_xor(block, content, pair.key, 0);
  pair.reference = blake2b_256(block);
  return pair;
}

eris_encoder::eris_encoder(eris_block_size size, const eris_key& convergence_secret, eris_block_sink sink)
    : size_(size), secret_(convergence_secret), sink_(std::move(sink)), cipher_(octets_of(size)) {
  pending_.reserve(octets_of(size));
}

expected<unit> eris_encoder::note(expected<unit> result) {
  if (!result) failed_ = result.error();
  return result;
}

expected<unit> eris_encoder::update(byte_view content) {
  if (failed_) return *failed_;
  content_size_ += content.size();
  const auto size = octets_of(size_);
  if (!pending_.empty()) {
    const auto part = std::min(size - pending_.size(), content.size());
    append(pending_, content.first(part));
    content = content.subspan(part);
    if (pending_.size() < size) return ok();
    HANSE_CHECK(note(leaf(pending_)));
    pending_.clear();
  }
  for (; content.size() >= size; content = content.subspan(size)) HANSE_CHECK(note(leaf(content.first(size))));
  append(pending_, content);
  return ok();
}

expected<unit> eris_encoder::leaf(byte_view content) {
  const auto pair = make_eris_leaf(secret_, content, cipher_);
  HANSE_CHECK(sink_(pair.reference, cipher_));
  return add(0, pair);
}

expected<unit> eris_encoder::add_leaf(const eris_pair& leaf) {
  assert(pending_.empty());
  if (failed_) return *failed_;
  content_size_ += octets_of(size_);
  return note(add(0, leaf));
}

expected<unit> eris_encoder::add(std::size_t level, const eris_pair& pair) {
  assert(level <= eris_level_max(size_));
  if (levels_.size() <= level) levels_.resize(level + 1);
  append(levels_[level], pair.reference.view());
  append(levels_[level], pair.key);
  if (levels_[level].size() < octets_of(size_)) return ok();
  return node(level);
}

/// Makes a node of level + 1 of what waits for a parent at `level`. Its key is not under the secret (ERIS 1.0).
expected<unit> eris_encoder::node(std::size_t level) {
  auto& pairs = levels_[level];
  pairs.resize(octets_of(size_));
  eris_pair pair;
  pair.key = blake2b_256(pairs).octets;
  chacha20_xor(cipher_, pairs, pair.key, static_cast<std::uint8_t>(level + 1));
  pairs.clear();
  pair.reference = blake2b_256(cipher_);
  HANSE_CHECK(sink_(pair.reference, cipher_));
  return add(level + 1, pair);
}

expected<eris_capability> eris_encoder::finish() {
  if (failed_) return *failed_;
  pending_.push_back(std::byte{0x80}); // the padding: always there, so that the end can be found
  pending_.resize(octets_of(size_));
  HANSE_CHECK(note(leaf(pending_)));
  for (std::size_t level = 0;; ++level) {
    const auto top = level + 1 == levels_.size();
    if (top && levels_[level].size() == eris_pair_size) {
      eris_capability c{size_, static_cast<std::uint8_t>(level), {}};
      std::copy_n(levels_[level].begin(), 32, c.root.reference.octets.begin());
      std::copy_n(levels_[level].begin() + 32, 32, c.root.key.begin());
      return c;
    }
    if (!levels_[level].empty()) HANSE_CHECK(note(node(level)));
  }
}

} // namespace hanse
