// See relays.hpp.
#include "hanse/actors/relays.hpp"

#include "hanse/actors/internal/ask.hpp"
#include "hanse/actors/internal/carried.hpp"
#include "hanse/actors/relay_engine.hpp"

namespace hanse {

std::vector<protocol_id> relay_node_protocols() {
  return {relay_protocol()};
}

std::vector<std::string> relay_addresses(const std::vector<identity>& relays) {
  std::vector<std::string> out;
  for (const auto& r : relays) out.push_back("relay://" + to_string(r));
  return out;
}

expected<std::unique_ptr<node_relay>> node_relay::start(node& n, relay_options options) {
  const auto core = n.core();
  HANSE_TRY(const auto floor, internal::floor_since_start(*core));
  auto actor = caf::actor_cast<relay_actor>(
      n.system().spawn<relay_actor::stateful_impl<relay_engine>>(core, options.config, floor));
  std::unique_ptr<node_relay> result{new node_relay{core, caf::actor_cast<service_actor>(actor)}};
  HANSE_CHECK(n.register_service(std::string{relay_protocol_name}, result->actor_));
  HANSE_CHECK(n.register_carrier("relay", caf::actor_cast<carrier_actor>(actor)));
  for (const auto& relay : options.through) compat::anon_send(core->transport, dial_atom_v, relay, true);
  return result;
}

node_relay::~node_relay() {
  internal::end(*core_, actor_);
}

} // namespace hanse
