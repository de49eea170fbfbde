// A payload with one large message, as parts: what `seal` (message_batch.hpp) gives, octet by octet, but without
// copying the body twice on its way to the link. Not another wire form: the far side cannot tell.
#pragma once

#include "hanse/crypto/keys.hpp"
#include "hanse/protocols/envelope.hpp"

namespace hanse {

/// From here on a message goes alone and in parts: one more signature costs less than the copies. A guess.
inline constexpr std::size_t parts_body_min = 256 * 1024;

/// The octets of a payload are these three, one after the other.
struct payload_parts {
  bytes head;
  shared_bytes body;
  bytes tail;

  std::size_t size() const noexcept { return head.size() + body.size() + tail.size(); }
};

/// Seals `e`, whose source is `key.identity()`. Preconditions: `check(e)`, a body of parts_body_min octets at least.
payload_parts seal_in_parts(const key_pair& key, envelope e);

} // namespace hanse
