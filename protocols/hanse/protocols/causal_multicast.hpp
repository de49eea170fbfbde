// Causal reliable multicast of one topic at one node: every event once, after all that it depends on, or its gap is
// reported. Not the way through the network (dissemination.hpp), which may lose, repeat and reorder, and not the topics
// of a node (topics.hpp). Sans-IO. Sources: per-message dependencies on the heads of the causal past as in Peterson et
// al., "Preserving and using context information in interprocess communication" (Psync, 1989); digests and repair as in
// Birman et al., "Bimodal multicast" (1999); design section 9.
//
// The guarantee, for events of mode `causal`: every node that has joined hands each event of every authorised publisher
// to its subscribers exactly once within its life, never before an event that it depends on. It holds while some
// reachable node still keeps what another one misses: stores are bounded. What nobody keeps any more is skipped after
// `give_up_ms` and reported as `multicast_gap`, never silently.
//
// Events of publishers that may not publish are not delivered. One that may, but is not known to yet, is waited for by
// what depends on its events for `stranger_ms`; after that they are skipped, and reported as a gap when it is known.
//
// A publisher that signs two events for one place in its chain has forked: nothing of it is delivered any more, here
// and wherever the proof arrives.
//
// A node that joins delivers what is published after its join: it asks a member where the chains are, and for at most
// `history` of the latest events. `multicast_joined` says when that is done: what is published later is delivered.
#pragma once

#include "hanse/protocols/dissemination.hpp"
#include "hanse/protocols/multicast_control.hpp"

namespace hanse {

/// Bounds and times; guesses unless a source is named.
struct multicast_config {
  std::size_t chains_max = 4096;            ///< publishers' lives known
  std::size_t chains_per_publisher_max = 4; ///< the latest epochs; what is older is over
  std::size_t rumours_max = 64;             ///< chains that were only heard of, no event of theirs was verified
  std::size_t pending_max = 4096;           ///< received events that wait for others
  std::size_t pending_octets_max = 16 * 1024 * 1024;
  std::size_t store_events_max = 16'384; ///< delivered events kept for others
  std::size_t store_octets_max = 32 * 1024 * 1024;
  std::size_t publish_queue_max = 8192;  ///< events that wait for `flush`
  std::uint32_t digest_ms = 1000;        ///< design section 9
  std::uint32_t digest_rounds = 8;       ///< so often after the last news; then idle_digest_ms
  std::uint32_t idle_digest_ms = 10'000; ///< finds what a partition hid
  std::size_t digest_fanout = 3;         ///< peers that get a digest
  std::uint32_t digest_reply_ms = 200;   ///< a peer's digest is answered no more often
  std::uint32_t want_delay_ms = 20;      ///< a gap may be reordering
  std::uint32_t want_timeout_ms = 200;   ///< then the next source is asked; half as long again each time
  std::uint32_t want_timeout_max_ms = 2000;
  std::uint32_t give_up_ms = 30'000;      ///< then, if half of the members (at most 16) lack it, it is skipped
  std::uint32_t give_up_max_ms = 600'000; ///< then it is skipped in any case
  std::uint32_t stranger_ms = 10'000;     ///< an event waits so long for one of a publisher that may not publish, as
                                          ///< far as is known here: word of its membership may be on its way
  std::uint32_t join_timeout_ms = 300;    ///< then the next member is asked
  std::uint32_t join_tries = 10;          ///< members asked in vain, then the node is on its own
  std::uint32_t join_alone_ms = 1000;     ///< nobody to ask for so long: the node is the first
  std::uint64_t answer_octets_per_second = 8 << 20; ///< to each peer, for its wants and joins
  std::uint64_t answer_octets_burst = 8 << 20;
};

/// Where the signed octets of an event are, for whoever keeps them longer than this machine does.
struct parcel_place {
  std::shared_ptr<const event_parcel> parcel; ///< null for unreliable events
  std::uint32_t index = 0;
};

/// Hand this event to the local subscribers, in the order of these effects.
struct multicast_deliver {
  topic_event event;
  digest id;
  parcel_place where = {};
};

/// A join took its place in that order: subscribers do not get it, an archive of the topic needs it.
struct multicast_pass {
  topic_event event;
  parcel_place where;
};

/// Give this parcel to the dissemination protocol.
struct multicast_broadcast {
  shared_bytes parcel;
};

/// Events `lost` are kept by nobody who could be asked: they are skipped.
struct multicast_gap {
  chain_range lost;
};

/// `publisher` signed contradictory events; nothing of it is delivered any more.
struct multicast_forked {
  identity publisher;
  fork_proof proof;
};

/// This node has joined: what is published from now on is delivered.
struct multicast_joined {};

using multicast_effect = std::variant<multicast_deliver, multicast_pass, multicast_broadcast, peer_message,
                                      multicast_gap, multicast_forked, multicast_joined, peer_faulted>;
using multicast_effects = std::vector<multicast_effect>;

struct multicast_stats {
  std::uint64_t published = 0, delivered = 0, duplicates = 0, invalid = 0, unauthorised = 0, forked = 0;
  std::uint64_t repaired = 0, wants_sent = 0, wants_received = 0, refused = 0, digests_sent = 0, gaps = 0, dropped = 0;
  std::size_t pending = 0, stored = 0, chains = 0;
};

/// One machine for one topic. Not thread-safe. Effects are appended to `out` in the order in which they are to be
/// performed. `now` must not go back. Errors of peers are returned or counted; nothing throws.
///
/// Use: `peers_changed`, `start`; then inputs; `flush` after each burst of `publish`; `tick` when `next_timer` is due.
class causal_multicast {
public:
  /// `verifier` and `random` must outlive the machine. `self` is this node.
  causal_multicast(const identity& topic, const identity& self, event_verifier& verifier, random_source& random,
                   const multicast_config& config = {});
  ~causal_multicast();
  causal_multicast(causal_multicast&&) noexcept;
  causal_multicast& operator=(causal_multicast&&) noexcept;

