// The text of a key file, without the file: key_file.hpp says what it looks like.
// Not installed; here so that tests can try every flipped bit at a low scrypt cost.
#pragma once

#include "hanse/crypto/key_file.hpp"

namespace hanse::internal {

/// N = 2^15: the floor of design section 4, 32 MiB and about 100 ms.
inline constexpr unsigned key_file_scrypt_log2_n = 15;

/// The highest cost that is read, 1 GiB: so that a file cannot ask for all memory.
inline constexpr unsigned key_file_scrypt_log2_n_max = 20;

/// Error: `bad_value` (passphrase length), `internal` (the library failed, e.g. out of memory).
expected<secret_bytes> render_key_text(const key_pair& key, std::optional<byte_view> passphrase, unsigned log2_n,
                                       random_source& random);

/// Errors: those of `load_key_file` about the content.
expected<key_pair> parse_key_text(byte_view text, const passphrase_source& passphrase);

} // namespace hanse::internal
