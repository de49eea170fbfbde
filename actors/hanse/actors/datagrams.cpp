// See datagrams.hpp.
#include "hanse/actors/datagrams.hpp"

#include "hanse/actors/datagram_engine.hpp"
#include "hanse/actors/internal/ask.hpp"
#include "hanse/actors/internal/carried.hpp"

namespace hanse {

expected<std::unique_ptr<node_datagrams>> node_datagrams::start(node& n, std::unique_ptr<datagram_sockets> sockets,
                                                                datagram_options options) {
  const auto core = n.core();
  HANSE_TRY(auto context, dtls_context::make(*core->key));
  HANSE_TRY(const auto floor, internal::floor_since_start(*core));
  const std::shared_ptr<datagram_sockets> shared = std::move(sockets);
  auto backlog = std::make_shared<std::atomic<std::size_t>>(0);
  auto actor = caf::actor_cast<datagram_actor>(n.system().spawn<datagram_actor::stateful_impl<datagram_engine>>(
      core, shared, std::move(context), options.allow_private, floor, backlog));
  std::unique_ptr<node_datagrams> result{new node_datagrams{core, shared, caf::actor_cast<carrier_actor>(actor)}};
  shared->read([actor, backlog, services = core->services](bytes from, bytes datagram) {
    services->counters.octets_received.inc(datagram.size());
    if (backlog->fetch_add(1, std::memory_order_relaxed) >= datagram_backlog_max) {
      backlog->fetch_sub(1, std::memory_order_relaxed);
      services->counters.drop(errc::queue_full);
      return false;
    }
    std::vector<bytes> what;
    what.push_back(std::move(from));
    what.push_back(std::move(datagram));
    compat::anon_send(actor, received_atom_v, std::move(what));
    return true;
  });
  HANSE_CHECK(n.register_carrier("dtls", result->actor_));
  return result;
}

node_datagrams::~node_datagrams() {
  internal::end(*core_, actor_);
}

} // namespace hanse
