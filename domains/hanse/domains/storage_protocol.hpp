// How members of a domain give each other blocks: the interface that a storage protocol implements, and the registry
// that makes one by name. Not the store (block_store.hpp) and not content (content_transfer.hpp, which works over any
// of them). `blocks/1` is block_exchange.hpp. Spec: storage in "Domains" is configurable; design section 10.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/domains/block_store.hpp"
#include "hanse/domains/domain_protocols.hpp"
#include "hanse/domains/storage_receipt.hpp"
#include "hanse/protocols/peer_message.hpp"

#include <functional>
#include <memory>
#include <variant>

namespace hanse {

/// A block that was wanted is in the store (not yet durable: it may have to be fetched again after a crash).
struct block_arrived {
  digest name;
  identity from;
};

/// Nobody was found who has it. It is no longer wanted.
struct block_missing {
  digest name;
};

/// A push has ended. `why` is none when `receipt` covers everything.
struct block_pushed {
  identity to;
  std::uint64_t token = 0;
  error why;
  std::optional<storage_receipt> receipt;
};

/// A member did what no honest one does. Take it off its reputation.
struct block_misbehaviour {
  identity node;
  error why;
};

/// The store failed. Nothing is served, kept or acknowledged any more; stop the node.
struct block_store_failed {
  error why;
};

using block_effect =
    std::variant<peer_message, block_arrived, block_missing, block_pushed, block_misbehaviour, block_store_failed>;
using block_effects = std::vector<block_effect>;

/// Counters since the start. What a protocol does not have stays 0.
struct storage_stats {
  std::uint64_t fetched = 0, fetched_octets = 0, unasked = 0, liars = 0, timeouts = 0, searches = 0, forwarded = 0;
  std::uint64_t served = 0, served_octets = 0, refused = 0, floods = 0, kept = 0, pushes = 0;
  std::uint64_t pushes_again = 0; ///< not answered in time
};

/// A storage protocol at one node, for one domain. Not thread-safe; sans-IO: effects are appended to `out`; `now` is
/// the wall clock. Call `tick` when next_timer is due, and after each burst of `receive`. Bodies are peer input:
/// bounded, answered with an error, never thrown at.
class storage_protocol {
public:
  virtual ~storage_protocol() = default;
  storage_protocol(const storage_protocol&) = delete;
  storage_protocol& operator=(const storage_protocol&) = delete;

  /// A member of the domain, with our trust in it. Nobody else is heard.
  virtual void set_member(const identity& node, std::uint8_t trust) = 0;
  virtual void drop_member(const identity& node, block_effects& out) = 0;

  /// There is no link to the member any more; it may be back at once. A hint.
  virtual void peer_down(const identity&, time_ms, block_effects&) {}

  /// The neighbours in the tree of a topic, for searches that go along it; none: forget the topic. A hint.
  virtual void set_tree(const identity&, std::vector<identity>) {}

  /// Fetches blocks, in this order of need; `providers` are members said to have them. What is in the store is reported
  /// at once. Ends in one block_arrived or block_missing for each. Error: `queue_full`, with nothing taken.
  virtual expected<unit> want(std::span<const digest> names, std::span<const identity> providers, time_ms now,
                              block_effects& out) = 0;

  /// Takes one `want` of the block back; the last one ends it.
  virtual void unwant(const digest& name) = 0;

  /// A block that was fetched just now, taken out of memory: spares reading and hashing it again. Else it is in the
  /// store.
  virtual std::optional<bytes> take_recent(const digest&) { return std::nullopt; }

  /// Puts blocks of the store at a member until then, at most message_blocks_max and message_octets_max of them.
  /// Ends in one block_pushed with this token. Errors, with nothing done: `queue_full`, `not_found` (a block, or the
  /// member).
  virtual expected<unit> push(const identity& to, std::uint64_t token, std::vector<digest> names, time_ms until,
                              time_ms now, block_effects& out) = 0;

  /// Octets that one push to this member may have now; 0: wait for the end of another one. A hint: push refuses, too.
  virtual std::size_t push_room(const identity&) const { return SIZE_MAX; }

  /// A body from the node `from`. Error: why it was dropped, for counting.
  virtual expected<unit> receive(const identity& from, byte_view body, time_ms now, block_effects& out) = 0;

  virtual void tick(time_ms now, block_effects& out) = 0;
  virtual std::optional<time_ms> next_timer() const = 0;

  /// Members that could be put at: trusted, not being punished, in random order.
  virtual std::vector<identity> candidates(time_ms now) = 0;

  virtual const storage_stats& stats() const noexcept = 0;

  /// A number for `push` that no other caller of this machine has.
  std::uint64_t new_token() noexcept { return next_token_++; }
  block_store& store() noexcept { return *store_; }

protected:
  explicit storage_protocol(block_store& store) : store_(&store) {}

  block_store* store_;

private:
  std::uint64_t next_token_ = 1;
};

/// What a protocol is made with. `store` and `random` outlive it; `key` is the node's: it signs receipts.
struct storage_context {
  block_store& store;
  const key_pair& key;
  random_source& random;
  identity domain;
};

using storage_factory =
    std::function<expected<std::unique_ptr<storage_protocol>>(const storage_context&, const protocol_parameters&)>;

/// Storage protocols by name and version. Copyable; add your own before the node starts, and `teach` the same one to
/// the node's domains, so that a domain which names it can be entered.
class storage_registry {
public:
  /// With blocks/1.0. Its parameters: serve_trust_min, fetch_lease_s, window_max, search_rounds_max.
  static storage_registry builtin();

  /// Errors: those of protocol_registry::add.
  expected<unit> add(protocol_id id, storage_factory make) { return factories_.add(std::move(id), std::move(make)); }

  /// Errors: those of protocol_registry::find; `bad_config` (a parameter unknown to the protocol, or out of range).
  expected<std::unique_ptr<storage_protocol>> make(const protocol_id& id, const storage_context& context,
                                                   const protocol_parameters& parameters = {}) const;

  /// Whether `make` would succeed. Errors: the same.
  expected<unit> check(const protocol_id& id, const protocol_parameters& parameters) const;

  /// Lets domains name all of these, in place of what `protocols` knew.
  void teach(domain_protocols& protocols) const;

  std::vector<protocol_id> known() const { return factories_.known(); }

private:
  protocol_registry<storage_factory> factories_;
};

} // namespace hanse
