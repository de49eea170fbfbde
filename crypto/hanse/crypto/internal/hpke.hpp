// HPKE base mode on raw X25519 keys (RFC 9180), below sealed_box.hpp. Names follow the RFC.
// Not installed; here so that the RFC's vectors can be checked step by step.
#pragma once

#include "hanse/crypto/secret_bytes.hpp"

namespace hanse::internal {

using x25519_key = std::span<const std::byte, 32>;

/// What both sides derive.
struct hpke_context {
  secret_bytes shared_secret;        ///< of the KEM, 32 octets
  secret_bytes key;                  ///< ChaCha20-Poly1305, 32 octets
  std::array<std::byte, 12> nonce{}; ///< base_nonce, which is the nonce of the first and only message
  std::array<std::byte, 32> enc{};   ///< the sender's ephemeral public key
};

/// The X25519 public key of `secret`. Error: `internal`.
expected<std::array<std::byte, 32>> x25519_public(x25519_key secret);

/// SetupBaseS with the given ephemeral secret. Errors: `weak_key` (the shared point is zero), `internal`.
expected<hpke_context> hpke_setup_sender(x25519_key recipient_public, byte_view info, x25519_key ephemeral_secret);

/// SetupBaseR. Errors: `weak_key` (the shared point is zero), `internal`.
expected<hpke_context> hpke_setup_recipient(x25519_key enc, x25519_key recipient_secret, byte_view info);

/// Ciphertext and tag of the first message. Error: `internal`.
expected<bytes> hpke_seal(const hpke_context& context, byte_view aad, byte_view plaintext);

/// Errors: `truncated`, `decryption_failed`, `internal`.
expected<bytes> hpke_open(const hpke_context& context, byte_view aad, byte_view ciphertext);

} // namespace hanse::internal
