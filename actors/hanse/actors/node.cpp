// See node.hpp.
#include "hanse/actors/node.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/identity_store_engine.hpp"
#include "hanse/actors/internal/ask.hpp"
#include "hanse/actors/router_engine.hpp"
#include "hanse/actors/store_engine.hpp"

#include <caf/init_global_meta_objects.hpp>

namespace hanse {

using internal::ask;

namespace {

message_id stored_id(const std::vector<record>& records, std::string_view key) {
  for (auto& r : records)
    if (as_text(r.key) == key) {
      msgpack_reader in{r.value};
      auto value = in.unsigned_integer();
      return in.finish() ? value : 0;
    }
  return 0;
}

/// The latest versions of this node's own adverts in earlier lives: none of them may be advertised again by a lower
/// one, even if the clock was set back meanwhile.
struct own_versions {
  std::uint64_t node = 0;
  std::map<identity, std::uint64_t> engines;
};

own_versions versions_in(const std::vector<record>& adverts, const identity& self) {
  advert_store known;
  for (auto& r : adverts) (void)known.restore(r.key, r.value); // identity_store_engine says what cannot be restored
  own_versions result;
  if (auto* mine = known.node(self)) result.node = mine->value.version;
  for (auto& e : known.engines())
    if (e.advert->value.node == self) result.engines[e.advert->value.engine] = e.advert->value.version;
  return result;
}

} // namespace

void init_global_meta_objects() {
  caf::core::init_global_meta_objects();
  caf::io::middleman::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::hanse>();
}

caf::strong_actor_ptr node_core::local(const identity& engine) const {
  std::lock_guard guard{mutex_};
  auto i = locals_.find(engine);
  return i == locals_.end() ? nullptr : i->second.lock();
}

void node_core::set_local(const identity& engine, const caf::strong_actor_ptr& handle) {
  std::lock_guard guard{mutex_};
  if (handle)
    locals_[engine] = caf::actor_cast<caf::weak_actor_ptr>(handle);
  else
    locals_.erase(engine);
}

expected<std::unique_ptr<node>> node::start(caf::actor_system& system, node_options options) {
  auto core = std::make_shared<node_core>(system);
  if (!options.environment.random) options.environment.random = std::make_shared<system_random>();
  core->key = options.key ? *options.key : key_pair::generate(*options.environment.random);
  auto self = core->key->identity();
  if (!options.sink) options.sink = make_logfmt_sink(stderr);
  core->services = std::make_shared<node_services>(system, self, options.log, std::move(options.sink),
                                                   std::move(options.environment));
  core->services->on_fatal = std::move(options.on_fatal);

  std::shared_ptr<database> db;
  if (!options.data_dir.empty()) {
    HANSE_TRY(auto opened, database::open(options.data_dir / "node.db"));
    db = std::make_shared<database>(std::move(opened));
  }
  using store_impl = store_actor::stateful_impl<store_engine>;
  core->store = db ? store_actor{system.spawn<store_impl, caf::detached>(db, core->services)}
                   : store_actor{system.spawn<store_impl>(db, core->services)}; // nothing to wait for
  HANSE_TRY(auto adverts, ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{advert_table}));
  HANSE_TRY(auto clock, ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{"clock"}));
  const auto now_ms = core->services->now_ms();
  auto earlier = versions_in(adverts, self);
  router_state state{stored_id(clock, "lease"),
                     stored_id(clock, "mark"),
                     lease_at_start(stored_id(clock, "lease"), core->services->now_us()),
                     floor_at_start(stored_id(clock, "mark"), now_ms),
                     {},
                     std::move(earlier.engines)};
  HANSE_TRY(state.streams, ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{unicast_table}));
  auto version = std::max<std::uint64_t>(now_ms, earlier.node + 1);

  HANSE_TRY(auto tls, tls_context::make(*core->key));
  transport_options t;
  t.pool = options.pool;
  t.pool.self = self;
  if (options.memory) options.schemes.insert("mem");
  t.pool.addresses.schemes.clear();
  for (const auto* link : {"tls", "unix", "mem"})
    if (options.schemes.contains(link)) t.pool.addresses.schemes.insert(link);
  t.pool.addresses.private_ranges = options.allow_private;
  t.link = options.link;
  t.link.self = self;
  t.link.ours.protocols = {link_protocol};
  t.link.ours.id_floor = state.mark;
  t.tls = std::make_shared<const tls_context>(std::move(tls));
  t.memory = options.memory;

  auto transport_side = std::make_shared<transport_peers>();
  auto identity_side = std::make_shared<identity_store_peers>();
  identity_store_options ids;
  ids.groups = std::move(options.groups);
  ids.trust = std::move(options.trust);
  ids.share_adverts = options.share_adverts;
  ids.addresses = t.pool.addresses;
  ids.schemes = options.schemes;
  core->transport =
      system.spawn<transport_actor::stateful_impl<transport_engine>>(core->services, std::move(t), transport_side);
  core->identities = system.spawn<identity_store_actor::stateful_impl<identity_store_engine>>(
      core->services, std::move(ids), std::move(adverts), identity_side);
  core->router = system.spawn<router_actor::stateful_impl<router_engine>>(
      core->services, *core->key, core->identities, core->transport, core->store, std::move(state));
  core->sockets = spawn_socket_actor(system, core->transport);
  // Filled before the first message: these actors only act when they get one.
  *transport_side = {core->router, core->identities, core->sockets};
  *identity_side = {core->router, core->transport, core->store};
  std::unique_ptr<node> result{new node{core}};

  node_advert advert{self, version, {}, {node_protocol(), monitor_protocol(), unicast_protocol()}, options.name};
  advert.protocols.insert(advert.protocols.end(), options.speaks.begin(), options.speaks.end());
  for (auto& address : options.listen) {
    if (options.advertise.empty()) {
      auto parsed = parse_transport_address(address);
      if (parsed && parsed->form == address_form::host_port && classify(*parsed) == address_range::unusable)
        return error{errc::bad_config, address +
                                           " listens on all addresses, which nobody can dial; say in \"advertise\" "
                                           "which address others use"};
    }
    HANSE_TRY(auto actual, ask<std::string>(*core, core->transport, listen_atom_v, address));
    advert.addresses.push_back({std::move(actual), 1});
  }
  if (!options.advertise.empty()) {
    advert.addresses.clear();
    for (auto& a : options.advertise) advert.addresses.push_back({a, 1});
  }
  for (auto& a : options.advertise_too) advert.addresses.push_back({a, 1});
  if (auto fine = check(advert); !fine) return error{errc::bad_config, "the node's advert: " + to_string(fine.error())};
  core->advert = sign(advert, *core->key);
  HANSE_CHECK(ask<unit>(*core, core->identities, register_atom_v, std::vector<bytes>{core->advert.wire}));
  // Links to nodes that the operator has added in an earlier life are kept, too.
  HANSE_TRY(auto known, result->peers());
  for (auto& p : known)
    if (p.pinned) compat::anon_send(core->transport, dial_atom_v, p.id, true);
  return result;
}

