// spool://DIRECTORY: messages between nodes that share no network, only files that somebody carries. Bundles: one
// signed payload (protocols/message_batch.hpp), wrapped and signed by the sending node, sealed to the receiving node,
// in a file of its own whose name says for whom and until when. Not file I/O (the host's), not who carries files, not
// signatures of the messages inside, which stay as they are. Design section 6. Layout: docs/transports.md "Bundles".
//
// Time: a message lives an hour at most, a bundle up to thirty days. So the messages in a bundle are judged by the
// bundle: it has an expiry of its own under the sender's signature, and the life of each message begins when its bundle
// is taken. At most once: the receiver makes the bundle's digest durable before it hands the messages on, and keeps it
// until the bundle has expired; the router's window, which knows the last hour only, is not asked about them.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/crypto/keys.hpp"
#include "hanse/protocols/durable.hpp"
#include "hanse/protocols/envelope.hpp"

#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

namespace hanse {

/// In the advert of a node that takes bundles from a directory; nothing is sent by this protocol.
inline constexpr std::string_view spool_protocol_name = "hanse.spool";
inline constexpr std::size_t bundle_payload_max = 960 * 1024; ///< octets: what fits a sealed box with the wrapping
inline constexpr std::size_t bundle_size_max = 1024 * 1024;   ///< octets of a file
inline constexpr std::size_t bundle_adverts_max = 64;         ///< adverts in one bundle
inline constexpr std::size_t bundle_adverts_octets_max = 16 * 1024; ///< of all of them; a guess: the answer's way
inline constexpr time_ms bundle_life_max_ms = 30ull * 86'400'000;   ///< thirty days; a guess at a slow courier's round
inline constexpr time_ms bundle_life_default_ms = 7ull * 86'400'000;
inline constexpr std::size_t bundles_seen_max = 65'536; ///< digests remembered; the table full, none is taken
inline constexpr std::size_t bundles_open_max = 64;     ///< taken and not yet handled
inline constexpr std::size_t spool_files_max = 65'536;  ///< names looked at in one scan

/// What a file's name says: "<recipient>.<expiry, 11 hex digits>.<BLAKE2b-256 of the file, 64 hex digits>.bundle". Not
/// signed: it serves to sort out and to clear away without a key.
struct bundle_name {
  identity recipient;
  time_ms expires_ms = 0;
  digest file;
  friend bool operator==(const bundle_name&, const bundle_name&) = default;
};

std::string to_string(const bundle_name& name);
/// Errors: `bad_value`, and those of identity::parse.
expected<bundle_name> parse_bundle_name(std::string_view text);

/// A file to be written: under another name first, synced, then renamed, so that nobody ever reads half of it.
struct bundle_file {
  bundle_name name;
  bytes octets;
};

/// What a bundle says once it is open.
struct bundle {
  identity sender; ///< a node; it signed the bundle
  identity recipient;
  time_ms created_ms = 0;
  time_ms expires_ms = 0;
  bytes payload;              ///< for read_payload
  std::vector<bytes> adverts; ///< signed ones, of the sender: what the recipient needs to judge and answer it
  digest id;                  ///< of all of the above
};

/// Wraps, signs and seals. Errors: `too_long` (bundle_payload_max, bundle_adverts_max, bundle_adverts_octets_max),
/// `bad_value` (empty, `life_ms` 0 or over its maximum), `bad_type` and `weak_key` (recipient).
expected<bundle_file> make_bundle(const key_pair& sender, const identity& recipient, byte_view payload, time_ms now,
                                  time_ms life_ms, random_source& random, const std::vector<bytes>& adverts = {});

/// Opens and verifies a file's octets. Errors: `too_long`, `truncated`, `bad_version`, `decryption_failed` (not for us,
/// or altered), those of msgpack_reader, `wrong_recipient` (signed for another one), `bad_signature`, `bad_value`
/// (times).
expected<bundle> open_bundle(const key_pair& recipient, byte_view octets);

// --- import ---

struct spool_read { ///< read the file and say what it holds with `content`, or give it up with `unreadable`
  std::string name;
};
struct spool_persist { ///< durable, all in one commit; then `persisted`
  std::string name;
  std::vector<key_value_write> writes;
};
struct spool_deliver { ///< verify and hand on the payload, then `handled`
  std::string name;
  hanse::bundle content;
};
struct spool_remove { ///< the file is done with
  std::string name;
};
struct spool_refused { ///< to be counted; the file stays if it may be of use to somebody, else it is removed, too
  std::string name;
  error why;
};
using spool_effect = std::variant<spool_read, spool_persist, spool_deliver, spool_remove, spool_refused>;

/// What comes in. One per node and directory. Others' bundles are left alone. Not thread-safe.
class spool_inbox {
public:
  explicit spool_inbox(key_pair self) : self_(std::move(self)) {}

  /// A record that `spool_persist` wrote in an earlier life. Errors: `bad_value`, those of msgpack_reader.
  expected<unit> restore(byte_view key, byte_view value);

  /// The names in the directory now, in any order; at most spool_files_max are looked at.
  void scanned(const std::vector<std::string>& names, time_ms now, std::vector<spool_effect>& out);
  void content(const std::string& name, byte_view octets, time_ms now, std::vector<spool_effect>& out);
  void unreadable(const std::string& name) { open_.erase(name); }
  void persisted(const std::string& name, time_ms now, std::vector<spool_effect>& out);
  /// The messages were handed on, or refused for good: the file goes. A crash before loses them: at most once.
  void handled(const std::string& name, std::vector<spool_effect>& out);

  /// Forgets digests of bundles that have expired; their records are erased.
  void tick(time_ms now, std::vector<spool_effect>& out);
  std::optional<time_ms> next_timer() const;

  std::size_t seen() const noexcept { return seen_.size(); }

private:
  void refuse(const std::string& name, error why, bool useless, std::vector<spool_effect>& out);

  key_pair self_;
  std::map<std::string, std::optional<bundle>> open_; // being read (none), or being persisted and delivered
  std::map<digest, time_ms> seen_;                    // until when
  std::set<std::pair<time_ms, digest>> by_expiry_;
};

// --- export ---

struct spool_quota {
  std::size_t files_max = 4'096; ///< of ours in the directory
  std::size_t octets_max = 256 * 1024 * 1024;
  std::size_t files_per_recipient_max = 512;
};

/// What goes out: whether one more bundle may be written, and which of our files have expired. The directory itself is
/// the state: `scanned` says what is left of ours, whoever took the rest away.
class spool_outbox {
public:
  explicit spool_outbox(spool_quota quota = {}) : quota_(quota) {}

  /// Our file is in the directory, from `wrote` on or found there at start.
  void wrote(const bundle_name& name, std::size_t size);
  /// The names in the directory. Returns those of ours that have expired: remove them.
  std::vector<std::string> scanned(const std::vector<std::string>& names, time_ms now);
  /// Errors: `queue_full` (which quota).
  expected<unit> admits(const identity& recipient, std::size_t size) const;

  std::size_t files() const noexcept { return sizes_.size(); }
  std::size_t octets() const noexcept { return octets_; }

private:
  void forget(std::map<std::string, std::size_t>::iterator which);

  spool_quota quota_;
  std::map<std::string, std::size_t> sizes_; // by name
  std::map<identity, std::size_t> per_recipient_;
  std::size_t octets_ = 0;
};

} // namespace hanse
