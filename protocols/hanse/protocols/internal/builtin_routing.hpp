// The routing protocols that every node has: engines by their adverts, nodes by themselves, groups and domains
// by their members, topics by their claimants.
// Not installed; registered by the constructor of `routing`.
#pragma once

#include "hanse/protocols/routing.hpp"

namespace hanse::internal {

/// The node where an engine runs or a node is; none if unknown.
identity host_of(const identity& destination, destination_kind kind, const routing_view& view);

/// The built-in protocol for `kind`, which is not `unknown`.
std::shared_ptr<const routing_protocol> builtin_routing(destination_kind kind);

} // namespace hanse::internal
