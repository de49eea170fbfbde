// A message on its way out of this node, before it is sealed: the element of the pool's queues.
// Not the wire form (protocols/message_batch.hpp): signing happens after the pool, in batches per link.
#pragma once

#include "hanse/crypto/keys.hpp"
#include "hanse/protocols/envelope.hpp"

#include <optional>

namespace hanse {

/// Moved by value; the body is shared. Exactly one of `signer` and `presigned` is set.
struct outbound {
  envelope message;
  std::optional<key_pair> signer; ///< the key of message.source
  bytes presigned;                ///< a whole payload of a data frame that is only passed on (see `wrap`)
};

/// Octets that a queue accounts for a message: its body and payload, and a guess of the envelope's size.
inline std::size_t queue_cost(const outbound& m) noexcept {
  return m.message.body.size() + m.presigned.size() + 256;
}

} // namespace hanse
