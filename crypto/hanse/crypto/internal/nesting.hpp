// Walks the nested groups below a composite identity, once, within the limits of composite.hpp.
// Not a validator of one descriptor (make_composite, decode_composite).
#pragma once

#include "hanse/crypto/composite.hpp"

#include <set>

namespace hanse::internal {

/// What a walk from a root found.
struct nesting_result {
  bool reached = false;            ///< the signers reach the root's threshold
  bool complete = true;            ///< every group on the way was in the table
  std::set<identity> groups;       ///< the groups in the table with a signer below them
  std::set<identity> signers_seen; ///< the signers that are a member somewhere
};

/// Walks from `root`; `signers` is sorted ascending. A group that is not in the table counts as one leaf and as not
/// reached. The work is bounded by depth x leaves, whatever the table holds.
/// Errors: `too_deep`, `too_long` (leaves).
expected<nesting_result> walk_nesting(const identity& root, const composite_table& table,
                                      std::span<const identity> signers);

/// As `decode_composite`, without the full check of individual keys: for signatures, which check keys by using them.
/// Errors: those of `decode_composite` but `weak_key`.
expected<composite_descriptor> decode_composite_unchecked(byte_view wire);

} // namespace hanse::internal
