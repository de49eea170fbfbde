// The fixed strings that keep signatures and hashes of different meaning apart, 16 octets each.
// Not secret; changing one changes every signature.
#pragma once

#include <string_view>

namespace hanse::internal {

inline constexpr std::string_view single_context{"hanse-single-v1\0", 16}; ///< begins what a single signature signs
inline constexpr std::string_view batch_context{"hanse-batch-v1\0\0", 16}; ///< begins what a batch signature signs
inline constexpr std::string_view leaf_context{"hanse-leaf-v1\0\0\0", 16}; ///< in every leaf of a batch

} // namespace hanse::internal
