// The topics of a node: which exist, who takes part in them, publishing and subscribing. Start here; below it are
// causal_multicast.hpp (order and repair) and dissemination.hpp (the way through the network), one of each for every
// topic that this node takes part in. Not domains: their members and settings come in as `topic_domain`.
// Spec: publish-subscribe in "Design overview" and "Routing"; design section 9. Octets: docs/topics.md.
//
// A node takes part in a topic while it has a subscriber or a publisher there. It tells all members of the domain (a
// roster, acknowledged, repeated now and then), so that events travel among those nodes only. Adverts of topics go to
// all members of their domain.
#pragma once

#include "hanse/protocols/causal_multicast.hpp"
#include "hanse/protocols/topic_advert.hpp"

namespace hanse {

/// The protocol of this machine's messages between nodes.
inline constexpr std::string_view topics_protocol_name = "hanse.topics";

inline constexpr std::size_t topic_archive_body_max = 700 * 1024; ///< octets; with its frame within body_size_max

/// Bounds and times; guesses.
struct topics_config {
  std::size_t adverts_max = 4096;      ///< over all domains; those with local participants are never evicted
  std::size_t instances_max = 1024;    ///< topics that this node takes part in
  std::size_t subscribers_max = 4096;  ///< of one topic at this node
  std::uint32_t roster_retry_ms = 500; ///< doubles up to roster_retry_max_ms until acknowledged
  std::uint32_t roster_retry_max_ms = 30'000;
  std::uint32_t roster_refresh_ms = 300'000;
  std::uint32_t roster_life_ms = 900'000; ///< a node that was silent for so long takes part in nothing
  std::uint32_t roster_wait_ms = 2000;    ///< a subscriber waits so long for the rosters of others before it joins
  std::uint32_t catalogue_ms = 500;       ///< between two requests for the adverts of a domain; doubles after four
  multicast_config multicast;             ///< of every topic
};

/// A domain as this machine needs to know it.
struct topic_domain {
  std::vector<identity> members;             ///< nodes; any order, this one may be among them
  std::string dissemination = "full-mesh/1"; ///< a name in the registry
  dissemination_params params;
  std::function<bool(const identity& publisher)> may_publish; ///< where adverts leave it to the domain; empty: everyone
};

/// Names a subscriber at this node; the host's choice (an actor, a connection).
using subscriber_token = std::uint64_t;

/// Hand the event to the subscribers `to`, in the order of these effects.
struct topic_deliver {
  topic_event event;
  digest id;
  std::shared_ptr<const std::vector<subscriber_token>> to;
  parcel_place where = {};
};

/// A join took its place in the order of a topic with subscribers here: they do not get it, an archive needs it.
struct topic_pass {
  topic_event event;
  parcel_place where;
};

/// What the host of the topic's archive at `from` says to that of ours (domains/topic_archive.hpp).
struct topic_archive_body {
  identity topic, from;
  bytes body;
};

/// What is published in `topic` from now on is delivered to the subscribers here.
struct topic_joined {
  identity topic;
};

/// Events that nobody has any more were skipped.
struct topic_gap {
  identity topic;
  chain_range lost;
};

/// A publisher contradicted itself; nothing of it is delivered in `topic` any more.
struct topic_forked {
  identity topic;
  identity publisher;
  fork_proof proof;
};

/// An advert is new or has a higher version; keep its octets for `add_advert` after a restart.
struct topic_known {
  signed_topic_advert advert;
};

using topics_effect = std::variant<peer_message, topic_deliver, topic_joined, topic_gap, topic_forked, topic_known,
                                   topic_pass, topic_archive_body, peer_faulted>;
using topics_effects = std::vector<topics_effect>;

struct topic_info {
  signed_topic_advert advert;
  std::vector<identity> nodes; ///< that take part, as far as known; ascending
  bool here = false;           ///< this node does
  bool joined = false;
  multicast_stats multicast;
  dissemination_stats dissemination;
  std::vector<identity> neighbours = {}, eager = {}; ///< of the dissemination protocol here
};

/// One machine for all topics of a node. Not thread-safe; sans-IO; `now` does not go back.
///
/// Use: `domain_changed` and `add_advert` for what is known; inputs; `flush` at the end of each burst of them: it signs
/// what was published and sends what was collected; `tick` when `next_timer` is due. Messages go out as `peer_message`
/// and come in by `receive`.
class topics {
public:
  /// `verifier` and `random` must outlive the machine.
  topics(const identity& self, event_verifier& verifier, random_source& random,
         dissemination_registry registry = dissemination_registry::builtin(), const topics_config& config = {});
  ~topics();
  topics(topics&&) noexcept;
  topics& operator=(topics&&) noexcept;

