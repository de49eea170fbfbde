// DER of an Ed25519 PKCS#8 private key (RFC 8410), and its PBES2 encryption (RFC 8018, scrypt of RFC 7914).
// Not a DER parser: both forms have fields of fixed size only, so one is read by writing it again and comparing.
#pragma once

#include "hanse/crypto/secret_bytes.hpp"

#include <optional>

namespace hanse::internal {

inline constexpr std::size_t pkcs8_size = 48;           ///< octets of the plain DER
inline constexpr std::size_t pkcs8_encrypted_size = 64; ///< the same after CBC padding

/// What is beside the constants in an EncryptedPrivateKeyInfo of ours. scrypt has r = 8 and p = 1.
struct encrypted_pkcs8 {
  std::array<std::byte, 16> salt{};
  unsigned log2_n = 0;
  std::array<std::byte, 16> iv{};
  std::array<std::byte, pkcs8_encrypted_size> ciphertext{};
};

secret_bytes encode_pkcs8(std::span<const std::byte, 32> seed);

/// The seed. Error: `bad_type`.
expected<secret_bytes> decode_pkcs8(byte_view der);

bytes encode_encrypted_pkcs8(const encrypted_pkcs8& fields);

/// Errors: `bad_type` (anything but what the encoder writes), `bad_value` (scrypt cost too high).
expected<encrypted_pkcs8> decode_encrypted_pkcs8(byte_view der);

/// Fills in the ciphertext of `plain` under the salt, cost and IV that are set. Error: `internal`.
expected<unit> encrypt_pkcs8(encrypted_pkcs8& fields, byte_view plain, byte_view passphrase);

/// What was encrypted. Errors: `wrong_passphrase`, `internal`.
expected<secret_bytes> decrypt_pkcs8(const encrypted_pkcs8& fields, byte_view passphrase);

} // namespace hanse::internal