  /// Who may publish; everyone until this is called. Asked for each parcel, so it should be quick.
  void authorise(std::function<bool(const identity& publisher)> may_publish);

  /// The nodes of this topic (all, without this one), and those that the dissemination protocol talks to: the first
  /// ones to be asked for what is missing. Others are not listened to.
  void peers_changed(std::vector<identity> members, std::vector<identity> near, time_ms now);

  /// Begins to join. `history`: events before the join that are wanted, at most join_history_max.
  void start(std::uint32_t history, time_ms now);

  /// In place of `start`: goes on from the marks of an earlier life of this node.
  void resume(const std::vector<chain_mark>& marks, time_ms now, multicast_effects& out);

  /// Up to where each chain was delivered; for `resume`.
  std::vector<chain_mark> marks() const;

  // --- publishing ---

  /// A publisher on this node. `epoch` is higher in every life, e.g. from message_clock; at most wire_number_max.
  /// Errors: `already_exists`, `table_full`.
  expected<unit> add_publisher(std::shared_ptr<event_signer> signer, std::uint64_t epoch);
  void remove_publisher(const identity& publisher);

  /// Takes an event; it is signed, sent and delivered here by `flush`.
  /// Errors: `not_found` (no such publisher), `too_long`, `queue_full`, `permission_denied` (it may not publish).
  expected<unit> publish(const identity& publisher, shared_bytes body, event_mode mode, time_ms now);

  /// The end of a burst: signs what was published, in as few parcels as possible.
  void flush(time_ms now, multicast_effects& out);

  // --- from the network ---

  /// A parcel that the dissemination protocol received. It is forwarded if the answer is `fresh`.
  payload_verdict offer(const identity& from, const shared_bytes& parcel, time_ms now, multicast_effects& out);

  /// A body of another node's causal_multicast. Errors: those of decode_multicast_control; `permission_denied` (not a
  /// member); what is not owed (a flood) is dropped and counted.
  expected<unit> receive(const identity& from, byte_view body, time_ms now, multicast_effects& out);

  void tick(time_ms now, multicast_effects& out);
  std::optional<time_ms> next_timer() const;

  /// The latest delivered events that are kept, oldest first, at most `count`.
  std::vector<multicast_deliver> history(std::size_t count) const;

  bool joined() const noexcept;
  multicast_stats stats() const;

  class impl; ///< in internal/causal_state.hpp

private:
  std::unique_ptr<impl> impl_;
};

} // namespace hanse
