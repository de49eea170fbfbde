// The Merkle tree of a batch: leaves, root and inclusion paths of RFC 6962 section 2.1, with BLAKE2b-256.
// Not signed (signature.cpp). Built level by level; promoting an odd last node gives the same tree as the RFC's split.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/crypto/signature.hpp"

namespace hanse::internal {

digest merkle_leaf(const batch_salt& salt, const digest& message_hash) noexcept;
digest merkle_node(const digest& left, const digest& right) noexcept;

class merkle_tree {
public:
  /// Precondition: salts and hashes are as many, and at least one.
  merkle_tree(std::span<const digest> message_hashes, std::span<const batch_salt> salts);

  const digest& root() const noexcept { return levels_.back().front(); }

  /// From the leaf's sibling upwards. Precondition: index is below the number of leaves.
  std::vector<digest> path(std::size_t index) const;

private:
  std::vector<std::vector<digest>> levels_; ///< the leaves first, the root last
};

/// How many siblings the path of leaf `index` of `count` has. Precondition: index < count.
std::size_t merkle_path_length(std::uint32_t count, std::uint32_t index) noexcept;

/// The root that `leaf` at `index` of `count` gives with `path`. Precondition: the path has the length above.
digest merkle_root_of(const digest& leaf, std::uint32_t count, std::uint32_t index,
                      std::span<const digest> path) noexcept;

} // namespace hanse::internal
