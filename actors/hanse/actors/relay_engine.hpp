// The actor around a node's relay machine (transport/relay.hpp): a service for hanse.relay, and the router's carrier
// for "relay". A relay message is an ask from node to node, answered when the next node has answered: so the first
// sender learns that the last one has it, or which one refused it. Not the choice of relays (transport/ways.hpp).
#pragma once

#include "hanse/actors/node.hpp"
#include "hanse/transport/relay.hpp"

#include <caf/stateful_actor.hpp>

namespace hanse {

/// Service, carrier and sink of answers in one.
using relay_actor = caf::typed_actor<caf::result<void>(std::vector<inbound>), caf::result<void>(link_up_atom, identity),
                                     caf::result<void>(link_down_atom, identity), caf::result<void>(stop_atom), //
                                     caf::result<void>(identity, way, std::vector<outbound>),                   //
                                     caf::result<void>(std::vector<answer>), caf::result<void>(flush_atom),
                                     caf::result<void>(stop_atom, caf::error)>;

inline constexpr std::size_t relay_open_max = 16'384; ///< messages under way, of this node and of others; a guess
/// A message of others waits at most so long here for its next node, however long it lives: it costs memory.
inline constexpr std::uint32_t relay_patience_ms = 30'000;
inline constexpr std::size_t relay_told_max = 4'096;   ///< nodes that have our adverts already
inline constexpr time_ms relay_tell_again_ms = 60'000; ///< … and may have lost them after so long; a guess

const protocol_id& relay_protocol(); ///< "hanse.relay/1.0"

class relay_engine {
public:
  using pointer = relay_actor::pointer;
  static inline const char* name = "hanse.relay";

  relay_engine(pointer self, std::shared_ptr<node_core> core, relay_config config, message_id floor);

  relay_actor::behavior_type make_behavior();

private:
  /// What waits for the answer of the next node.
  struct under_way {
    identity to;
    std::optional<envelope> request; ///< of another node, passed on; its body is gone
    std::vector<outbound> messages;  ///< of this node; their bodies are gone
    identity recipient;
    digest adverts;    ///< of ours then
    bool told = false; ///< they went along
  };

  time_ms now() const { return core_->services->now_ms(); }
  void send(const identity& to, const way& by, std::vector<outbound> messages);
  void send_with(const identity& to, const way& by, std::vector<outbound> messages, std::vector<bytes> adverts);
  void give_back(std::vector<outbound> messages, const error& why);
  void receive(inbound& in);
  void forward(const envelope& request, peer_message m);
  void deliver(const envelope& request, const bundle& content);
  void answered(answer& a);
  void post_to(const identity& to, shared_bytes body, std::uint32_t ttl_ms, under_way entry);
  void reply(const envelope& request, const error& why);
  void flush();

  pointer self_;
  std::shared_ptr<node_core> core_;
  relay machine_;
  message_id floor_;                        ///< ids up to it are refused
  std::map<std::uint64_t, under_way> open_; ///< by token
  std::uint64_t last_token_ = 0;
  std::map<identity, std::pair<digest, time_ms>> told_; ///< our adverts as a recipient has acknowledged them, when
  std::vector<post> posts_;
};

} // namespace hanse
