// Pre-shared keys of a domain: the secrets that let a node join it, in a text file, several while one is replaced.
// Not the proof of knowing one (join_proof.hpp) and not a password scheme: keys are made by `hanse domain psk`, and
// tries to guess one are few (join_introducer.hpp).
//
// The file is text, one key a line, the newest first; a line that begins with "#" is a comment:
//
//   3f0c…                                  what joins and is accepted
//   91ab… until 1700000000000              accepted until then (milliseconds since 1970): the key before
#pragma once

#include "hanse/crypto/mac.hpp"
#include "hanse/crypto/random.hpp"
#include "hanse/protocols/envelope.hpp"

#include <filesystem>

namespace hanse {

inline constexpr std::size_t psk_length_min = 16;      ///< characters; a guess: 64 bits as hexadecimal digits
inline constexpr std::size_t psk_length_max = 256;     ///< characters; a guess
inline constexpr std::size_t psk_count_max = 8;        ///< keys at once; a guess: rotations overlap, not pile up
inline constexpr std::size_t psk_file_size_max = 8192; ///< octets

/// One key.
struct pre_shared_key {
  secret_bytes text;                  ///< psk_length_min to psk_length_max characters from '!' to '~'
  std::optional<time_ms> valid_until; ///< empty: for ever

  bool valid_at(time_ms now) const noexcept { return !valid_until || now < *valid_until; }
  /// The key of the proofs.
  mac_key key() const { return mac_key::derive("hanse-psk-v1", text); }
};

/// The keys, the newest (which a newcomer uses) first.
using psk_list = std::vector<pre_shared_key>;

/// A fresh key of 64 hexadecimal digits, valid for ever.
pre_shared_key make_psk(random_source& random);

/// `keys` after one rotation: `fresh` first, the others valid until `until` at the latest; those no longer valid at
/// `now` are left out. Error: `table_full` (more than psk_count_max).
expected<psk_list> rotate(const psk_list& keys, pre_shared_key fresh, time_ms now, time_ms until);

/// Reads the text of a file. Errors: `too_long`, `bad_value` (the detail names the line, never the key): no key, more
/// than psk_count_max, too short, too long, another character, twice the same, a malformed "until".
expected<psk_list> parse_psk_text(byte_view text);

/// The text of a file. Precondition: what parse_psk_text asks for.
secret_bytes to_psk_text(const psk_list& keys);

/// Reads a key file. Errors: those of read_private_file (`bad_permissions` if others can read it) and parse_psk_text.
expected<psk_list> load_psk_file(const std::filesystem::path& file);

} // namespace hanse
