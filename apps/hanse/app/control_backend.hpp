// What a running node answers to the control socket, as an interface: the node behind it, or a fake in tests.
// Not the wire form (control_server.hpp). Requests are plain structs, answers JSON objects whose keys are listed here;
// `hanse`'s tables, the cluster runner's `assert` and scripts read those keys, more keys may be added.
#pragma once

#include "hanse/crypto/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace hanse::app {

/// An answer: a JSON object, or an error.
using control_result = expected<nlohmann::json>;

/// What a message asks of its way. The defaults ask for nothing but encryption.
struct preference_request {
  std::string within; ///< a domain, by identity or name: only its members
  bool local = false; ///< only this node
  std::uint8_t trust_min = 0;
  std::uint32_t rtt_max_ms = 0; ///< 0: no bound
  bool ordered = false;         ///< transports that keep the order
  bool unordered = false;       ///< with `unreliable`: rather in datagrams than over a link
  bool unreliable = false;
  bool any_security = false; ///< also ways without forward secrecy (spool, relay)
};

inline constexpr std::size_t traces_listed_max = 100;

/// `hanse send`.
struct send_request {
  std::string destination; ///< an identity, or the name of an engine, node, domain or topic known here
  std::string from;        ///< name or identity of a local engine; empty: the node itself
  std::string protocol;    ///< "name/version", checked
  std::string body;        ///< the text of a JSON array: the handler's arguments, atoms by short name
  bool reliable = false;   ///< reliable causal unicast; the answer then waits for the acknowledgement
  bool expect_reply = false;
  std::chrono::milliseconds timeout{10'000};
  preference_request wants = {};
};

/// `hanse why`.
struct why_request {
  std::string destination;
  preference_request wants = {};
  std::chrono::milliseconds timeout{10'000}; ///< as that of the message
};

/// `hanse ping`: to a node, or to the node that hosts an engine.
struct ping_request {
  std::string destination;
  std::chrono::milliseconds timeout{5'000};
};

/// `hanse engine spawn`.
struct spawn_request {
  std::string name;
  std::string type;
  std::string parameters = "{}";        ///< the text of a JSON object
  std::vector<std::string> serves = {}; ///< domains, by identity or name
};

/// A fault made on purpose, for tests and the demo. Refused with `permission_denied` unless the node's configuration
/// says "testing": true. The node that is asked sends the bad message, the target has to refuse and to count it.
struct inject_request {
  std::string kind;   ///< "broken_signature", "replay" (a valid message twice), "impostor" (a source hosted elsewhere),
                      ///< "unauthorised_event" (of the node's own, whether it may publish or not)
  std::string target; ///< an engine, or a topic, by identity or name
  std::string claim;  ///< with "impostor": the engine whose identity is claimed; empty: any known one
  std::uint32_t count = 1;
};

/// `hanse domain …`: what to do with a domain. Which fields an action needs: docs/control.md.
struct domain_request {
  std::string
      action; ///< enter, publish, leave, expel, promote, put, assume_current, status, members, graph, find, checkpoint
  std::string domain;   ///< an identity, or the name of a domain known here; of `status`: empty for all
  std::string advert;   ///< a ticket, hdomain1…
  std::string key_file; ///< absolute
  std::string instance;
  std::string member; ///< a node, by identity or name
  std::uint8_t level = 0;
  std::string key, value;
  std::uint32_t blocks = 500;     ///< of `graph`, the newest
  std::string request, signature; ///< of `checkpoint`, in hexadecimal; none: what is to be signed
  std::uint32_t replicas = 0;     ///< of its archive, at other members
};

/// `hanse topic …`, `hanse pub`, `hanse sub`. Which fields an action needs: docs/control.md.
struct topic_request {
  std::string action; ///< add, list, show, keep, publish, subscribe, events, unsubscribe
  std::string topic;  ///< an identity, or the name of a topic known here
  std::string domain; ///< of `subscribe` by tag
  std::string tag;
  std::string advert; ///< its octets, in hexadecimal
  std::string body;   ///< the text of a JSON array
  std::string from;   ///< a local engine; empty: the node
  bool unreliable = false;
  bool wanted = true; ///< of `keep`
  std::uint32_t history = 0;
  std::uint64_t subscription = 0;
  std::uint32_t count = 256;
  std::uint32_t wait_ms = 0; ///< of `events`: for the first one
};

/// `hanse put`, `hanse get`, `hanse block …`. Which fields an action needs: docs/control.md.
struct block_request {
  std::string action;  ///< put, get, stat, list, gc, verify
  std::string domain;  ///< an identity, or the name of a domain known here; empty: the only one that this node is in
  std::string content; ///< of `get`: a capability, urn:eris:…
  std::uint64_t size_max = 1ull << 40; ///< of `get`, octets
  bool is_private = false;
  std::uint64_t lease_ms = 0; ///< 0: for ever here
  std::uint32_t replicas = 0;
  std::string after; ///< of `list`: a block's name, in hexadecimal; empty: from the first
  std::uint32_t count = 256;
};

/// `hanse spool ls`.
struct spool_request {
  std::string after; ///< a file name; empty: from the first
  std::uint32_t count = 256;
};

/// What may come with a request, and what may be told before its answer.
struct control_channel {
  int file = -1; ///< an open file of the client's, for as long as the call; -1: none
  /// Sends a progress line. False: the client is gone, give up. Empty: nobody listens.
  std::function<bool(nlohmann::json)> progress = {};
};

/// Every call may come from several threads at once, may block up to its timeout (where there is none: 5 s), and never
/// throws for what a peer or a user did.
class control_backend {
public:
  virtual ~control_backend() = default;

