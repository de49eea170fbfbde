// Private keys at rest: PKCS#8 PEM, encrypted by PBES2 (scrypt, AES-256-CBC) or plain, with the identity on top.
// Not keys in memory (keys.hpp) and not a reader of other programs' PEM files. RFC 5958, 7468, 7914, 8018, 8410.
//
// The file is exactly this text, and anything else is refused:
//
//   Hanse-Identity: hk1…
//   -----BEGIN ENCRYPTED PRIVATE KEY-----      or BEGIN PRIVATE KEY
//   base64 of the DER, 64 characters a line
//   -----END ENCRYPTED PRIVATE KEY-----
//
// The identity line is explanatory text by RFC 7468; it also detects damage, as neither form authenticates its content:
// the key that is read must have this identity. Every flipped bit is refused.
// The form is standard, but N = 2^15 needs a little over 32 MiB, at which OpenSSL's own PEM functions stop by default.
#pragma once

#include "hanse/crypto/keys.hpp"
#include "hanse/crypto/secret_bytes.hpp"

#include <filesystem>
#include <functional>
#include <optional>

namespace hanse {

inline constexpr std::size_t key_file_size_max = 16 * 1024; ///< octets; a key file has about 500
inline constexpr std::size_t passphrase_size_max = 1024;    ///< octets; a guess: over any that a person types

/// Asked for the passphrase when a file turns out to be encrypted; its error is handed on.
using passphrase_source = std::function<expected<secret_bytes>()>;

/// Writes `key` to a new file of mode 0600, complete or not at all: a temporary file beside it is synced and linked.
/// Without a passphrase the key is not encrypted. Blocks about 100 ms and takes 32 MiB for scrypt.
/// Errors: `already_exists` (never overwrites), `bad_value` (passphrase empty or too long), `io_error`.
expected<unit> write_key_file(const std::filesystem::path& path, const key_pair& key,
                              std::optional<byte_view> passphrase, random_source& random);

/// Reads a key file. `passphrase` may be empty: an encrypted file is then `wrong_passphrase`.
/// Errors: `not_found`, `bad_permissions` (group or others have any access), `too_long`, `bad_value` (no regular file,
/// or scrypt cost over 2^20), `bad_checksum` (damaged text), `trailing_bytes`, `bad_type` (not an Ed25519 key, or other
/// encryption than ours), `wrong_passphrase` (or damaged within what is encrypted), `io_error`.
expected<key_pair> load_key_file(const std::filesystem::path& path, const passphrase_source& passphrase = {});

} // namespace hanse
