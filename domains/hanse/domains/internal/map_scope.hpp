// A set of blocks over which the membership map is evaluated. Not installed; private to membership_map*.cpp.
#pragma once

#include "hanse/domains/membership_map.hpp"

namespace hanse {

/// The past of a block without the block, the same with it, or what was applied.
struct membership_map::scope {
  const lace_graph& g;
  const std::vector<record>& records;
  block_index past_of = no_block; ///< no_block: what was applied
  bool inclusive = false;
  std::set<block_index> standing; ///< the potent Revokes that stand here

  bool has(block_index b) const noexcept {
    if (past_of == no_block) return records[b].applied;
    return (inclusive || b != past_of) && g.in_past(b, past_of);
  }
};

/// Whether the Revoke could void a placed block with `wanted(index)`: looks at what its target wrote beside it.
template <class F>
bool membership_map::voids_one(const lace_graph& g, block_index revoke, F&& wanted) const {
  const auto target = g.find_creator(std::get<identity>(keys_[records_[revoke].key].key));
  if (!target) return false;
  for (const auto l : g.lanes_of(*target)) {
    const auto& chain = g.lane(l);
    for (std::size_t i = g[revoke].past.get(l); i < chain.size() && !g.in_past(revoke, chain[i]); ++i)
      if (wanted(chain[i]) && could_void(g, revoke, chain[i])) return true;
  }
  return false;
}

} // namespace hanse
