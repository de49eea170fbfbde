// The blocklace of one domain at one node: which blocks it accepts, who is proven Byzantine, what it writes itself.
// Not how blocks travel (lace_sync.hpp) and not what they say (block_rules.hpp; domains/membership_map.hpp). Sans-IO.
// Source: Almeida & Shapiro, arXiv 2402.08068, "The Blocklace"; design section 8. docs/blocklace.md gives the reasons.
//
// B is what is accepted here, always closed. byz(B): creators of two blocks with one seq, of blocks ill-formed or
// invalid in their own past, and creators whose block newly points at a block of someone whom their own previous block
// knew as Byzantine. A block whose past is here is accepted with its missing past iff
//   - its creator is not in byz(B) and its past knows everyone in byz(B); or
//   - it yields new evidence: somebody joins byz(B).
// When byz(B) grows, this node writes an acknowledgement, so that its later blocks are accepted where this is known.
// The *acknowledged* part of B is what is in the past of a block whose creator is not in byz(B): it is what honest
// nodes agree on, what is exchanged, and what replicated data is evaluated over.
//
// An own block is made durable before it leaves (`lace_persist` then `persisted`). After a start the node writes
// nothing until peers have told what they hold of it (`peer_tip`): one restored from an older backup would fork.
#pragma once

#include "hanse/protocols/durable.hpp"
#include "hanse/protocols/lace_graph.hpp"

#include <deque>
#include <map>
#include <set>
#include <variant>

namespace hanse {

inline constexpr std::string_view lace_table =
    "lace"; ///< where `lace_persist` writes go, with the domain as key prefix

/// Bounds. All are guesses.
struct lace_config {
  std::size_t pending_max = 16'384;                  ///< blocks that wait for others or for knowledge
  std::size_t pending_octets_max = 64 * 1024 * 1024; ///< of those
  std::size_t wants_max = 4096;                      ///< missing blocks remembered as asked for
  bool accept_bare = false; ///< take blocks without payload: who sends them is trusted to have stripped them rightly
  std::size_t tip_answers_min = 2; ///< peers that must confirm the own tip: a third of all and one,
  std::size_t tip_answers_max = 8; ///< within these, and never more than there are
};

/// Commit these writes to `lace_table`, all or none and in the order of tokens; then call `persisted(token)`.
struct lace_persist {
  std::uint64_t token = 0; ///< 1, 2, 3, …
  std::vector<key_value_write> writes;
};

/// An own block is durable: send it to everybody.
struct lace_publish {
  shared_bytes wire;
};

/// These blocks are new in the acknowledged part, in causal order.
struct lace_acknowledged {
  std::vector<block_index> blocks;
};

/// The acknowledged part is another one: evaluate anew all of `acknowledged()`. Rare: somebody joined byz(B).
struct lace_reordered {};

/// `who` is proven Byzantine. The proof is there for two blocks with one seq, else the block itself is the proof.
struct lace_byzantine {
  identity who;
  std::optional<equivocation_proof> proof;
};

/// These blocks are missing; `from` showed blocks that point at them.
struct lace_missing {
  identity from;
  std::vector<block_id> ids;
};

/// A block was refused, or given up while it waited. `bad_signature`, `wrong_recipient` (another domain),
/// `permission_denied` (its creator was never authorised), `queue_full` (evicted), or a decoder's error.
struct lace_refused {
  identity from;
  error why;
};

using lace_effect = std::variant<lace_persist, lace_publish, lace_acknowledged, lace_reordered, lace_byzantine,
                                 lace_missing, lace_refused>;
using lace_effects = std::vector<lace_effect>;

/// Counters and sizes.
struct lace_stats {
  std::uint64_t received = 0, duplicates = 0, refused = 0, accepted = 0, evicted = 0, acks = 0;
  std::size_t blocks = 0, pending = 0, pending_octets = 0, byzantine = 0;
  std::size_t bare = 0; ///< of the blocks: without payload
};

/// The machine. Not thread-safe. Effects come in the order in which they are to be performed.
///
/// Use: `restore` every pair of the table in any order, then `start`; afterwards inputs. The rules must outlive it.
class blocklace {
public:
  blocklace(const identity& domain, key_pair own, block_rules& rules, const lace_config& config = {});

  /// Takes back one pair of the table. Errors: `bad_value` (key), those of decode_block.
  /// Hashes are checked, signatures are not again: the database is trusted not to be written by others.
  expected<unit> restore(byte_view key, byte_view value);

  /// All is restored. `alone`: nobody else is in the domain, so that nobody can know more of this node's blocks.
  void start(bool alone, lace_effects& out);

  // --- blocks of others ---

  /// Takes encoded blocks from an authenticated node, in any order. Whatever is wrong comes out as `lace_refused`.
  /// `vouched`: the domain's owner vouches that what comes without payload may: else it is refused.
  void accept(const identity& from, std::span<const shared_bytes> blocks, lace_effects& out, bool vouched = false);

  /// A peer's answer to "what is the newest block of mine that you hold": that block, or nothing. Only an own
  /// signature counts as more, so nobody can keep this node from writing. `others`: how many members could answer.
  void peer_tip(const identity& peer, const std::optional<shared_bytes>& newest, std::size_t others, lace_effects& out);

