// The radix tree of lane_clock; see the header. Its depth is at most 8 (16^8 lanes), so recursion is bounded by that.
#include "hanse/protocols/lane_clock.hpp"

#include <algorithm>

namespace hanse {

namespace {

std::size_t octets = 0;

} // namespace

std::size_t lane_clock::allocated() noexcept {
  return octets;
}

void lane_clock::release(node* n, unsigned depth) noexcept {
  if (!n || --n->references > 0) return;
  if (depth == 0) {
    octets -= sizeof(leaf);
    delete static_cast<leaf*>(n);
    return;
  }
  auto* i = static_cast<inner*>(n);
  for (auto* child : i->children) release(child, depth - 1);
  octets -= sizeof(inner);
  delete i;
}

std::uint32_t lane_clock::get(std::uint32_t lane) const noexcept {
  if (!root_ || std::uint64_t{lane} >> (bits * (depth_ + 1)) != 0) return 0;
  const node* n = root_;
  for (auto d = depth_; d > 0; --d) {
    n = static_cast<const inner*>(n)->children[lane >> (bits * d) & (width - 1)];
    if (!n) return 0;
  }
  return static_cast<const leaf*>(n)->counts[lane & (width - 1)];
}

lane_clock::node* lane_clock::set(const node* n, unsigned depth, std::uint32_t lane, std::uint32_t count) {
  if (depth == 0) {
    auto* copy = n ? new leaf(*static_cast<const leaf*>(n)) : new leaf;
    octets += sizeof(leaf);
    copy->references = 1;
    copy->counts[lane & (width - 1)] = count;
    return copy;
  }
  auto* copy = n ? new inner(*static_cast<const inner*>(n)) : new inner;
  octets += sizeof(inner);
  copy->references = 1;
  const auto at = lane >> (bits * depth) & (width - 1);
  auto* old = copy->children[at];
  for (std::uint32_t i = 0; i < width; ++i)
    if (i != at) retain(copy->children[i], depth - 1);
  copy->children[at] = set(old, depth - 1, lane, count);
  return copy;
}

lane_clock lane_clock::deepened(unsigned depth) const {
  lane_clock c = *this;
  while (c.depth_ < depth) {
    if (c.root_) {
      auto* above = new inner;
      octets += sizeof(inner);
      above->children[0] = std::exchange(c.root_, nullptr);
      c.root_ = above;
    }
    ++c.depth_;
  }
  return c;
}

lane_clock lane_clock::with(std::uint32_t lane, std::uint32_t count) const {
  auto depth = depth_;
  while (std::uint64_t{lane} >> (bits * (depth + 1)) != 0) ++depth;
  if (depth == depth_) return {set(root_, depth, lane, count), depth};
  const auto deep = deepened(depth);
  return {set(deep.root_, depth, lane, count), depth};
}

/// Gives a reference to the result, which is a or b where one of them covers the other.
lane_clock::node* lane_clock::merge(node* a, node* b, unsigned depth) {
  if (a == b || !b) return retain(a, depth), a;
  if (!a) return retain(b, depth), b;
  if (depth == 0) {
    const auto& x = static_cast<leaf*>(a)->counts;
    const auto& y = static_cast<leaf*>(b)->counts;
    leaf out;
    for (unsigned i = 0; i < width; ++i) out.counts[i] = std::max(x[i], y[i]);
    if (out.counts == x) return retain(a, depth), a;
    if (out.counts == y) return retain(b, depth), b;
    octets += sizeof(leaf);
    return new leaf(out);
  }
  const auto& x = static_cast<inner*>(a)->children;
  const auto& y = static_cast<inner*>(b)->children;
  inner out;
  for (unsigned i = 0; i < width; ++i) out.children[i] = merge(x[i], y[i], depth - 1);
  if (out.children == x || out.children == y) {
    auto* same = out.children == x ? a : b;
    for (auto* child : out.children) release(child, depth - 1);
    return retain(same, depth), same;
  }
  octets += sizeof(inner);
  return new inner(out);
}

lane_clock lane_clock::merge(const lane_clock& a, const lane_clock& b) {
  const auto depth = std::max(a.depth_, b.depth_);
  if (a.depth_ == b.depth_) return {merge(a.root_, b.root_, depth), depth};
  const auto x = a.deepened(depth);
  const auto y = b.deepened(depth);
  return {merge(x.root_, y.root_, depth), depth};
}

} // namespace hanse
