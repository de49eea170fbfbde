// The CAF io broker that owns a node's stream sockets: passes octets between them and link actors, with back-pressure
// in both directions. Not TLS, not framing (link_engine); opening sockets is sockets.hpp. Runs in CAF's multiplexer
// thread.
#pragma once

#include "hanse/actors/interfaces.hpp"

#if __has_include(<caf/log/io.hpp>)
#include <caf/log/io.hpp> // CAF 1.1's typed_broker.hpp forgets it
#endif
#include <caf/io/middleman.hpp>
#include <caf/io/system_messages.hpp>
#include <caf/io/typed_broker.hpp>

namespace hanse {

inline constexpr std::size_t socket_read_max = 64 * 1024; ///< octets of one read

/// Links are named by numbers that are never used again (descriptors are).
using socket_actor =
    caf::typed_actor<caf::result<void>(listen_atom, int), // a listening descriptor, to be owned
                     caf::result<void>(connected_atom, uint64_t, int,
                                       caf::strong_actor_ptr), // a connected one, and its link_actor
                     caf::result<void>(write_atom, uint64_t, std::vector<bytes>),
                     caf::result<void>(pause_atom, uint64_t), caf::result<void>(resume_atom, uint64_t),
                     caf::result<void>(closed_atom, uint64_t), //
                     caf::result<void>(tick_atom, uint64_t),   // from itself: pause or resume has come into effect
                     caf::result<void>(stop_atom), caf::result<void>(caf::io::new_connection_msg),
                     caf::result<void>(caf::io::new_data_msg), caf::result<void>(caf::io::connection_closed_msg),
                     caf::result<void>(caf::io::acceptor_closed_msg), caf::result<void>(caf::io::data_transferred_msg)>;

/// Spawns the broker; accepted connections are offered to `transport`, which answers with a link_actor or an error.
socket_actor spawn_socket_actor(caf::actor_system& system, transport_actor transport);

} // namespace hanse