  /// The operator vouches that the own blocks here are all there are.
  void assume_current(lace_effects& out);

  // --- own blocks ---

  /// Whether this node may write: started, own tip confirmed, not Byzantine itself.
  bool is_confirmed() const noexcept { return confirmed_; }
  bool may_write() const noexcept { return started_ && confirmed_ && !is_byzantine(own_.identity()); }

  /// Writes a block on top of all that is accepted. It counts here at once and leaves after `persisted`.
  /// Errors: `in_doubt` (own tip not confirmed yet), `permission_denied` (the rules, or this node is Byzantine),
  /// `too_long`.
  expected<block_id> write(byte_view payload, lace_effects& out);

  void persisted(std::uint64_t token, lace_effects& out);

  // --- questions ---

  const lace_graph& graph() const noexcept { return graph_; }
  const identity& self() const noexcept { return own_.identity(); }

  /// Accepted blocks in the order of their acceptance: preds before what points at them.
  const std::vector<block_index>& accepted() const noexcept { return accepted_; }

  /// Those of them that are acknowledged, in the same order.
  std::vector<block_index> acknowledged() const;

  bool is_byzantine(const identity& who) const noexcept;
  std::vector<identity> byzantine() const; ///< ascending
  std::optional<equivocation_proof> proof_against(const identity& who) const;

  /// The block of `creator` with the highest seq, accepted or not.
  std::optional<shared_bytes> newest_of(const identity& creator) const;

  /// Whether the block is here in any state.
  bool has(const block_id& id) const noexcept { return graph_.find(id) != no_block || waiting_.contains(id); }

  /// Drops the payloads of these accepted blocks: their headers stay.
  void strip(std::span<const block_index> blocks, lace_effects& out);

  lace_stats stats() const noexcept;

private:
  struct waiting_block { ///< some of its pointers are not placed
    block b;
    identity from;
    std::size_t missing = 0;
    std::uint64_t order = 0;
  };
  struct held { ///< of a pending block: whose share of the pool it takes
    identity from;
    std::uint64_t order = 0;
    std::size_t octets = 0;
  };

  void take(const identity& from, const shared_bytes& wire, bool vouched, std::vector<block_id>& missing,
            lace_effects& out);
  void refuse(const identity& from, error why, lace_effects& out);
  bool lacks_past(const block& b) const;
  void place_with_waiters(block first, const identity& from, std::vector<block_id>& missing, lace_effects& out);
  bool place_one(const block& b, const identity& from, lace_effects& out);
  void wait_for(block b, const identity& from, std::vector<block_id>& missing);
  void drop_with_waiters(const block_id& id);
  void hold(const block_id& id, const identity& from, std::size_t octets);
  void unhold(const block_id& id);
  void make_room(lace_effects& out);
  bool evict_of_largest_share();
  bool evict(const block_id& id);
  bool knows_all(block_index b) const;
  bool shows_more(block_index b) const;
  void try_accept(block_index b, lace_effects& out);
  void recheck_twins(lace_effects& out);
  void accept_with_past(block_index b, lace_effects& out);
  void accept_one(block_index b, lace_effects& out);
  void note_byzantine(creator_index c, lace_effects& out);
  void acknowledge(block_index b);
  void confirm(lace_effects& out);
  void reacknowledge(lace_effects& out);
  void settle(lace_effects& out);
  bool owes_ack() const;
  std::vector<block_index> own_preds() const;
  expected<block_id> append_own(byte_view payload, lace_effects& out);
  void persist_all(lace_effects& out);
  bytes key_of(std::uint64_t stored_at) const;

  key_pair own_;
  lace_config config_;
  block_rules& rules_;
  lace_graph graph_;
  bool started_ = false;
  bool confirmed_ = false;
  std::map<std::uint64_t, shared_bytes> restored_;
  std::map<identity, std::uint64_t> tips_; ///< answers of peers, until confirmed: the seq of an own block
  std::size_t others_ = 0;

  std::unordered_map<block_id, waiting_block> waiting_;
  std::unordered_map<block_id, std::vector<block_id>> waiters_; ///< missing -> who waits
  std::unordered_map<block_id, held> held_;                     ///< waiting and placed but not accepted
  std::map<identity, std::pair<std::size_t, std::map<std::uint64_t, block_id>>> shares_; ///< by sender, oldest first
  std::size_t held_octets_ = 0;
  std::uint64_t order_ = 0;  ///< of arrival
  std::uint64_t stored_ = 0; ///< keys used

  std::vector<block_index> accepted_;
  std::set<block_index> heads_; ///< accepted, and no accepted block points at them
  std::set<creator_index> byzantine_;
  std::map<creator_index, equivocation_proof> proofs_;
  std::vector<block_index> newly_acknowledged_;
  std::vector<block_index> recheck_; ///< pending blocks whose twin was accepted
  bool byzantine_grew_ = false;
  bool ack_owed_ = false;
  block_index own_tip_ = no_block;
  std::vector<key_value_write> writes_;
  std::vector<shared_bytes> own_unsent_;
  std::uint64_t token_ = 0;
  std::map<std::uint64_t, std::vector<shared_bytes>> own_by_token_;
  lace_stats stats_;
};

} // namespace hanse
