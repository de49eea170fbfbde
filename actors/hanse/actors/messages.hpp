// What Hanse's own actors say to each other, and the type ids for it. Never serialised: these messages stay in one
// process, so they may hold keys, handles and shared buffers. Not the wire (protocols/envelope.hpp).
#pragma once

#include "hanse/actors/block_messages.hpp"
#include "hanse/actors/caf_compat.hpp"
#include "hanse/crypto/keys.hpp"
#include "hanse/domains/domain_node.hpp"
#include "hanse/domains/lace_drawing.hpp"
#include "hanse/domains/topic_archive.hpp"
#include "hanse/protocols/reliable_unicast.hpp"
#include "hanse/protocols/routing.hpp"
#include "hanse/protocols/topics.hpp"
#include "hanse/transport/link_metrics.hpp"
#include "hanse/transport/outbound.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/is_error_code_enum.hpp>

#include <functional>

// The block's start can be moved (CMake: HANSE_TYPE_ID_START), so that a host program keeps its ids; the default leaves
// 800 ids after CAF's own to the host.
#ifndef HANSE_TYPE_ID_START
#define HANSE_TYPE_ID_START (caf::first_custom_type_id + 800)
#endif

namespace hanse {

/// Returned to its link when everything that came in one chunk has been handled: what bounds the work under way.
/// Shared by the messages of the chunk; the last one to go gives the credit back.
class credit {
public:
  explicit credit(std::function<void()> give_back) : give_back_(std::move(give_back)) {}
  credit(const credit&) = delete;
  credit& operator=(const credit&) = delete;
  ~credit() { give_back_(); }

private:
  std::function<void()> give_back_;
};
using credit_ptr = std::shared_ptr<const credit>;

/// A message on its way out of an engine. `token` and `reply_to` say who gets the answer; no `reply_to`: nobody.
struct post {
  envelope message; ///< id and stream are the router's to fill
  bool reliable = false;
  bool traced = false; ///< give it a trace id, if it has none
  std::uint64_t token = 0;
  caf::strong_actor_ptr reply_to; ///< an answer_sink_actor

  // the router's own, for a copy of a message to several receivers
  message_id group = 0;   ///< that message
  std::size_t member = 0; ///< who of them
  identity next_hop = {}; ///< set: this node and no other
};

/// What became of a post: a reply, a fault, or (reliable, no reply expected) its acknowledgement.
struct answer {
  std::uint64_t token = 0;
  std::optional<fault_body> fault;
  shared_bytes body; ///< of the reply
  bool acknowledged = false;
  trace_id trace;
  message_id id = 0;
  identity from;
};

/// The answer that `token`'s message failed.
inline answer failed(std::uint64_t token, fault_body fault) {
  answer a;
  a.token = token;
  a.fault = std::move(fault);
  return a;
}

/// What names one link to protocols that run inside it (channel_binding in transport/secure_session.hpp).
using channel_ptr = std::shared_ptr<const join_channel>;

/// A verified message on its way to an engine or a service.
struct inbound {
  envelope message;
  credit_ptr credit = {};
  std::optional<stream_ref> delivery = {}; ///< reliable: to be named in `handled`; never set for services
  identity peer = {}; ///< the node that sent it and hosts its source; this node if it is from here; none if reliable
  channel_ptr channel = {}; ///< for services: of the link to `peer`, as it is when the message is handed over
  bool judged = false;      ///< came in a bundle of a courier, which was judged for its time and for being new
};

/// The engine has handled (or refused) a reliable delivery.
struct handled {
  stream_ref delivery;
  errc result = errc::none;
};

/// One value for the store; an empty value removes the key.
struct record {
  std::string table;
  bytes key;
  bytes value;
};

/// A local engine as the router knows it.
struct engine_entry {
  identity id;
  std::string name;
  std::string type;                   ///< in the registry; empty for engines spawned by code
  std::optional<key_pair> key;        ///< always set
  std::vector<protocol_id> protocols; ///< what it speaks, newest first
  caf::strong_actor_ptr gateway;      ///< a gateway_actor
  caf::strong_actor_ptr engine;       ///< the engine itself, for direct local use
  std::uint64_t advert_version = 0;   ///< 0: new; a moved engine brings its last one
  std::vector<identity> serves = {};  ///< domains: takes what is addressed to any of their members
};

/// One engine in a listing.
struct engine_info {
  identity id;
  std::string name;
  std::string type;
  identity node;
  bool local = false;
  std::vector<protocol_id> protocols;
  std::uint64_t version = 0;
};

/// What a link carried since it is up, and what waits to be signed and sent.
struct link_load {
  std::uint64_t messages_in = 0, messages_out = 0;
  std::uint64_t octets_in = 0, octets_out = 0; ///< as on the wire
  std::uint64_t queued_messages = 0, queued_octets = 0;
  time_ms measured_ms = 0; ///< when; every second. 0: not yet
};

/// One node in a listing.
struct peer_info {
  identity id;
  std::string name;
  std::vector<weighted_address> addresses;
  bool connected = false;
  bool pinned = false;
  std::uint8_t trust = trust_default;
  std::int32_t reputation = 0;
  measurements measured;
  link_load load;
};

/// One step in the life of a traced message.
struct trace_event {
  std::uint64_t time_us = 0;
  trace_id trace;
  std::string event; ///< post, send, receive, deliver, reply, drop
  identity source;
  identity destination;
  message_id id = 0;
  std::string detail;
};

/// What a link tells its node.
struct link_event {
  enum class kind : std::uint8_t { up, closed, measured, active };
  kind what = kind::up;
  std::uint64_t link = 0;
  identity peer;
  hanse::error reason;        ///< of `closed`
  std::uint64_t id_floor = 0; ///< of `up`: the far side refuses message ids up to here
  std::uint64_t life = 0;     ///< of `up`: another one than before means that the far side has restarted
  link_metrics measured;      ///< of `measured`
  link_load load = {};        ///< of `measured`
  channel_ptr channel = {};   ///< of `up`
};

/// An event of a topic, for a subscriber at this node.
struct topic_delivery {
  identity topic;
  identity publisher;
  std::uint64_t epoch = 0;  ///< of the publisher: higher in each of its lives
  std::uint64_t seq = 0;    ///< 1, 2, … in that life; joins of its past, which nobody gets, count too
  time_ms published_ms = 0; ///< the publisher's clock
  bool is_causal = true;    ///< false: published unreliably
  shared_bytes body;
};

/// What the node is asked to publish in the name of `source`: a local engine, or the node.
struct topic_publication {
  identity topic;
  identity source;
  shared_bytes body;
  event_mode mode = event_mode::causal;
};

/// A wish to get events: of a topic, or, without one, of all topics of a domain with a tag. `listener`: a
/// topic_listener_actor; none: events are kept until they are fetched.
struct topic_wish {
  identity topic;
  identity domain;
  std::string tag;
  std::uint32_t history = 0; ///< events before now that are wanted, at most topic_history_max
  caf::strong_actor_ptr listener;
};

/// Events that were fetched. `missed`: so many were not fetched in time and are gone.
struct topic_fetch {
  std::vector<topic_delivery> events;
  std::uint64_t missed = 0;
};

/// One topic, for `hanse topic show`.
struct topic_report {
  topic_info info;
  std::vector<identity> forked; ///< publishers that contradicted themselves
  std::uint64_t lost = 0;       ///< events that nobody had any more
  bool kept = false;            ///< this node takes part whether or not it has subscribers
  bool in_domain = false;
  std::string dissemination;                  ///< how its events travel
  std::optional<topic_archive_stats> archive; ///< of this node, which keeps the topic
  error why;                                  ///< why there are no topics of its domain here
};

} // namespace hanse

