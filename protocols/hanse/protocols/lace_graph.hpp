// The graph of blocks whose whole past is here: who precedes whom, and whom each block's past proves Byzantine.
// Not acceptance (blocklace.hpp) and not signatures: blocks come in verified. Everything it says of a block is a
// function of the block's causal past; only the flags `accepted` and `acknowledged` are set by the blocklace.
// Source: Almeida & Shapiro, arXiv 2402.08068. No recursion: a chain may be as long as memory.
//
// A lane is a chain of one creator's blocks; a fork begins another lane. The past of a block is a prefix of every lane,
// so one count per lane (lane_clock) answers "is x in the past of y" in the depth of a small tree.
#pragma once

#include "hanse/protocols/block.hpp"
#include "hanse/protocols/block_rules.hpp"
#include "hanse/protocols/lane_clock.hpp"

#include <unordered_map>

namespace hanse {

using creator_index = std::uint32_t;

/// Creators, ascending; null: none.
using byzantine_set = std::shared_ptr<const std::vector<creator_index>>;

/// A block in the graph.
struct placed_block {
  block_id id;
  shared_bytes wire;
  std::vector<block_index> preds; ///< without self_prev
  block_index self_prev = no_block;
  creator_index creator = 0;
  std::uint64_t seq = 0;
  std::uint32_t height = 0; ///< 1 + the largest of its preds and self_prev
  std::uint32_t lane = 0;
  std::uint32_t place = 0;    ///< 1, 2, … in its lane
  std::uint32_t children = 0; ///< placed blocks that point here
  std::uint32_t payload_at = 0, payload_size = 0;
  std::uint64_t stored_at = 0; ///< set by the blocklace: its place in the order of acceptance
  bool here = false;           ///< false: a free slot
  bool bare = false;
  bool bad = false;          ///< ill-formed or invalid in its own past
  bool accepted = false;     ///< by the blocklace
  bool acknowledged = false; ///< in the past of a block whose creator is not known to be Byzantine
  lane_clock past;           ///< itself included
  byzantine_set byzantine;   ///< whom its past, itself included, proves Byzantine
};

/// The graph.
class lace_graph {
public:
  lace_graph(const identity& domain, block_rules& rules) : domain_(domain), rules_(rules) {}

  const identity& domain() const noexcept { return domain_; }

  /// Adds a block all of whose pointers are placed, and judges it. Precondition: not placed yet, of this domain.
  /// no_block if its creator was never authorised.
  block_index place(const block& b);

  /// Takes out a block that nothing points at and that is not accepted.
  void remove(block_index b);

  block_index find(const block_id& id) const noexcept;
  const placed_block& operator[](block_index b) const noexcept { return blocks_[b]; }
  placed_block& at(block_index b) noexcept { return blocks_[b]; }
  std::size_t slots() const noexcept { return blocks_.size(); } ///< indexes are below
  std::size_t size() const noexcept { return by_id_.size(); }

  byte_view payload(block_index b) const noexcept {
    return blocks_[b].wire.view().subspan(blocks_[b].payload_at, blocks_[b].payload_size);
  }
  const identity& creator(block_index b) const noexcept { return creators_[blocks_[b].creator].id; }
  const identity& creator_id(creator_index c) const noexcept { return creators_[c].id; }
  std::optional<creator_index> find_creator(const identity& id) const noexcept;
  std::size_t creators() const noexcept { return creators_.size(); }

  /// The lanes of a creator.
  const std::vector<std::uint32_t>& lanes_of(creator_index c) const noexcept { return creators_[c].lanes; }
  /// The blocks of a lane, from its first; not what it forked from.
  const std::vector<block_index>& lane(std::uint32_t l) const noexcept { return lanes_[l]; }

  /// Whether x is y or in its causal past.
  bool in_past(block_index x, block_index y) const noexcept {
    return blocks_[y].past.get(blocks_[x].lane) >= blocks_[x].place;
  }
  bool concurrent(block_index x, block_index y) const noexcept { return !in_past(x, y) && !in_past(y, x); }

  /// Whether the past of `b`, itself included, proves that `c` is Byzantine.
  bool proves(block_index b, creator_index c) const noexcept;

  /// A placed block of the same creator and seq as `b`, with `wanted(index)`; no_block if there is none.
  template <class F>
  block_index twin(block_index b, F&& wanted) const {
    const auto& lanes = creators_[blocks_[b].creator].lanes;
    if (lanes.size() < 2) return no_block;
    for (const auto l : lanes)
      if (const auto t = at_seq(l, blocks_[b].seq); t != no_block && t != b && wanted(t)) return t;
    return no_block;
  }

  /// Drops the payload of a block.
  void strip(block_index b);

  /// Octets that the graph holds, roughly.
  std::size_t memory() const noexcept;

private:
  struct creator_entry {
    identity id;
    std::vector<std::uint32_t> lanes;
  };

  block_index at_seq(std::uint32_t lane, std::uint64_t seq) const noexcept;
  block_index new_slot();
  creator_index intern(const identity& id);
  void join_lane(placed_block& b);
  void unlink(block_index b);
  bool is_ill_formed(const placed_block& b) const;
  bool is_exempt(const placed_block& b, block_index pred) const;
  void merge_pasts(placed_block& b);
  void find_byzantine(placed_block& b);
  bool shows_fork(const lane_clock& past, creator_index c) const;

  identity domain_;
  block_rules& rules_;
  std::vector<placed_block> blocks_;
  std::vector<block_index> free_;
  std::unordered_map<block_id, block_index> by_id_;
  std::vector<creator_entry> creators_;
  std::unordered_map<identity, creator_index> creator_by_id_;
  std::vector<std::vector<block_index>> lanes_;
  std::vector<std::uint32_t> free_lanes_;
  std::vector<creator_index> forked_; ///< creators with several lanes, ascending
};

} // namespace hanse
