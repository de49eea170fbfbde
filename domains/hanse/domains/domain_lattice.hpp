// One domain's shared state at one node: blocklace, membership map and their exchange with the other members, in one
// machine. Start here. Not the join (who may ask for an Add), not the DomainAdvert's format, not topics. Sans-IO.
// Design section 8; docs/blocklace.md.
#pragma once

#include "hanse/domains/eris.hpp"
#include "hanse/domains/membership_map.hpp"
#include "hanse/protocols/lace_sync.hpp"

namespace hanse {

inline constexpr std::size_t archive_octets_max = 16 * 1024 * 1024; ///< of what an archive holds; a guess

/// Get this content from the domain's blocks, at most archive_octets_max; then call `archive_came`. One at a time.
struct archive_wanted {
  eris_capability content;
};

/// Effects: send, make durable (then call `persisted`), get, and what changed.
using lattice_effect = std::variant<peer_message, lace_persist, archive_wanted, member_added, member_removed,
                                    level_changed, value_changed, config_changed, lace_byzantine, lace_refused>;
using lattice_effects = std::vector<lattice_effect>;

struct lattice_config {
  lace_config lace;
  lace_sync_config sync;
  std::uint32_t archive_ms = 30'000;            ///< then an archive that has not come is given up; a guess
  std::size_t archive_step_octets = 128 * 1024; ///< of it that are taken in one tick; a guess
};

/// A member, and whether it is proven Byzantine: then nothing it writes counts any more, and an operator should expel
/// it.
struct lattice_member {
  member_view view;
  bool is_byzantine = false;
};

/// What the owner signs for a checkpoint: checkpoint_statement, by the domain's identity.
struct checkpoint_request {
  std::uint64_t version = 0;
  digest state;
  std::uint64_t blocks = 0; ///< that the node had accepted: with an archive, none may come before it is written
  bytes archive;            ///< an encoded eris_capability, or nothing
  friend bool operator==(const checkpoint_request&, const checkpoint_request&) = default;
};

digest checkpoint_statement(const identity& domain, const checkpoint_request& request);

/// `[version, state, blocks, archive]`, for the way to who signs and back.
bytes encode(const checkpoint_request& request);

/// Errors: those of msgpack_reader and decode_eris_capability.
expected<checkpoint_request> decode_checkpoint_request(byte_view wire);

/// A checkpoint without an archive, and what the archive would hold: put it into the domain's blocks, and its
/// capability into the request. Empty: more than archive_octets_max.
struct checkpoint_proposal {
  checkpoint_request request;
  bytes archive;
};

/// Figures of checkpoints, for `hanse domain status`.
struct checkpoint_status {
  std::uint64_t version = 0;                                                 ///< of the newest; 0: there is none
  bool archived = false;                                                     ///< it, or one before it, names an archive
  std::size_t covered = 0;                                                   ///< blocks in the past of the newest
  std::size_t dropped = 0;                                                   ///< blocks without payload
  std::uint64_t archives_named = 0, archives_taken = 0, archives_failed = 0; ///< to others, and from them
};

/// The machine. Not thread-safe. `random` must outlive it.
///
/// Use: `restore` every pair of table `lace_table` whose key begins with the domain, `add_contact` for known members
/// (an introducer), `start`, then inputs. Operations count here at once; they leave when they are durable.
class domain_lattice {
public:
  domain_lattice(const identity& domain, const key_pair& own, advert_judge adverts, random_source& random,
                 const lattice_config& config = {});
  domain_lattice(const domain_lattice&) = delete; // its parts refer to each other
  domain_lattice& operator=(const domain_lattice&) = delete;

  /// Errors: `bad_value` (key).
  expected<unit> restore(byte_view key, byte_view value);

  /// Without another member or contact this node is alone, and may write at once; else when peers have confirmed its
  /// newest own block.
  void start(time_ms now, lattice_effects& out);

  /// A node that is a member although the map here may not know it yet: who let this node in.
  void add_contact(const identity& node);

  /// A body from an authenticated node. Errors: `permission_denied` (neither member nor contact), those of lace_sync.
  expected<unit> receive(const identity& from, byte_view body, time_ms now, lattice_effects& out);

