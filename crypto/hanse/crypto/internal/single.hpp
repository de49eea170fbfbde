// What a single signature signs, shared by individual signatures and the parts of composite ones.
// Not a signature by itself.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/crypto/identity.hpp"

namespace hanse::internal {

/// Context (16 octets), signer (33), message hash (32).
using single_statement = std::array<std::byte, 16 + identity::size_bytes + digest::size_bytes>;

single_statement statement_of(const identity& signer, const digest& message_hash) noexcept;

} // namespace hanse::internal
