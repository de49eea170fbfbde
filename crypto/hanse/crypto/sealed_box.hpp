// Sealed boxes: octets that one identity alone can open, from nobody in particular. HPKE base mode, single shot:
// RFC 9180 with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305.
// Not signed: whoever knows the identity can seal. Not forward secret: who gets the key later opens old boxes.
#pragma once

#include "hanse/crypto/keys.hpp"

namespace hanse {

inline constexpr std::size_t sealed_box_overhead = 48;           ///< octets: X25519 key 32, authentication tag 16
inline constexpr std::size_t sealed_box_size_max = 1024 * 1024;  ///< octets of a box; a frame has no room for more
inline constexpr std::size_t sealed_box_context_max = 64 * 1024; ///< octets of `info`, and of `aad`; a guess

/// Seals `plaintext` for `recipient`; opening it takes the same `info` (what the box is for) and `aad` (what it goes
/// with). The Ed25519 key is converted to X25519. Result: ephemeral key, then ciphertext, then tag.
/// Errors: `bad_type` (not an individual), `weak_key`, `too_long`.
expected<bytes> seal(const identity& recipient, byte_view info, byte_view aad, byte_view plaintext,
                     random_source& random);

/// Opens a box that was sealed for the identity of `recipient`. Errors: `truncated`, `too_long`, `decryption_failed`.
expected<bytes> open(const key_pair& recipient, byte_view info, byte_view aad, byte_view box);

} // namespace hanse