  // --- domains and adverts ---

  /// A domain of this node, new or changed. A change of the protocol or its parameters restarts its topics here.
  /// Errors: those of dissemination_registry::make, with nothing changed.
  expected<unit> domain_changed(const identity& domain, topic_domain view, time_ms now, topics_effects& out);
  void domain_left(const identity& domain, time_ms now, topics_effects& out);

  /// An advert from configuration, a store or a command; told to the domain's members if it is news.
  /// Errors: those of decode_topic_advert; `stale` (a higher version is known), `table_full`.
  expected<unit> add_advert(byte_view wire, time_ms now, topics_effects& out);

  const signed_topic_advert* find(const identity& topic) const;
  std::vector<identity> all_topics() const;                                         ///< with an advert; ascending
  std::vector<identity> topics_of(const identity& domain) const;                    ///< ascending
  std::vector<identity> tagged(const identity& domain, std::string_view tag) const; ///< ascending
  std::optional<topic_info> info(const identity& topic) const;

  /// Whether events of `publisher` in the topic count, as far as is known here.
  bool may_publish(const identity& topic, const identity& publisher) const;

  /// Up to where each chain of the topic was delivered here; none of a topic that this node takes no part in.
  std::vector<chain_mark> marks(const identity& topic) const;

  // --- subscribing ---

  /// Subscribes `token`; events before that are handed over as far as they are kept, at most `history`. A topic whose
  /// advert or domain is not known yet is subscribed when it is. Errors: `already_exists`, `table_full`.
  expected<unit> subscribe(const identity& topic, subscriber_token token, std::uint32_t history, time_ms now,
                           topics_effects& out);

  /// Subscribes to all topics with the tag, those of later adverts included. Errors: `bad_value` (no tag).
  expected<unit> subscribe_tag(const identity& domain, const std::string& tag, subscriber_token token,
                               std::uint32_t history, time_ms now, topics_effects& out);

  void unsubscribe(const identity& topic, subscriber_token token, time_ms now, topics_effects& out);
  void unsubscribe(subscriber_token token, time_ms now, topics_effects& out); ///< from everything

  // --- publishing ---

  /// A publisher at this node. `epoch`: higher in each of its lives (message_clock).
  /// Errors: `not_found` (no such topic or domain), `permission_denied`, `already_exists`, `table_full`.
  expected<unit> add_publisher(const identity& topic, std::shared_ptr<event_signer> signer, std::uint64_t epoch,
                               time_ms now, topics_effects& out);
  void remove_publisher(const identity& topic, const identity& publisher, time_ms now, topics_effects& out);

  /// Takes an event; `flush` sends it, and delivers it to the subscribers here.
  /// Errors: `not_found`, `too_long`, `queue_full`, `permission_denied`.
  expected<unit> publish(const identity& topic, const identity& publisher, shared_bytes body, event_mode mode,
                         time_ms now);

  /// For tests: spreads an event of `signer`, whether it may publish or not, as a lying node could. Nothing is kept
  /// here. `epoch` is higher each time. Errors: `not_found` (this node does not take part).
  expected<unit> forge(const identity& topic, event_signer& signer, std::uint64_t epoch, shared_bytes body,
                       time_ms now);

  // --- network ---

  /// A body of `topics_protocol_name` from another node. Errors: those of msgpack_reader and of what is inside,
  /// `permission_denied` (not a member of the domain), `not_found` (a topic that this node does not take part in).
  expected<unit> receive(const identity& from, byte_view body, time_ms now, topics_effects& out);

  /// The domain that a body of `receive`, or of a `peer_message` from here, belongs to: its host lets it travel within
  /// that domain only. Reads the header alone; none if it is malformed or of an unknown topic.
  std::optional<identity> domain_of(byte_view body) const;

  /// Says `body`, at most topic_archive_body_max octets, to the host of the topic's archive at `to`.
  void tell_archive(const identity& to, const identity& topic, byte_view body, topics_effects& out) const;

  void peer_up(const identity& peer, time_ms now, topics_effects& out);
  void peer_down(const identity& peer, time_ms now, topics_effects& out);

  /// Whether the queue to `peer` takes more; while not, what is for it waits here, bounded.
  void peer_writable(const identity& peer, bool writable, time_ms now, topics_effects& out);

  void flush(time_ms now, topics_effects& out);
  void tick(time_ms now, topics_effects& out);
  std::optional<time_ms> next_timer() const;

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace hanse
