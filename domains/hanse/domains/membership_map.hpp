// Who is a member of a domain, at which level and with which value, and the domain's other registers: a permissioned
// map over the acknowledged part of a blocklace. Design section 8, "Membership map"; docs/blocklace.md has the rules.
// Not the blocklace (protocols/blocklace.hpp) and not the join (an approved one ends in an Add here).
//
// Keys are an observed-remove set, values last-writer-wins registers ordered by (height, id); clocks decide nothing.
// Two questions, both functions of sets of blocks and never of their arrival:
//   - Is a block valid? Answered for its own causal past alone: what its author was and might do there (`judge`).
//   - What is the state? Answered for the acknowledged part, where a Revoke also voids what its target did beside it.
//
// An operation *stands* in a set S iff no standing Revoke in S voids it, and the Add that its author acted by stands.
// A Revoke voids what its target did concurrently, if its author ranks (in the Revoke's past) as high as the target
// did; of two such Revokes the one first by (rank, height, id) stands. What the owner's checkpoint in S covers is not
// voided by a Revoke that the checkpoint does not cover. Ranks fall along both kinds of steps, so this is well founded.
#pragma once

#include "hanse/domains/map_op.hpp"
#include "hanse/protocols/blocklace.hpp"

#include <functional>
#include <set>

namespace hanse {

/// What the map reads in a DomainAdvert.
struct domain_terms {
  std::uint64_t version = 0;
  std::vector<identity> introducers; ///< nodes; they have level_introducer
  hanse::permissions permissions;
};

/// Verifies a signed DomainAdvert of this domain; nothing if it is none. A pure function of the octets.
using advert_judge = std::function<std::optional<domain_terms>(byte_view signed_advert)>;

struct member_added {
  identity member;
  member_level level = level_lowest;
  friend bool operator==(const member_added&, const member_added&) = default;
};
struct member_removed {
  identity member;
  friend bool operator==(const member_removed&, const member_removed&) = default;
};
struct level_changed {
  identity member;
  member_level before = level_lowest, now = level_lowest;
  friend bool operator==(const level_changed&, const level_changed&) = default;
};
/// A member's value, or a register's; `value` is empty when the key is gone. Not sent beside member_removed.
struct value_changed {
  map_key key;
  std::optional<bytes> value;
  friend bool operator==(const value_changed&, const value_changed&) = default;
};
/// Another DomainAdvert is the newest.
struct config_changed {
  std::uint64_t version = 0;
  bytes signed_advert;
  friend bool operator==(const config_changed&, const config_changed&) = default;
};
using map_effect = std::variant<member_added, member_removed, level_changed, value_changed, config_changed>;
using map_effects = std::vector<map_effect>;

/// A line of `hanse domain members`.
struct member_view {
  identity member;
  member_level level = level_lowest;
  time_ms since_ms = 0; ///< by the clock of who added it; for display only
  bytes value;
  friend bool operator==(const member_view&, const member_view&) = default;
};

/// The rules of the domain's blocklace, and the state of the map. Not thread-safe.
class membership_map final : public block_rules {
public:
  /// `owner`: the domain's identity. The judge must be pure.
  membership_map(const identity& owner, advert_judge adverts);

  block_verdict judge(const lace_graph& lace, block_index b, byte_view payload, bool bare) override;
  void forget(block_index b) override;
  bytes ack_payload() const override { return encode(ack_op(0)); }

  /// These blocks are new in the acknowledged part (lace_acknowledged).
  void apply(const lace_graph& lace, std::span<const block_index> blocks, map_effects& out);

  /// The acknowledged part is another (lace_reordered).
  void rebuild(const lace_graph& lace, std::span<const block_index> acknowledged, map_effects& out);

  // --- the state ---

  /// level_none if `who` is no member; level_owner for the owner.
  member_level level_of(const identity& who) const noexcept;
  bool is_member(const identity& who) const noexcept { return level_of(who) != level_none; }
  bool may(const identity& who, domain_action what) const noexcept {
    return terms().permissions.allows(what, level_of(who));
  }

  /// Whether `who` is none, and was one once.
  bool was_member(const identity& who) const noexcept;

  /// Whether `who` is none because it was expelled: nobody has added it again since. It may not just join again.
  bool is_expelled(const identity& who) const noexcept;

  /// All members, ascending. The owner is none unless an advert names it as introducer.
  std::vector<member_view> members() const;
  std::vector<identity> member_ids() const; ///< the same, by name alone
  std::size_t member_count() const noexcept { return member_count_; }

  /// A register's value.
  std::optional<bytes> value_of(std::string_view key) const;
  std::vector<std::pair<std::string, bytes>> registers() const; ///< ascending by key

  /// Of the newest DomainAdvert; the defaults before there is one.
  const domain_terms& terms() const noexcept;
  std::optional<bytes> signed_advert() const;

  /// Equal at two nodes iff members, levels, values, registers and the advert are equal.
  digest state_hash() const;

