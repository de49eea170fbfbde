// Bech32m text (BIP-350): a prefix, "1", 5-bit groups, and a 6-character BCH checksum. For identities and tickets.
// Not Bech32 of BIP-173 (another checksum constant) and not a meaning for the groups.
//
// The checksum finds every error of up to 4 characters in a text of up to 90 (BIP-173). In a longer one it finds every
// error within one character, and up to about 1000 characters every error of two; otherwise it is a 30-bit checksum.
// What must not be forged in a long text needs a signature or a hash of its own.
#pragma once

#include "hanse/crypto/bytes.hpp"

namespace hanse {

inline constexpr std::size_t bech32m_length_max = 90;        ///< characters, BIP-173; what identities use
inline constexpr std::size_t bech32m_length_max_long = 8192; ///< characters, for tickets; a guess: well over any ticket

/// A decoded text: the prefix in lower case, and the groups (each 0..31) without the checksum.
struct bech32m_text {
  std::string prefix;
  std::vector<std::uint8_t> groups;
};

/// `prefix1groups…checksum` in lower case. Preconditions: prefix of 1..83 lower-case characters from '!' to '~',
/// every group below 32. The length is the caller's to bound.
std::string encode_bech32m(std::string_view prefix, std::span<const std::uint8_t> groups);

/// Reads a text that is all lower or all upper case, of at most `length_max` characters.
/// Errors: `too_long`, `bad_value` (character, mixed case, no separator, empty prefix, too short), `bad_checksum`.
expected<bech32m_text> decode_bech32m(std::string_view text, std::size_t length_max = bech32m_length_max);

/// `data` in groups of 5 bits, most significant first, the last one filled up with zero bits.
std::vector<std::uint8_t> to_groups(byte_view data);

/// The octets of `groups`. Errors: `bad_value` for a group over 31, `not_canonical` for a needless last group or one
/// that is not filled up with zeros.
expected<bytes> from_groups(std::span<const std::uint8_t> groups);

} // namespace hanse
