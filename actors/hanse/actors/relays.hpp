// Relayed messages of a running node, for programs: reach nodes that only others can reach, be reached through others,
// and, where that is wanted, pass messages of others on. Start here. docs/transports.md "Relays" says what is promised.
//
//   node_options o;                                         // at a node that nobody can dial
//   o.advertise_too = hanse::relay_addresses({relay});
//   auto r = hanse::node_relay::start(*n, {.through = {relay}});
#pragma once

#include "hanse/actors/node.hpp"
#include "hanse/transport/relay.hpp"

namespace hanse {

struct relay_options {
  relay_config config = {};           ///< by default a node passes nothing on
  std::vector<identity> through = {}; ///< relays of this node: a link to each is always kept
};

/// To be in `node_options::speaks` of a node with relaying.
std::vector<protocol_id> relay_node_protocols();

/// "relay://hk1…" of each, for `node_options::advertise_too`.
std::vector<std::string> relay_addresses(const std::vector<identity>& relays);

/// Lives as long as it is wanted, and no longer than the node. Without it a node neither sends, nor passes on, nor gets
/// relayed messages.
class node_relay {
public:
  /// Errors: those of node::register_service and node::register_carrier.
  static expected<std::unique_ptr<node_relay>> start(node& n, relay_options options);

  ~node_relay();
  node_relay(const node_relay&) = delete;
  node_relay& operator=(const node_relay&) = delete;

private:
  node_relay(std::shared_ptr<node_core> core, service_actor actor) : core_(std::move(core)), actor_(std::move(actor)) {}
  std::shared_ptr<node_core> core_;
  service_actor actor_;
};

} // namespace hanse
