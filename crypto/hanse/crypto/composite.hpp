// Composite identities: k-of-n groups, weighted and nested, addressed by the hash of a canonical descriptor.
// Not their signatures (signature.hpp) and not delivery to them (protocols/routing.hpp). Design section 4.
//
// Descriptor octets: "hanse-group-v1" | threshold u32 BE | count u16 BE | count x (identity 33 | weight u32 BE),
// members strictly ascending by wire form, weights 1..2^16, threshold 1..sum of weights, count 1..64.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/crypto/identity.hpp"

#include <map>

namespace hanse {

inline constexpr std::size_t composite_depth_max = 16;  ///< groups on a path from the root to a leaf (design section 4)
inline constexpr std::size_t composite_leaves_max = 64; ///< individual members over all levels, counted per occurrence
inline constexpr std::uint32_t composite_weight_max = 65536; ///< a guess: large enough for any vote, sums fit 32 bits

struct composite_member {
  identity member;
  std::uint32_t weight = 1;
  friend auto operator<=>(const composite_member&, const composite_member&) = default;
};

/// A group: members whose weights sum to `threshold` or more act for it.
struct composite_descriptor {
  std::uint32_t threshold = 0;
  std::vector<composite_member> members; ///< strictly ascending by member

  friend bool operator==(const composite_descriptor&, const composite_descriptor&) = default;
};

/// A valid descriptor, members sorted. Errors: `bad_value` (threshold, weight, duplicate), `too_long` (members).
expected<composite_descriptor> make_composite(std::uint32_t threshold, std::vector<composite_member> members);

bytes encode(const composite_descriptor& group);

/// Errors: `truncated`, `trailing_bytes`, `bad_version`, `bad_value`, `too_long`, `not_canonical`, `weak_key`.
expected<composite_descriptor> decode_composite(byte_view wire);

/// The group's address: the hash of its octets.
identity identity_of(const composite_descriptor& group);

/// What the descriptors say about delivery (design section 4).
enum class delivery { unicast, anycast, multicast, quorumcast };

/// one member -> unicast; a threshold any single member reaches -> anycast; all needed -> multicast; else quorumcast.
delivery delivery_of(const composite_descriptor& group) noexcept;

/// Descriptors by identity; the nesting is resolved through it.
using composite_table = std::map<identity, composite_descriptor>;

/// Checks that every group reachable from `root` is in `table`, acyclic, and within depth and leaves.
/// Errors: `not_found`, `too_deep`, `too_long`.
expected<unit> check_nesting(const identity& root, const composite_table& table);

/// Whether the individual identities in `signers` reach the threshold of `root`, recursively. A group that is not in
/// the table is not reached; false when depth or leaves are over their limits. An individual root is reached by itself.
bool reaches_threshold(const identity& root, const composite_table& table, std::span<const identity> signers);

} // namespace hanse