  /// Compares with `peer` now: a link to it came up.
  void peer_up(const identity& peer, time_ms now, lattice_effects& out);

  void persisted(std::uint64_t token, time_ms now, lattice_effects& out);
  void tick(time_ms now, lattice_effects& out);
  std::optional<time_ms> next_timer() const;

  // --- operations; errors: `in_doubt` (own tip not confirmed yet), `permission_denied`, `too_long` ---

  expected<block_id> write(const map_op& op, time_ms now, lattice_effects& out);
  expected<block_id> configure(bytes signed_advert, time_ms now, lattice_effects& out);
  expected<block_id> admit(const identity& member, member_level level, bytes value, time_ms now, lattice_effects& out);
  expected<block_id> leave(time_ms now, lattice_effects& out);
  expected<block_id> expel(const identity& member, time_ms now, lattice_effects& out);
  expected<block_id> put(std::string key, bytes value, time_ms now, lattice_effects& out);

  /// What the domain's owner should sign to make the present state a checkpoint.
  checkpoint_request request_checkpoint() const;

  /// The same, and what its archive would hold: the acknowledged blocks, without the payloads that it makes
  /// superfluous.
  checkpoint_proposal propose_checkpoint() const;

  /// Errors: as above, `stale` (the state is another by now; with an archive: blocks came).
  expected<block_id> write_checkpoint(const checkpoint_request& request, const message_signature& signature,
                                      time_ms now, lattice_effects& out);

  /// Drops what the newest checkpoint makes superfluous; headers stay. Returns how many blocks lost their payload.
  /// Done by itself under a checkpoint with an archive: without one nobody who comes later takes the headers.
  std::size_t compact(lattice_effects& out);

  // --- archives of others ---

  /// Whether the host can get content; at first it cannot.
  void take_archives(bool can) noexcept { sync_.take_archives(can); }

  /// The answer to `archive_wanted`; nothing: it cannot be had. Taken in later ticks, in steps.
  void archive_came(std::optional<shared_bytes> octets, time_ms now, lattice_effects& out);

  // --- questions ---

  std::vector<lattice_member> members() const;
  const membership_map& map() const noexcept { return map_; }
  const blocklace& lace() const noexcept { return lace_; }
  const lace_sync_stats& sync_stats() const noexcept { return sync_.stats(); }
  checkpoint_status checkpoints() const;

  /// Whether `who` is a member that is not proven Byzantine.
  bool is_in_good_standing(const identity& who) const { return map_.is_member(who) && !lace_.is_byzantine(who); }

  /// Equal at two nodes iff they have the same acknowledged blocks.
  digest root() { return sync_.root(); }

  /// The operator vouches that no newer own blocks exist elsewhere.
  void assume_current(time_ms now, lattice_effects& out);

private:
  void perform(lace_effects effects, time_ms now, lattice_effects& out);
  void flush(std::vector<peer_message>&& messages, lattice_effects& out);
  void note(map_effects&& changes, lattice_effects& out);
  void update_peers();
  std::size_t strip(const std::vector<block_index>& blocks, lattice_effects& out);
  void follow_checkpoint(lattice_effects& out);
  void consider(const archive_offer& offer, time_ms now, lattice_effects& out);
  void archive_step(time_ms now, lattice_effects& out);
  void end_archive(bool taken, time_ms now, lattice_effects& out);

  struct arrival {     ///< an archive that was asked for
    identity from;     ///< who named it
    time_ms until = 0; ///< it has to come
    std::optional<shared_bytes> octets;
    std::size_t at = 0;     ///< taken so far
    std::size_t before = 0; ///< blocks that were here
  };

  membership_map map_;
  blocklace lace_;
  lace_sync sync_;
  std::set<identity> contacts_;
  lattice_config config_;
  block_index newest_ = no_block;   ///< checkpoint
  block_index archived_ = no_block; ///< checkpoint: what it makes superfluous is dropped
  std::size_t covered_ = 0;
  std::optional<arrival> arrival_;
  std::uint64_t archives_taken_ = 0, archives_failed_ = 0;
};

} // namespace hanse
