// Services: actors of this node that serve a protocol between nodes, or what is addressed to a domain or topic. Not
// engines: a service has no identity of its own and speaks in the name of the node. See router_engine.hpp.
#include "hanse/actors/errors.hpp"
#include "hanse/actors/router_engine.hpp"

#include <algorithm>

namespace hanse {

/// In place of the earlier service of that name. Protocols that the router speaks itself cannot be taken from it.
expected<unit> router_engine::register_service(const std::string& protocol, const caf::strong_actor_ptr& service) {
  if (!service) {
    services_of_node_.erase(protocol);
    return ok();
  }
  if (!is_protocol_name(protocol)) return error{errc::bad_value, "not a protocol name: " + protocol};
  for (auto* mine : {&node_protocol(), &monitor_protocol(), &unicast_protocol()})
    if (mine->name == protocol) return error{errc::already_exists, "the router speaks " + protocol + " itself"};
  if (services_of_node_.size() >= services_max && !services_of_node_.contains(protocol)) return errc::table_full;
  watch_service(service);
  services_of_node_[protocol] = service;
  return ok();
}

expected<unit> router_engine::claim(const identity& destination, const std::string& protocol,
                                    const caf::strong_actor_ptr& service) {
  if (!service) {
    auto i = claims_.find(destination);
    if (i == claims_.end()) return ok();
    claim_count_ -= i->second.erase(protocol);
    if (i->second.empty()) {
      claims_.erase(i);
      compat::send(self_, identities_, claim_atom_v, destination, false);
    }
    return ok();
  }
  if (!destination || destination == services_->self || engines_.contains(destination))
    return error{errc::bad_value, "engines and nodes are not claimed"};
  if (claim_count_ >= claims_max) return errc::table_full;
  watch_service(service);
  if (claims_[destination].insert_or_assign(protocol, service).second) ++claim_count_;
  compat::send(self_, identities_, claim_atom_v, destination, true);
  return ok();
}

std::set<caf::strong_actor_ptr> router_engine::all_services() const {
  std::set<caf::strong_actor_ptr> all;
  for (auto& [name, service] : services_of_node_) all.insert(service);
  for (auto& [destination, protocols] : claims_)
    for (auto& [name, service] : protocols) all.insert(service);
  return all;
}

/// A service that is new here hears of the links that are up, and is forgotten when it ends.
void router_engine::watch_service(const caf::strong_actor_ptr& service) {
  if (all_services().contains(service)) return;
  for (auto& [peer, link] : links_) compat::send(self_, caf::actor_cast<service_actor>(service), link_up_atom_v, peer);
  watch_end(service);
}

void router_engine::watch_end(const caf::strong_actor_ptr& service) {
  compat::on_termination(service, [router = router_actor{self_}, who = caf::actor_cast<caf::actor_addr>(service)](
                                      const caf::error&) { compat::anon_send(router, remove_atom_v, who); });
}

void router_engine::service_ended(const caf::actor_addr& service) {
  std::erase_if(services_of_node_, [&](auto& s) { return s.second == service; });
  std::erase_if(carriers_, [&](auto& c) {
    if (c.second != service) return false;
    compat::send(self_, identities_, listen_atom_v, c.first, false);
    return true;
  });
  claim_count_ = 0;
  for (auto& [destination, protocols] : claims_) {
    std::erase_if(protocols, [&](auto& s) { return s.second == service; });
    claim_count_ += protocols.size();
  }
  std::erase_if(claims_, [this](auto& c) {
    if (c.second.empty()) compat::send(self_, identities_, claim_atom_v, c.first, false);
    return c.second.empty();
  });
}

/// The service that takes what is addressed to a claimed destination; null if it is not claimed for that protocol.
const caf::strong_actor_ptr* router_engine::claimant(const envelope& e) const {
  if (claims_.empty()) return nullptr;
  auto i = claims_.find(e.destination);
  if (i == claims_.end()) return nullptr;
  auto service = i->second.find(e.protocol.name);
  if (service == i->second.end()) service = i->second.find({});
  return service == i->second.end() ? nullptr : &service->second;
}

/// Whether a message can be handed over on this node: to an engine, a claimant, or an engine that serves the domain.
bool router_engine::is_here(const envelope& e) const {
  return engines_.contains(e.destination) || claimant(e) ||
         (serving_.contains(e.destination) && serving_engine(e).has_value());
}

/// From the identity store, which has checked it.
void router_engine::set_domain(domain_members d) {
  if (d.members.empty() && d.introducers.empty()) {
    domains_.erase(d.domain);
    return;
  }
  const auto domain = d.domain;
  domains_.insert_or_assign(domain, std::move(d));
  if (auto i = routes_.find(domain); i != routes_.end() && !i->second.known && !i->second.asking)
    ask_route(domain); // messages wait for it
}

/// What is to stay in a domain comes from a member, to a member. `peer`: the node that hosts the message's source.
expected<unit> router_engine::check_scope(const envelope& e, const identity& peer) const {
  if (e.routing.scope != scope_kind::domain) return ok();
  auto i = domains_.find(e.routing.domain);
  auto refused = [&](const identity& node) {
    return error{errc::permission_denied,
                 "node " + to_short_string(node) + " is no member of the domain " + to_short_string(e.routing.domain)};
  };
  if (i == domains_.end() || !i->second.contains(services_->self)) return refused(services_->self);
  if (!i->second.contains(peer)) return refused(peer);
  return ok();
}

/// The engine here that takes a message to a domain: it serves the domain and speaks the protocol. Errors:
/// `permission_denied` (this node is neither a member nor advertised), `engine_down` (none serves it),
/// `unsupported_protocol`, `unsupported_version`.
expected<identity> router_engine::serving_engine(const envelope& e) const {
  auto d = domains_.find(e.destination);
  if (d == domains_.end() || (!d->second.contains(services_->self) &&
                              std::ranges::find(d->second.introducers, services_->self) == d->second.introducers.end()))
    return error{errc::permission_denied, "this node is no member of the domain " + to_short_string(e.destination)};
  auto i = serving_.find(e.destination);
  if (i == serving_.end()) return error{errc::engine_down, "no engine of this node serves the domain"};
  error first;
  for (auto& engine : i->second) {
    auto spoken = negotiate(engines_.at(engine).protocols, e.protocol);
    if (spoken) return engine;
    if (first.code == errc::none || spoken.code() == errc::unsupported_version) first = spoken.error();
  }
  return first;
}

void router_engine::set_serving(const engine_entry& e, bool serving) {
  for (auto& domain : e.serves) {
    auto& engines = serving_[domain];
    std::erase(engines, e.id);
    if (serving) engines.push_back(e.id);
    if (engines.empty()) serving_.erase(domain);
  }
}

/// For a service a reliable delivery is handled when it has been handed over.
void router_engine::to_service(const caf::strong_actor_ptr& service, inbound in) {
  services_->trace(in.message, "deliver");
  services_->counters.delivered.inc();
  in.delivery.reset();
  if (auto link = links_.find(in.peer); link != links_.end()) in.channel = link->second.channel;
  add_to_batch(to_gateways_, service, std::move(in));
}

} // namespace hanse
