// Datagram links of a running node, for programs: small messages that need no order and may get lost, over DTLS. Start
// here. docs/transports.md "Datagrams" says what is promised.
//
//   auto sockets = hanse::datagram_sockets::open({"dtls://0.0.0.0:7480"});
//   node_options o;
//   o.advertise_too = (*sockets)->addresses();
//   auto d = hanse::node_datagrams::start(*n, std::move(*sockets));
#pragma once

#include "hanse/actors/datagram_sockets.hpp"
#include "hanse/actors/node.hpp"

namespace hanse {

struct datagram_options {
  bool allow_private = true; ///< dial private and loopback addresses that others advertised; as node_options
};

/// Lives as long as it is wanted, and no longer than the node.
class node_datagrams {
public:
  /// Errors: `internal` (DTLS), those of node::register_carrier.
  static expected<std::unique_ptr<node_datagrams>> start(node& n, std::unique_ptr<datagram_sockets> sockets,
                                                         datagram_options options = {});

  ~node_datagrams();
  node_datagrams(const node_datagrams&) = delete;
  node_datagrams& operator=(const node_datagrams&) = delete;

private:
  node_datagrams(std::shared_ptr<node_core> core, std::shared_ptr<datagram_sockets> sockets, carrier_actor actor)
      : core_(std::move(core)), sockets_(std::move(sockets)), actor_(std::move(actor)) {}
  std::shared_ptr<node_core> core_;
  std::shared_ptr<datagram_sockets> sockets_;
  carrier_actor actor_;
};

} // namespace hanse
