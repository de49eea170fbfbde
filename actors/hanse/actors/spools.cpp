// See spools.hpp.
#include "hanse/actors/spools.hpp"

#include "hanse/actors/internal/ask.hpp"
#include "hanse/actors/spool_engine.hpp"

namespace hanse {

using internal::ask;

std::vector<protocol_id> spool_node_protocols() {
  return {{std::string{spool_protocol_name}, 1, 0}};
}

expected<std::unique_ptr<node_spool>> node_spool::start(node& n, spool_options options) {
  const auto core = n.core();
  if (options.life_ms == 0 || options.life_ms > bundle_life_max_ms || options.scan_ms == 0)
    return error{errc::bad_config, "a bundle lives thirty days at most, and the spool is looked at from time to time"};
  HANSE_TRY(auto directory, spool_directory::open(options.directory));
  spool_setup setup{options.life_ms, options.scan_ms, options.quota, {}, {}};
  HANSE_TRY(setup.seen, ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{spool_seen_table}));
  HANSE_TRY(setup.own, ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{spool_own_table}));
  auto actor = caf::actor_cast<carrier_actor>(n.system().spawn<spool_actor::stateful_impl<spool_engine>, caf::detached>(
      core, std::move(directory), std::move(setup)));
  std::unique_ptr<node_spool> result{new node_spool{core, std::move(actor)}};
  HANSE_CHECK(n.register_carrier("spool", result->actor_));
  return result;
}

node_spool::~node_spool() {
  internal::end(*core_, actor_);
}

} // namespace hanse
