// The protocols that domains on this node may name in their configuration: how its members are kept, how events travel,
// how blocks are stored. Not the protocols themselves. A researcher adds an own one here, before the node starts.
#pragma once

#include "hanse/domains/membership_protocol.hpp"
#include "hanse/domains/protocol_registry.hpp"

namespace hanse {

/// Whether this node can run the protocol with these parameters. Errors: `bad_config`.
using protocol_check = std::function<expected<unit>(const protocol_parameters&)>;

/// Known protocols by kind.
struct domain_protocols {
  protocol_registry<membership_factory> membership;
  protocol_registry<protocol_check> dissemination;
  protocol_registry<protocol_check> storage;

  /// What Hanse brings: membership blocklace/1.0; dissemination full-mesh/1.0, plumtree/1.0; storage blocks/1.0.
  static domain_protocols builtin();

  /// Whether this node can run all of a stack; then its membership.
  /// Errors: `unsupported_protocol`, `unsupported_version`, `bad_config`; the detail names the protocol.
  expected<std::unique_ptr<membership_protocol>> open(const protocol_stack& stack, const membership_setup& setup) const;
};

} // namespace hanse
