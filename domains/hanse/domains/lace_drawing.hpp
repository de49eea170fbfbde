// What a picture of a domain's blocklace needs: blocks with who, when, what and after which. Not the picture: apps
// draw.
#pragma once

#include "hanse/domains/domain_lattice.hpp"

namespace hanse {

struct drawn_creator {
  identity id;
  member_level level = level_none; ///< now
  bool is_byzantine = false;
};

struct drawn_block {
  block_id id;
  std::uint32_t creator = 0; ///< in `creators`
  std::uint64_t seq = 0;
  std::uint32_t height = 0;
  std::vector<std::uint32_t> preds; ///< in `blocks`; those that are left out are not here
  bool is_equivocation = false;     ///< another block of its creator has the same seq
  bool is_acknowledged = false;
  map_op_kind kind = map_op_kind::none; ///< none: its payload was dropped
  std::string text;                     ///< what it says, for people; at most 200 octets
};

struct lace_drawing {
  std::vector<drawn_creator> creators; ///< in order of their first block
  std::vector<drawn_block> blocks;     ///< in order of acceptance: preds come first
  std::size_t left_out = 0;            ///< older blocks than `blocks_max` newest
};

/// The newest `blocks_max` accepted blocks.
lace_drawing draw(const domain_lattice& lattice, std::size_t blocks_max);

std::string_view to_string(map_op_kind k) noexcept;

} // namespace hanse
