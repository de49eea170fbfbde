// The proof of knowing a domain's pre-shared key, bound to who speaks to whom, when, and over which link.
// Not the exchange (join_message.hpp). Design section 8; channel binding as RFC 9266.
//
// proof = MAC(key, "hanse-join-v1\0\0\0" ‖ role ‖ domain ‖ requester ‖ introducer ‖ nonce ‖ challenge ‖ channel)
//
// The role keeps either side's proof from being sent back as the other's. The requester proves first, and only to a
// node that its DomainAdvert names, over a link authenticated as that node: nobody else gets anything to guess the key
// from offline.
#pragma once

#include "hanse/domains/join_message.hpp"
#include "hanse/domains/psk.hpp"

namespace hanse {

/// Whose proof it is; the number is in it.
enum class join_role : std::uint8_t { requester = 1, introducer = 2 };

/// What both sides know of one try.
struct join_facts {
  identity domain;
  identity requester;
  identity introducer;
  join_nonce nonce{};     ///< the requester's
  join_nonce challenge{}; ///< the introducer's
  join_channel channel{}; ///< of the link
};

mac_octets prove(const mac_key& key, join_role role, const join_facts& facts) noexcept;

/// The first of `keys` that is valid at `now` and that `proof` was made with; null if there is none. Takes the same
/// time whichever it is.
const pre_shared_key* find_proven(const psk_list& keys, time_ms now, join_role role, const join_facts& facts,
                                  const mac_octets& proof);

} // namespace hanse