#define HANSE_FOR_EACH_MESSAGE(X)                                                                                      \
  X(hanse::error)                                                                                                      \
  X(std::vector<hanse::weighted_address>)                                                                              \
  X(hanse::post)                                                                                                       \
  X(hanse::answer)                                                                                                     \
  X(hanse::inbound)                                                                                                    \
  X(hanse::handled)                                                                                                    \
  X(hanse::record)                                                                                                     \
  X(hanse::route)                                                                                                      \
  X(hanse::way)                                                                                                        \
  X(hanse::route_request)                                                                                              \
  X(hanse::route_explanation)                                                                                          \
  X(hanse::enrolment)                                                                                                  \
  X(hanse::domain_change)                                                                                              \
  X(hanse::domain_role_changed)                                                                                        \
  X(hanse::lace_drawing)                                                                                               \
  X(std::vector<hanse::domain_report>)                                                                                 \
  X(std::vector<hanse::domain_member>)                                                                                 \
  X(hanse::topic_publication)                                                                                          \
  X(hanse::topic_wish)                                                                                                 \
  X(hanse::topic_fetch)                                                                                                \
  X(std::vector<hanse::topic_delivery>)                                                                                \
  X(std::vector<hanse::topic_report>)                                                                                  \
  X(hanse::digest)                                                                                                     \
  X(hanse::content_wish)                                                                                               \
  X(hanse::content_kept)                                                                                               \
  X(hanse::block_batch)                                                                                                \
  X(hanse::spread_wish)                                                                                                \
  X(hanse::spread_state)                                                                                               \
  X(hanse::content_get_wish)                                                                                           \
  X(hanse::content_part)                                                                                               \
  X(hanse::block_report)                                                                                               \
  X(hanse::topic_tree)                                                                                                 \
  X(std::vector<hanse::block_entry>)                                                                                   \
  X(hanse::verify_result)                                                                                              \
  X(hanse::domain_members)                                                                                             \
  X(hanse::engine_entry)                                                                                               \
  X(hanse::peer_info)                                                                                                  \
  X(hanse::engine_info)                                                                                                \
  X(hanse::trace_event)                                                                                                \
  X(hanse::link_event)                                                                                                 \
  X(hanse::outbound)                                                                                                   \
  X(std::vector<hanse::bytes>)                                                                                         \
  X(std::vector<hanse::outbound>)                                                                                      \
  X(std::vector<hanse::post>)                                                                                          \
  X(std::vector<hanse::answer>)                                                                                        \
  X(std::vector<hanse::inbound>)                                                                                       \
  X(std::vector<hanse::handled>)                                                                                       \
  X(std::vector<hanse::record>)                                                                                        \
  X(std::vector<hanse::peer_info>)                                                                                     \
  X(std::vector<hanse::engine_entry>)                                                                                  \
  X(std::vector<hanse::engine_info>)                                                                                   \
  X(std::vector<hanse::trace_event>)