  /// The newest checkpoint that the domain's owner signed; no_block if there is none.
  block_index checkpoint() const noexcept;
  std::uint64_t checkpoint_version() const noexcept; ///< of it; 0 if there is none

  /// The newest of those that name an archive.
  block_index archived_checkpoint() const noexcept;

  /// Whether the domain's owner signed this Checkpoint.
  bool is_by_owner(const map_op& checkpoint) const;

  /// Blocks that the newest checkpoint covers and whose payloads nothing needs any more: acknowledgements,
  /// and values that a later one replaced or removed.
  std::vector<block_index> strippable(const lace_graph& lace) const;

  /// The same for the checkpoint `c`; no_block: for one that would cover everything acknowledged.
  std::vector<block_index> strippable_below(const lace_graph& lace, block_index c) const;

  /// Revokes that void something placed beside them.
  std::size_t potent_revokes() const noexcept { return potent_.size(); }

  /// Octets that the map holds, roughly.
  std::size_t memory() const noexcept;

private:
  using key_index = std::uint32_t;
  static constexpr key_index no_key = UINT32_MAX;

  struct record { ///< of a placed block
    map_op_kind kind = map_op_kind::none;
    member_level rank = level_none; ///< of the author in the block's past
    member_level level = level_none;
    bool potent = false; ///< a Revoke that voids something placed
    bool applied = false;
    bool archived = false; ///< a checkpoint that names an archive
    key_index key = no_key;
    key_index author = no_key;
    block_index authority = no_block; ///< the Add or Configure that the author acted by
    time_ms at_ms = 0;
    std::uint64_t version = 0; ///< of a checkpoint
  };
  struct standing_level {
    member_level level = level_none;
    block_index source = no_block; ///< Add or Configure
    block_index value = no_block;  ///< the Add that gives the value
  };
  struct key_entry {
    map_key key;
    std::vector<block_index> ops;      ///< placed Adds, Puts, Removes, Revokes of this key
    std::vector<block_index> revokes;  ///< the Revokes among them
    std::vector<block_index> live;     ///< text keys: standing acknowledged Puts that nothing removed or replaced
    standing_level shown;              ///< member keys: the state
    block_index shown_text = no_block; ///< text keys: the state
    bool is_dirty = false;
  };
  struct config_entry {
    domain_terms terms;
    digest hash;
    block_index b = no_block;
  };
  struct scope; ///< a set of blocks: the past of one, or the acknowledged part

  key_index intern(const map_key& key);
  key_index find_key(const map_key& key) const noexcept;
  const config_entry* config_in(const scope& s) const;
  block_index newest_checkpoint(bool archived) const noexcept;
  void find_standing(scope& s) const;
  bool precedes(const lace_graph& g, block_index r, block_index other) const;
  bool could_void(const lace_graph& g, block_index r, block_index o) const;
  bool is_voided(const scope& s, block_index o) const;
  bool stands(const scope& s, block_index o) const;
  bool is_taken_back(const scope& s, const key_entry& k, block_index add) const;
  bool is_introducer(const scope& s, const config_entry& config, key_index k, block_index& source) const;
  standing_level level_in(const scope& s, key_index k) const;
  member_level known_level(const scope& s, key_index k) const;
  block_verdict judge_in(const scope& s, block_index b, const expected<map_op>& op);
  const std::optional<domain_terms>& terms_of(byte_view signed_advert, const digest& hash);
  bool is_allowed(const scope& s, const map_op& op, member_level rank, const identity& author) const;
  void enlist(const lace_graph& g, block_index b, const map_op& op);
  void note_potent(const lace_graph& g, block_index b);
  void make_potent(const lace_graph& g, block_index revoke);
  void apply_one(const scope& s, block_index b);
  template <class F>
  bool voids_one(const lace_graph& g, block_index revoke, F&& wanted) const;
  void fold_text(const scope& s, std::vector<block_index>& live, block_index b) const;
  block_index winner(const lace_graph& g, const std::vector<block_index>& live) const;
  void show_config(const scope& s, map_effects& out);
  void mark(key_index k);
  void refold(const scope& s);
  void report(const scope& s, map_effects& out);
  void report_member(const scope& s, key_entry& k, key_index index, map_effects& out);
  void report_text(const lace_graph& g, key_entry& k, map_effects& out);
  bytes value_at(const lace_graph& g, block_index b) const;

  identity owner_;
  advert_judge adverts_;
  const lace_graph* lace_ = nullptr;
  std::vector<record> records_;
  std::vector<key_entry> keys_;
  std::map<map_key, key_index> key_by_name_;
  std::vector<config_entry> configs_;    ///< newest first: by (version, hash) descending
  std::vector<block_index> potent_;      ///< Revokes, by (rank, height, id)
  std::vector<block_index> checkpoints_; ///< placed ones with a good signature
  std::vector<block_index> applied_;     ///< in the order of `apply`
  std::vector<key_index> dirty_;
  std::map<digest, std::optional<domain_terms>> judged_; ///< by advert octets; bounded
  std::optional<config_entry> shown_config_;
  std::size_t member_count_ = 0;
};

} // namespace hanse
