// The Merkle tree of a batch; see internal/merkle.hpp.
// Not the signature over its root (signature.cpp).
#include "hanse/crypto/internal/merkle.hpp"

#include "hanse/crypto/internal/contexts.hpp"

namespace hanse::internal {

digest merkle_leaf(const batch_salt& salt, const digest& message_hash) noexcept {
  constexpr std::array prefix{std::byte{0x00}};
  return blake2b_256({prefix, as_byte_view(leaf_context), salt, message_hash.view()});
}

digest merkle_node(const digest& left, const digest& right) noexcept {
  constexpr std::array prefix{std::byte{0x01}};
  return blake2b_256({prefix, left.view(), right.view()});
}

merkle_tree::merkle_tree(std::span<const digest> message_hashes, std::span<const batch_salt> salts) {
  assert(!message_hashes.empty() && message_hashes.size() == salts.size());
  std::vector<digest> level;
  level.reserve(message_hashes.size());
  for (std::size_t i = 0; i < message_hashes.size(); ++i) level.push_back(merkle_leaf(salts[i], message_hashes[i]));
  while (level.size() > 1) {
    std::vector<digest> next;
    next.reserve((level.size() + 1) / 2);
    for (std::size_t i = 0; i + 1 < level.size(); i += 2) next.push_back(merkle_node(level[i], level[i + 1]));
    if (level.size() % 2 != 0) next.push_back(level.back());
    levels_.push_back(std::move(level));
    level = std::move(next);
  }
  levels_.push_back(std::move(level));
}

std::vector<digest> merkle_tree::path(std::size_t index) const {
  std::vector<digest> siblings;
  for (const auto& level : levels_) {
    const auto sibling = index ^ 1;
    if (sibling < level.size()) siblings.push_back(level[sibling]);
    index /= 2;
  }
  return siblings;
}

std::size_t merkle_path_length(std::uint32_t count, std::uint32_t index) noexcept {
  std::size_t length = 0;
  for (std::uint32_t last = count - 1; last > 0; last /= 2, index /= 2)
    if (index % 2 == 1 || index < last) ++length; // else it is promoted: no sibling at this level
  return length;
}

digest merkle_root_of(const digest& leaf, std::uint32_t count, std::uint32_t index,
                      std::span<const digest> path) noexcept {
  digest node = leaf;
  for (std::uint32_t last = count - 1; last > 0; last /= 2, index /= 2) {
    if (index % 2 == 0 && index == last) continue;
    node = index % 2 == 1 ? merkle_node(path.front(), node) : merkle_node(node, path.front());
    path = path.subspan(1);
  }
  return node;
}

} // namespace hanse::internal