node::~node() {
  stop();
}

void node::stop() {
  if (std::exchange(stopped_, true)) return;
  internal::end(*core_, core_->router);
  internal::end(*core_, core_->transport);
  internal::end(*core_, core_->sockets);
  internal::end(*core_, core_->identities);
  internal::end(*core_, core_->store);
}

expected<node_advert> node::add(std::string_view ticket) {
  HANSE_TRY(auto advert, parse_ticket(ticket));
  if (advert.value.node == id()) return error{errc::bad_value, "this is the node's own ticket"};
  HANSE_CHECK(ask<std::uint64_t>(*core_, core_->identities, learn_atom_v, identity{}, std::vector<bytes>{advert.wire}));
  compat::anon_send(core_->transport, dial_atom_v, advert.value.node, true);
  return std::move(advert.value);
}

expected<unit> node::register_engine(engine_options options, caf::strong_actor_ptr gateway,
                                     caf::strong_actor_ptr engine) {
  auto id = options.key->identity();
  engine_advert advert{id, core_->services->self, 1, options.protocols, options.name};
  if (auto fine = check(advert); !fine)
    return error{errc::bad_config, "the engine's advert: " + to_string(fine.error())};
  engine_entry e{id,
                 options.name,
                 options.type,
                 *options.key,
                 std::move(options.protocols),
                 std::move(gateway),
                 engine,
                 options.advert_version,
                 std::move(options.serves)};
  auto done = ask<unit>(*core_, core_->router, register_atom_v, std::move(e));
  if (done) core_->set_local(id, engine);
  return done;
}

