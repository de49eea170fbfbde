// What a node knows of others: adverts of nodes and engines, local trust, reputation, measurements. Design section 7.
// Not gossip, not dialling and not the decision (routing.hpp); adverts come in verified (advert.hpp decodes them so).
// Highest version wins. State is bounded; persistence and notifications come out as effects.
#pragma once

#include "hanse/protocols/advert.hpp"
#include "hanse/protocols/durable.hpp"
#include "hanse/protocols/envelope.hpp"

#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <variant>

namespace hanse {

inline constexpr std::size_t advert_nodes_max = 16'384;   ///< nodes known
inline constexpr std::size_t advert_engines_max = 65'536; ///< engine adverts known
inline constexpr std::size_t trust_entries_max = 65'536;  ///< identities with a trust of their own
inline constexpr std::uint8_t trust_banned = 0;
inline constexpr std::uint8_t trust_default = 128;
inline constexpr std::int32_t reputation_max = 1000;                  ///< and -1000; a guess
inline constexpr std::uint64_t reputation_half_life_ms = 3600 * 1000; ///< a guess: an hour forgives half
inline constexpr std::string_view advert_table = "advert";            ///< where `advert_persist` writes go

/// How an advert came here; decides whether it may be evicted.
enum class advert_origin : std::uint8_t {
  learned = 0, ///< from a peer; evicted when the table is full
  pinned = 1,  ///< configured or pasted by the operator; never evicted
  own = 2,     ///< of this node or an engine on it; never evicted
};

/// What changed a node's reputation, with its weight. Guesses: one proven lie outweighs a hundred deliveries.
enum class reputation_event : std::int16_t {
  delivered = 1,     ///< acknowledged a message
  failed = -5,       ///< closed the link or did not answer in time
  misbehaved = -50,  ///< sent what its protocol forbids
  proven_bad = -500, ///< signed something provably wrong
};

/// One observation of a link, by the transport. Absent fields were not observed.
struct link_sample {
  std::optional<std::uint32_t> rtt_us;
  std::optional<std::uint32_t> loss_ppm; ///< lost per million, over the sample's interval
  std::optional<std::uint64_t> octets_per_second;
};

/// Smoothed observations of a node: each new one weighs 1/8, as in RFC 6298; the first counts whole.
struct measurements {
  std::optional<std::uint32_t> rtt_us;
  std::optional<std::uint32_t> loss_ppm;
  std::optional<std::uint64_t> octets_per_second;
  time_ms updated_ms = 0;
};

/// Write to table `advert_table`; nothing waits for it.
struct advert_persist {
  key_value_write write;
};

/// An engine is advertised at another node than before (`from` is none at the first advert).
struct engine_moved {
  identity engine;
  identity from;
  identity to;
};

/// The addresses of a node are new or changed.
struct node_changed {
  identity node;
};

/// An advert was dropped to make room.
struct advert_evicted {
  identity subject;
};

using advert_effect = std::variant<advert_persist, engine_moved, node_changed, advert_evicted>;
using advert_effects = std::vector<advert_effect>;

/// A line of `hanse peers`.
struct node_listing {
  identity node;
  const signed_node_advert* advert = nullptr; ///< null: known by a link or an engine advert only; valid until a change
  advert_origin origin = advert_origin::learned;
  std::uint8_t trust = trust_default;
  std::int32_t reputation = 0;
  measurements measured;
};

/// A line of `hanse engines`.
struct engine_listing {
  const signed_engine_advert* advert = nullptr; ///< never null; valid until a change
  advert_origin origin = advert_origin::learned;
  std::uint8_t trust = trust_default;
};

/// The store. Not thread-safe. Lookups are one hash lookup; listings sort.
///
/// Eviction, when a table is full and a learned advert of somebody new comes: the entry that was never used (see
/// `note_use`) and came longest ago goes first, then the one used longest ago; own and pinned ones never go. So a flood
/// of self-made identities pushes out the flood, not the peers that this node talks to. When nothing may be evicted the
/// new one is refused with `table_full`.
class advert_store {
public:
  /// Takes an advert whose signature is verified. Effects are appended on success.
  /// Errors: `stale` (an older version), `already_exists` (the same version: the first one is kept, be the octets equal
  /// or not; `detail` says "differs" when not, which proves that the subject signed two of one version),
  /// `table_full`. An own or pinned origin sticks: later learned versions of it update the advert and stay pinned.
  expected<unit> put(signed_node_advert advert, advert_origin origin, advert_effects& out);
  expected<unit> put(signed_engine_advert advert, advert_origin origin, advert_effects& out);

