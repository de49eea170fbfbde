// How the members of a domain agree on who they are: the interface that a domain's configuration chooses an
// implementation of (`protocols.membership`). Not the join, not the DomainAdvert: those are alike for all.
// The built-in one is `blocklace/1` (domain_lattice.hpp); a researcher's own is registered in `domain_protocols`.
// Spec "Membership"; design section 8. Sans-IO: bodies, commits and time come in, effects go out.
#pragma once

#include "hanse/domains/domain_lattice.hpp"
#include "hanse/domains/lace_drawing.hpp"

#include <functional>
#include <map>

namespace hanse {

/// Effects of a membership protocol: messages to members, what to make durable (then `persisted` is called), what
/// changed in the view, who is proven Byzantine, what was refused.
using membership_effects = lattice_effects;

/// Figures for `hanse domain status`.
struct membership_status {
  std::vector<identity> byzantine; ///< members that are proven to lie
  std::size_t blocks = 0;          ///< or whatever units of history it keeps
  std::size_t pending = 0;         ///< that wait for others
  digest state;                    ///< equal at two members iff their views are
  checkpoint_status checkpoint = {};
};

/// One domain's membership at one node. Called by one thread at a time.
///
/// Bodies come from authenticated nodes, but otherwise from anybody: bound before you allocate, refuse by an error.
class membership_protocol {
public:
  membership_protocol() = default;
  membership_protocol(const membership_protocol&) = delete;
  membership_protocol& operator=(const membership_protocol&) = delete;
  virtual ~membership_protocol() = default;

  /// A pair that an earlier life made durable; before `start`, in any order.
  virtual expected<unit> restore(byte_view key, byte_view value) = 0;

  virtual void start(time_ms now, membership_effects& out) = 0;

  /// A node that is a member although the view may not know it yet: an introducer of the advert, or who let us in.
  virtual void add_contact(const identity& node) = 0;

  /// Errors: `permission_denied` for strangers, and its own; then it did nothing.
  virtual expected<unit> receive(const identity& from, byte_view body, time_ms now, membership_effects& out) = 0;

  /// A link to this node came up; it need not be a member.
  virtual void peer_up(const identity& peer, time_ms now, membership_effects& out) = 0;

  /// The writes of `lace_persist{token, …}`, and of all before, are durable.
  virtual void persisted(std::uint64_t token, time_ms now, membership_effects& out) = 0;

  virtual void tick(time_ms now, membership_effects& out) = 0;
  virtual std::optional<time_ms> next_timer() const = 0;

  // --- operations of this node; errors: `permission_denied`, `in_doubt`, `too_long` ---

  virtual expected<unit> configure(bytes signed_advert, time_ms now, membership_effects& out) = 0;
  /// Adds a member, or gives it another level. `value`: its node advert.
  virtual expected<unit> admit(const identity& member, member_level level, bytes value, time_ms now,
                               membership_effects& out) = 0;
  /// Takes out a member that asked for it; this node itself included.
  virtual expected<unit> withdraw(const identity& member, time_ms now, membership_effects& out) = 0;
  virtual expected<unit> expel(const identity& member, time_ms now, membership_effects& out) = 0;
  /// A register that all members see.
  virtual expected<unit> put(std::string key, bytes value, time_ms now, membership_effects& out) = 0;

  /// The operator vouches that this node wrote nothing that is not here.
  virtual void assume_current(time_ms now, membership_effects& out) = 0;

  // --- checkpoints (domain_lattice.hpp); a protocol may do without ---

  /// Errors: `unsupported_protocol`.
  virtual expected<checkpoint_proposal> propose_checkpoint() const {
    return error{errc::unsupported_protocol, "the domain's membership protocol has no checkpoints"};
  }
  /// Errors: `unsupported_protocol`, `stale`, `permission_denied` (not signed by the owner), `in_doubt`.
  virtual expected<unit> checkpoint(const checkpoint_request& request, const message_signature& signature, time_ms now,
                                    membership_effects& out) {
    (void)request, (void)signature, (void)now, (void)out;
    return error{errc::unsupported_protocol, "the domain's membership protocol has no checkpoints"};
  }
  /// Whether the host answers `archive_wanted` by more than nothing.
  virtual void take_archives(bool can) { (void)can; }
  virtual void archive_came(std::optional<shared_bytes> octets, time_ms now, membership_effects& out) {
    (void)octets, (void)now, (void)out;
  }

  // --- the view ---

  virtual std::vector<lattice_member> members() const = 0; ///< ascending
  virtual std::vector<identity> member_ids() const = 0;    ///< those of them that are not proven Byzantine
  virtual std::size_t member_count() const = 0;
  virtual member_level level_of(const identity& who) const = 0; ///< level_none: no member
  virtual bool was_member(const identity& who) const = 0;       ///< is none, and was one
  virtual bool is_expelled(const identity& who) const = 0;      ///< may not just join again
  virtual bool is_in_good_standing(const identity& who) const = 0;
  virtual std::optional<bytes> value_of(std::string_view key) const = 0;
  virtual std::uint64_t advert_version() const = 0; ///< of the newest DomainAdvert in the view; 0: none
  virtual bool may_write() const = 0;               ///< false: operations fail with `in_doubt` for now
  virtual membership_status status() const = 0;

  /// Its history for `hanse domain graph`; empty if it has none that can be drawn.
  virtual lace_drawing drawing(std::size_t blocks_max) const {
    (void)blocks_max;
    return {};
  }

  bool is_member(const identity& who) const { return level_of(who) != level_none; }
};

/// What an implementation is made from. `random` outlives it.
struct membership_setup {
  const identity& domain;
  const key_pair& own;
  advert_judge adverts;
  random_source& random;
  bool is_new = true; ///< this node has written nothing in the domain: one member's word is enough to begin
};

using protocol_parameters = std::map<std::string, std::string>;

/// Reads the parameters and makes the machine. Errors: `bad_config`, whose detail names the parameter.
using membership_factory =
    std::function<expected<std::unique_ptr<membership_protocol>>(const membership_setup&, const protocol_parameters&)>;

/// `blocklace/1`, with parameters `busy_ms`, `idle_ms` and `archive_blocks` (lace_sync_config).
expected<std::unique_ptr<membership_protocol>> make_blocklace_membership(const membership_setup& setup,
                                                                         const protocol_parameters& parameters);

} // namespace hanse
