// What a block has in its causal past, per lane (a chain of one creator): a persistent radix tree of counts.
// Not a vector clock of nodes: an equivocator has a lane for each branch. Blocks share what they have in common, so a
// block costs a path of the tree and not a number per member. Not thread-safe: counts of references are plain.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

namespace hanse {

/// Immutable; copying shares. Lanes that were never set count 0.
class lane_clock {
public:
  lane_clock() = default;
  lane_clock(const lane_clock& other) noexcept : root_(other.root_), depth_(other.depth_) { retain(root_, depth_); }
  lane_clock(lane_clock&& other) noexcept : root_(std::exchange(other.root_, nullptr)), depth_(other.depth_) {}
  lane_clock& operator=(lane_clock other) noexcept {
    std::swap(root_, other.root_);
    std::swap(depth_, other.depth_);
    return *this;
  }
  ~lane_clock() { release(root_, depth_); }

  std::uint32_t get(std::uint32_t lane) const noexcept;

  /// The same but for `lane`.
  lane_clock with(std::uint32_t lane, std::uint32_t count) const;

  /// The larger count of each lane.
  static lane_clock merge(const lane_clock& a, const lane_clock& b);

  /// Octets of the tree's nodes that exist, over all clocks.
  static std::size_t allocated() noexcept;

private:
  static constexpr unsigned bits = 4, width = 1U << bits;
  struct node {
    std::uint32_t references = 1;
  };
  struct leaf : node {
    std::array<std::uint32_t, width> counts{};
  };
  struct inner : node {
    std::array<node*, width> children{};
  };

  lane_clock(node* root, unsigned depth) noexcept : root_(root), depth_(depth) {}
  static void retain(node* n, unsigned) noexcept {
    if (n) ++n->references;
  }
  static void release(node* n, unsigned depth) noexcept;
  static node* set(const node* n, unsigned depth, std::uint32_t lane, std::uint32_t count);
  static node* merge(node* a, node* b, unsigned depth);
  lane_clock deepened(unsigned depth) const;

  node* root_ = nullptr; ///< null: all 0
  unsigned depth_ = 0;   ///< inner levels above the leaves
};

} // namespace hanse
