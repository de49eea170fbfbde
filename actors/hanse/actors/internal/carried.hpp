// What carriers (relays, spool) share: messages become signed payloads as on a link, and payloads that came become
// verified messages for the router. Not what carries them. Not installed.
#pragma once

#include "hanse/actors/caf_compat.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/interfaces.hpp"
#include "hanse/actors/node.hpp"
#include "hanse/transport/spool.hpp"

namespace hanse::internal {

/// A payload, and the messages in it without their bodies, for when it comes back.
struct carried_payload {
  bytes octets;
  std::vector<outbound> messages;
  time_ms expires_ms = 0; ///< of the first of them
};

/// Messages of one source and as many as fit become one payload of at most `room` octets. What has expired, or fits in
/// none, is given to `refuse`.
std::vector<carried_payload> seal_all(std::vector<outbound> messages, std::size_t room, time_ms now,
                                      random_source& random, const std::function<void(outbound, error)>& refuse);

/// Nodes that the operator banned have no link; nor do they get in by another way. Calls `then`, or `refuse(error)`.
template <class Self, class F, class G>
void unless_banned(Self self, const identity_store_actor& identities, const identity& node, F then, G refuse) {
  route_request request;
  request.destination = node;
  compat::request(self, identities, caf::infinite, resolve_atom_v, std::move(request))
      .then([then](const route&) { then(); },
            [then, refuse](const caf::error& said) {
              const auto why = to_hanse(said); // that there is no way to it is no reason
              if (why.code == errc::untrusted)
                refuse(why);
              else
                then();
            });
}

/// Ids up to here are refused as replays, as they may have been seen before this node started; it lies up to
/// replay_mark_step_us ahead of the clock then. Waits for the store. Errors: the store's.
expected<message_id> floor_since_start(const node_core& core);

/// The verified messages of a bundle; its adverts go to the identity store first, so that the router finds their
/// sources there. Errors: those of `open` (message_batch.hpp).
expected<std::vector<inbound>> open_carried(node_services& services, const identity_store_actor& identities,
                                            const bundle& b);

} // namespace hanse::internal