  /// name, identity, addresses [text], ticket, version, pid, uptime_ms, engines (count), peers (known nodes), links
  /// (established), control_socket, data_dir.
  virtual control_result status() = 0;

  /// peers: [{identity, name, addresses [text], connected, transport, address, rtt_us, loss, throughput, trust,
  /// reputation, permanent, sent, received (octets), messages_sent, messages_received, queued (messages that wait to be
  /// sent), queued_octets, measured_ms (when these six were)}]; what is not known is null.
  virtual control_result peers() = 0;

  /// engines: [{identity, name, type, node, node_name, local, state, protocols [text], version}], local ones first.
  virtual control_result engines() = 0;

  /// Learns a node from its ticket and links to it. Answer: identity, name, addresses, fresh (false: known already).
  virtual control_result add_ticket(const std::string& ticket) = 0;

  /// Answer: id (text), trace (32 hex digits), destination, node; acknowledged (with `reliable`); reply (a JSON array,
  /// with `expect_reply`); elapsed_us. A fault from the other side is the error, with its code and detail.
  virtual control_result send(const send_request& request) = 0;

  /// Answer: destination, node, node_name, rtt_us.
  virtual control_result ping(const ping_request& request) = 0;

  /// How much a node or engine is trusted from now on: 0 (banned) to 255. Answer: identity, trust. The default: a node
  /// that keeps none.
  virtual control_result trust(const std::string& who, std::uint8_t trust);

  /// Answer: destination, kind (engine, node, group, domain, topic), chosen (node or null), protocol (of routing),
  /// reason (a sentence), constraints (what was asked for), candidates: [{node, name, destination, local, connected,
  /// trust, reputation, rtt_us, weight, verdict, reason}] best first; verdict is "chosen", "possible" or an errc name.
  virtual control_result why(const why_request& request) = 0;

  /// What this node saw of a trace. Answer: trace, events: [{time_us (since the epoch), node, node_name, event, source,
  /// destination, id, detail}] in order of time.
  virtual control_result trace(const std::string& trace_id) = 0;

  /// The traces that this node saw begin last, newest first, at most `traces_listed_max`. Answer: traces: [{trace,
  /// time_us, event, source, destination}] with the first step that is remembered. The default: a node without traces.
  virtual control_result traces();

  /// Answer: drops {errc name: count}, messages {sent, received, delivered, forwarded, …}, more as the node has it.
  virtual control_result counters() = 0;

  /// Answer: as one entry of engines().
  virtual control_result spawn_engine(const spawn_request& request) = 0;

  /// Answer: name, identity. The key stays.
  virtual control_result stop_engine(const std::string& engine) = 0;

  /// Stops an engine and writes what it needs to go on elsewhere (type, parameters, key, advert version, stream state)
  /// to `file`, 0600, never over an existing file; it does not come back here on restart. Answer: name, identity, file.
  virtual control_result export_engine(const std::string& engine, const std::string& file) = 0;

  /// Starts an exported engine here and advertises it. The file is removed once that is durable. Answer: as spawn.
  virtual control_result import_engine(const std::string& file) = 0;

  /// Answer: sent (count).
  virtual control_result inject(const inject_request& request) = 0;

  /// Answers of the actions: runtime_domains.cpp. The default: a node without domains.
  virtual control_result domain(const domain_request& request);

  /// Answers of the actions: runtime_topics.cpp. The default: a node without topics.
  virtual control_result topic(const topic_request& request);

  /// Answers of the actions: runtime_blocks.cpp. The default: a node without blocks. `put` reads the channel's file to
  /// its end, `get` writes to it; both take as long as they take, with progress several times a second.
  virtual control_result block(const block_request& request, const control_channel& channel);

  /// Answer: directory; files: [{file, octets, recipient, name (of a known node), here (for this node), expires_ms}] in
  /// order of their names; recipient and expires_ms are null for what is no bundle; now_ms. The default: no spool.
  virtual control_result spool(const spool_request& request);

  /// Stops the node cleanly: adverts and streams are durable, links closed. Called once, from the main thread; returns
  /// when all is down. The other calls answer `cancelled` from then on.
  virtual void stop() = 0;
};

} // namespace hanse::app