  /// Forgets the advert of a node or engine (its trust stays). False if there was none.
  bool remove(const identity& subject, advert_effects& out);

  const signed_node_advert* node(const identity& id) const noexcept;
  const signed_engine_advert* engine(const identity& id) const noexcept;

  /// The node that hosts `engine`; none if no advert says.
  identity node_of(const identity& engine) const noexcept;

  /// The addresses of `node`, heaviest first and else in advertised order; empty if unknown.
  std::vector<weighted_address> addresses_of(const identity& node) const;

  /// The engines advertised at `node`, ascending.
  std::vector<identity> engines_of(const identity& node) const;

  /// Local trust of a node or engine: 0 banned, 128 unless set.
  std::uint8_t trust(const identity& id) const noexcept;

  /// Sets the trust of `id`; setting trust_default forgets it. Error: `table_full`.
  expected<unit> set_trust(const identity& id, std::uint8_t value, advert_effects& out);

  /// Moves a node's reputation, -reputation_max..reputation_max; it halves towards 0 every reputation_half_life_ms.
  /// Not persisted. An unknown node is remembered if there is room for it (which may evict another).
  void note(const identity& node, reputation_event event, time_ms now, advert_effects& out);
  std::int32_t reputation(const identity& node, time_ms now) const noexcept;

  /// Feeds the transport's observation of a node. Not persisted; room as in `note`.
  void measure(const identity& node, const link_sample& sample, time_ms now, advert_effects& out);

  /// What was observed of `node`; all empty if unknown.
  const measurements& measured(const identity& node) const noexcept;

  /// A node or engine is in use (a link came up, a message was sent): it is evicted last.
  void note_use(const identity& subject);

  /// All nodes, or engines, ascending by identity.
  std::vector<node_listing> nodes(time_ms now) const;
  std::vector<engine_listing> engines() const;

  std::size_t node_count() const noexcept { return nodes_.size(); }
  std::size_t engine_count() const noexcept { return engines_.size(); }

  /// Changes whenever an advert or a trust changes: routes decided at an equal generation still hold, as far as links,
  /// reputation and measurements do not matter.
  std::uint64_t generation() const noexcept { return generation_; }

  /// Takes back one pair of table `advert_table` at the start; adverts are verified anew. Errors: `bad_value` (key),
  /// those of the decoders, `table_full`.
  expected<unit> restore(byte_view key, byte_view value);

private:
  struct usage {
    bool used = false;
    std::uint64_t order = 0;
    friend auto operator<=>(const usage&, const usage&) = default;
  };
  struct node_entry {
    std::optional<signed_node_advert> advert;
    advert_origin origin = advert_origin::learned;
    usage last;
    std::int32_t reputation = 0;
    time_ms reputation_ms = 0;
    measurements measured;
  };
  struct engine_entry {
    signed_engine_advert advert;
    advert_origin origin = advert_origin::learned;
    usage last;
  };
  using eviction_order = std::set<std::pair<usage, identity>>; // learned entries only, first to go first

  node_entry* touch_node(const identity& id, advert_effects* out);
  bool make_room(bool nodes, advert_effects* out);
  void erase_node(const identity& id, advert_effects* out);
  void erase_engine(const identity& id, advert_effects* out);
  void unhost(const identity& engine, const identity& node);
  template <class Entry>
  void rank(eviction_order& order, const identity& id, Entry& e, bool used);

  std::unordered_map<identity, node_entry> nodes_; // listings are sorted: the order of the maps is never seen
  std::unordered_map<identity, engine_entry> engines_;
  std::unordered_map<identity, std::set<identity>> hosted_; ///< node -> engines advertised there
  std::unordered_map<identity, std::uint8_t> trust_;
  eviction_order node_order_;
  eviction_order engine_order_;
  std::uint64_t clock_ = 0; ///< counts touches: the order of eviction
  std::uint64_t generation_ = 1;
};

} // namespace hanse
