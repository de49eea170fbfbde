// What a protocol between nodes asks its host to send: octets to one node. Domains, topics and blocks share it.
// Not the envelope around it (envelope.hpp): the host signs, addresses and sends, unreliably and unordered; machines
// live with loss, repetition and reordering.
#pragma once

#include "hanse/crypto/identity.hpp"

namespace hanse {

/// Send `body` to the node `to`. At most body_size_max octets (envelope.hpp), canonical msgpack.
struct peer_message {
  identity to;
  bytes body;
  friend bool operator==(const peer_message&, const peer_message&) = default;
};

} // namespace hanse
