// How a service (interfaces.hpp, service_actor) sends and answers: posts in the name of its node. Not for engines,
// whose gateways do this. Bodies are the protocol's own octets.
#pragma once

#include "hanse/actors/errors.hpp"
#include "hanse/actors/interfaces.hpp"

namespace hanse {

/// A one-way message of the node `self` to a node, domain, topic or engine.
inline post note_to(const identity& self, const identity& destination, const protocol_id& protocol, shared_bytes body,
                    std::uint32_t ttl_ms = ttl_default_ms) {
  post p;
  p.message.source = self;
  p.message.destination = destination;
  p.message.protocol = protocol;
  p.message.ttl_ms = ttl_ms;
  p.message.body = std::move(body);
  return p;
}

/// The reply of the node `self` to an ask. Precondition: `request.kind == message_kind::ask`.
inline post reply_to(const identity& self, const envelope& request, shared_bytes body) {
  auto p = note_to(self, request.source, request.protocol, std::move(body), request.ttl_ms);
  p.message.kind = message_kind::reply;
  p.message.in_reply_to = request.id;
  p.message.trace = request.trace;
  p.message.transport = request.transport;
  return p;
}

/// The refusal of an ask, in place of a reply.
inline post refusal_of(const identity& self, const envelope& request, const error& why) {
  auto p = reply_to(self, request, shared_bytes{encode(fault_of(why))});
  p.message.kind = message_kind::fault;
  return p;
}

} // namespace hanse
