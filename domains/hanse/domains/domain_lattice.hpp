// One domain's shared state at one node: blocklace, membership map and their exchange with the other members, in one
// machine. Start here. Not the join (who may ask for an Add), not the DomainAdvert's format, not topics. Sans-IO.
// Design section 8; docs/blocklace.md.
#pragma once

#include "hanse/domains/membership_map.hpp"
#include "hanse/protocols/lace_sync.hpp"

namespace hanse {

/// Effects: send, make durable (then call `persisted`), and what changed.
using lattice_effect = std::variant<peer_message, lace_persist, member_added, member_removed, level_changed,
                                    value_changed, config_changed, lace_byzantine, lace_refused>;
using lattice_effects = std::vector<lattice_effect>;

struct lattice_config {
  lace_config lace;
  lace_sync_config sync;
};

/// A member, and whether it is proven Byzantine: then nothing it writes counts any more, and an operator should expel
/// it.
struct lattice_member {
  member_view view;
  bool is_byzantine = false;
};

/// What the owner has to sign for a checkpoint: `sign`, by the domain's identity.
struct checkpoint_request {
  std::uint64_t version = 0;
  digest state;
  digest statement;
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
  std::optional<time_ms> next_timer() const { return sync_.next_timer(); }

  // --- operations; errors: `in_doubt` (own tip not confirmed yet), `permission_denied`, `too_long` ---

  expected<block_id> write(const map_op& op, time_ms now, lattice_effects& out);
  expected<block_id> configure(bytes signed_advert, time_ms now, lattice_effects& out);
  expected<block_id> admit(const identity& member, member_level level, bytes value, time_ms now, lattice_effects& out);
  expected<block_id> leave(time_ms now, lattice_effects& out);
  expected<block_id> expel(const identity& member, time_ms now, lattice_effects& out);
  expected<block_id> put(std::string key, bytes value, time_ms now, lattice_effects& out);

  /// What the domain's owner should sign to make the present state a checkpoint.
  checkpoint_request request_checkpoint() const;

  /// Errors: as above, `stale` (the state is another by now).
  expected<block_id> write_checkpoint(const checkpoint_request& request, const message_signature& signature,
                                      time_ms now, lattice_effects& out);

  /// Drops what the newest checkpoint makes superfluous; headers stay. Returns how many blocks lost their payload.
  std::size_t compact(lattice_effects& out);

  // --- questions ---

  std::vector<lattice_member> members() const;
  const membership_map& map() const noexcept { return map_; }
  const blocklace& lace() const noexcept { return lace_; }
  const lace_sync_stats& sync_stats() const noexcept { return sync_.stats(); }

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

  membership_map map_;
  blocklace lace_;
  lace_sync sync_;
  std::set<identity> contacts_;
};

} // namespace hanse
