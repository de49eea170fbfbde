// A node's spool, for programs: messages to nodes that share no network with this one, as files that somebody carries.
// Start here. docs/transports.md "Bundles" says what is promised.
//
//   node_options o;
//   o.speaks = hanse::spool_node_protocols();
//   auto s = hanse::node_spool::start(*n, {.directory = "/media/usb/hanse"});
#pragma once

#include "hanse/actors/node.hpp"
#include "hanse/transport/spool.hpp"

namespace hanse {

struct spool_options {
  std::filesystem::path directory = {};     ///< made (0700) if it is not there
  time_ms life_ms = bundle_life_default_ms; ///< of bundles with one-way messages; of others as long as somebody waits
  time_ms scan_ms = 2'000;                  ///< between two looks at the directory
  spool_quota quota = {};
};

/// To be in `node_options::speaks` of a node with a spool: who knows its ticket knows then that it takes bundles.
std::vector<protocol_id> spool_node_protocols();

/// Lives as long as it is wanted, and no longer than the node.
class node_spool {
public:
  /// Errors: `bad_config` (no directory, no life), `io_error`.
  static expected<std::unique_ptr<node_spool>> start(node& n, spool_options options);

  /// Waits until what was sent is written.
  ~node_spool();
  node_spool(const node_spool&) = delete;
  node_spool& operator=(const node_spool&) = delete;

private:
  node_spool(std::shared_ptr<node_core> core, carrier_actor actor) : core_(std::move(core)), actor_(std::move(actor)) {}
  std::shared_ptr<node_core> core_;
  carrier_actor actor_;
};

} // namespace hanse