expected<engine_entry> node::release(const identity& engine, bool moves) {
  auto reason = moves ? error{} : error{errc::engine_down, "stopped"};
  auto entry = ask<engine_entry>(*core_, core_->router, remove_atom_v, engine, reason);
  if (entry) core_->set_local(engine, nullptr);
  return entry;
}

expected<unit> node::register_service(const std::string& protocol, const service_actor& service) {
  return ask<unit>(*core_, core_->router, register_atom_v, protocol, caf::actor_cast<caf::strong_actor_ptr>(service));
}

expected<unit> node::claim(const identity& destination, const std::string& protocol, const service_actor& service) {
  return ask<unit>(*core_, core_->router, claim_atom_v, destination, protocol,
                   caf::actor_cast<caf::strong_actor_ptr>(service));
}

expected<unit> node::register_carrier(const std::string& scheme, const carrier_actor& carrier) {
  return ask<unit>(*core_, core_->router, listen_atom_v, scheme, caf::actor_cast<caf::strong_actor_ptr>(carrier));
}

expected<unit> node::set_domain(domain_members d) {
  return ask<unit>(*core_, core_->identities, domain_atom_v, std::move(d));
}

expected<unit> node::unclaim(const identity& destination, const std::string& protocol) {
  return ask<unit>(*core_, core_->router, claim_atom_v, destination, protocol, caf::strong_actor_ptr{});
}

std::future<answer> node::send(post p) {
  auto promise = std::make_shared<std::promise<answer>>();
  auto future = promise->get_future();
  auto sink = system().spawn([promise](answer_sink_actor::pointer self) -> answer_sink_actor::behavior_type {
    return {
        [promise, self](std::vector<answer>& answers) {
          promise->set_value(std::move(answers.front()));
          self->quit();
        },
        [](flush_atom) {},
        [self](stop_atom, const caf::error&) { self->quit(); },
    };
  });
  if (!p.message.source) p.message.source = id();
  p.reply_to = caf::actor_cast<caf::strong_actor_ptr>(sink);
  compat::anon_send(core_->router, std::vector<post>{std::move(p)});
  return future;
}

expected<std::vector<peer_info>> node::peers() {
  return ask<std::vector<peer_info>>(*core_, core_->identities, list_atom_v);
}

expected<std::vector<engine_info>> node::engines() {
  return ask<std::vector<engine_info>>(*core_, core_->identities, list_atom_v, id());
}

expected<std::vector<engine_entry>> node::local_engines() {
  return ask<std::vector<engine_entry>>(*core_, core_->router, list_atom_v);
}

expected<route_explanation> node::why(const identity& destination, const routing_preferences& routing,
                                      const transport_preferences& transport, std::uint32_t ttl_ms) {
  return ask<route_explanation>(*core_, core_->identities, explain_atom_v,
                                route_request{destination, routing, transport, 0, 0, ttl_ms});
}

expected<unit> node::set_trust(const identity& id, std::uint8_t trust) {
  return ask<unit>(*core_, core_->identities, trust_atom_v, id, trust);
}

void node::inject(const identity& target, const std::string& kind, std::uint32_t count, const identity& claim) {
  compat::anon_send(core_->router, inject_atom_v, target, kind, count, claim);
}

} // namespace hanse
