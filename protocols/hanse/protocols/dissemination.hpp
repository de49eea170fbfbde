// How the payloads of a topic reach its nodes: the interface that a dissemination protocol implements, and the registry
// that makes one by name. Not the order of events, nor repair of what gets lost on the way (causal_multicast.hpp does
// both): a protocol here does its best. Design section 9; docs/topics.md shows one written from scratch.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/protocols/envelope.hpp"
#include "hanse/protocols/peer_message.hpp"

#include <functional>
#include <map>
#include <memory>
#include <variant>

namespace hanse {

inline constexpr std::size_t dissemination_message_max = 700 * 1024; ///< octets, of the payloads in one message

/// What to do with a payload that came from a peer.
enum class payload_verdict : std::uint8_t {
  fresh,     ///< new and right: forward it
  duplicate, ///< nothing in it is new; it was *not* verified, so it is not forwarded
  unwanted,  ///< nobody may publish it (any more): not forwarded; the sender may have known no better
  invalid,   ///< no honest node sends this
};

/// Judges payloads before they are forwarded, and takes what is new.
class payload_sink {
public:
  virtual ~payload_sink() = default;
  virtual payload_verdict offer(const identity& from, const shared_bytes& payload, time_ms now) = 0;
};

/// A peer did what no honest one does, or claimed to have payloads and did not give them (`not_found`): for its
/// reputation. The protocol has drawn its own consequences.
struct peer_faulted {
  identity peer;
  error why;
};

using dissemination_effect = std::variant<peer_message, peer_faulted>;
using dissemination_effects = std::vector<dissemination_effect>;

struct dissemination_stats {
  std::uint64_t broadcast = 0;     ///< payloads of this node
  std::uint64_t payloads_sent = 0; ///< copies
  std::uint64_t payloads_received = 0;
  std::uint64_t fresh = 0;         ///< of these
  std::uint64_t announcements = 0; ///< sent, counted by payload
  std::uint64_t grafts = 0, prunes = 0;
  std::uint64_t dropped = 0; ///< from full queues of slow peers
  std::uint64_t invalid = 0, scored_out = 0;
  std::uint32_t last_hop = 0; ///< the most hops that a fresh payload took to here
};

/// A dissemination protocol at one node, for one topic. Not thread-safe; sans-IO: effects are appended to `out`. `now`
/// does not go back. Bodies are canonical msgpack, arrays that begin with kind and version; other nodes' messages come
/// in as `receive` and are peer input: bounded, answered with an error, never thrown at.
class dissemination {
public:
  virtual ~dissemination() = default;

  /// All nodes of the topic, this one not included, ascending. They are not all reachable.
  virtual void members_changed(const std::vector<identity>& members, time_ms now, dissemination_effects& out) = 0;

  /// Hints of the host: there is a link to the node, or it broke. Nothing may rest on them.
  virtual void peer_up(const identity&, time_ms, dissemination_effects&) {}
  virtual void peer_down(const identity&, time_ms, dissemination_effects&) {}

  /// Whether the host's queue to the node takes more; false: keep what is for it, up to your own bound.
  virtual void peer_writable(const identity&, bool, time_ms, dissemination_effects&) {}

  /// A payload of this node, for all others.
  virtual void broadcast(const shared_bytes& payload, time_ms now, dissemination_effects& out) = 0;

  /// A message of `from`, a member. What is new in it has been given to the sink when this returns.
  virtual expected<unit> receive(const identity& from, byte_view body, time_ms now, dissemination_effects& out) = 0;

  /// The end of a burst: what is for one peer goes as one message.
  virtual void flush(time_ms now, dissemination_effects& out) = 0;

  virtual void tick(time_ms, dissemination_effects&) {}
  virtual std::optional<time_ms> next_timer() const { return {}; }

  /// Whom this node talks to at present; ascending.
  virtual std::vector<identity> neighbours() const = 0;

  /// The neighbours that payloads go to at once: with a spanning tree, its links here. For people to look at.
  virtual std::vector<identity> eager() const { return neighbours(); }

  virtual dissemination_stats stats() const = 0;
};

/// What a protocol is made with; all outlive it.
struct dissemination_context {
  identity self;
  payload_sink& sink;
  random_source& random;
};

/// From the domain's configuration: names and values.
using dissemination_params = std::map<std::string, std::string>;

using dissemination_factory =
    std::function<expected<std::unique_ptr<dissemination>>(const dissemination_context&, const dissemination_params&)>;

/// Protocols by name ("full-mesh/1"). Copyable; add your own before you hand it to `topics`.
class dissemination_registry {
public:
  /// With "full-mesh/1" and "plumtree/1".
  static dissemination_registry builtin();

  /// Replaces what has the name already.
  void add(const std::string& name, dissemination_factory make) { factories_[name] = std::move(make); }

  /// Errors: `unsupported_protocol`; `bad_config` (a parameter that the protocol does not know, or out of its range).
  expected<std::unique_ptr<dissemination>> make(const std::string& name, const dissemination_context& context,
                                                const dissemination_params& params = {}) const;

  /// Whether `make` would succeed. Errors: the same.
  expected<unit> check(const std::string& name, const dissemination_params& params) const;

  std::vector<std::string> names() const;

private:
  std::string known() const;

  std::map<std::string, dissemination_factory> factories_;
};

/// Reads unsigned parameters within bounds, and finds the ones that nobody asked for.
class param_reader {
public:
  explicit param_reader(const dissemination_params& params) : left_(params) {}

  /// Sets `value` if the parameter is there.
  void number(const std::string& name, std::uint64_t min, std::uint64_t max, std::uint64_t& value);

  /// Error: `bad_config`, for the first thing that was wrong.
  expected<unit> finish();

private:
  dissemination_params left_;
  std::optional<error> error_;
};

} // namespace hanse
