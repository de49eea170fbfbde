// See identity_store_engine.hpp.
#include "hanse/actors/identity_store_engine.hpp"

#include "hanse/actors/errors.hpp"

#include "hanse/transport/relay.hpp"

#include <caf/typed_response_promise.hpp>

namespace hanse {

namespace {

/// Nothing is noted of one more node when the table is full.
void note_failure(std::map<identity, time_ms>& failures, const identity& node, time_ms now) {
  if (failures.size() < undialable_max || failures.contains(node)) failures[node] = now;
}

bool failed_lately(const std::map<identity, time_ms>& failures, const identity& node, time_ms now) {
  const auto i = failures.find(node);
  return i != failures.end() && now < i->second + dial_again_ms;
}

} // namespace

identity_store_engine::identity_store_engine(pointer self, services_ptr services, identity_store_options options,
                                             std::vector<record> restored, std::shared_ptr<identity_store_peers> peers)
    : self_(self), services_(std::move(services)), options_(std::move(options)), actors_(std::move(peers)) {
  compat::ignore_stray_errors(self_);
  for (auto& r : restored)
    if (auto done = store_.restore(r.key, r.value); !done)
      services_->log(log_level::warning, "advert_not_restored", {{"reason", to_string(done.error())}});
  for (auto& n : store_.nodes(services_->now_ms()))
    if (n.origin == advert_origin::pinned) pinned_.insert(n.node);
  advert_effects ignored; // configured trust is not persisted: the configuration is its home
  for (auto& [id, trust] : options_.trust) (void)store_.set_trust(id, trust, ignored);
}

identity_store_actor::behavior_type identity_store_engine::make_behavior() {
  return {
      [this](learn_atom, const identity& from, const std::vector<bytes>& wires) -> std::uint64_t {
        auto origin = from ? advert_origin::learned : advert_origin::pinned;
        std::vector<bytes> news;
        for (auto& wire : wires)
          if (learn(wire, origin)) news.push_back(wire);
        auto count = news.size();
        if (count > 0 && options_.share_adverts)
          compat::send(self_, actors_->transport, adverts_atom_v, std::move(news), from);
        return count;
      },
      [this](register_atom, const std::vector<bytes>& wires) -> caf::result<void> {
        for (auto& wire : wires) {
          if (auto engine = decode_engine_advert(wire)) local_.insert(engine->value.engine);
          learn(wire, advert_origin::own);
        }
        compat::send(self_, actors_->router, changed_atom_v);
        // Answers when the links have them: no message of the engine may overtake its advert.
        auto promise = self_->make_response_promise<void>();
        compat::request(self_, actors_->transport, caf::infinite, adverts_atom_v, wires, services_->self)
            .then([promise]() mutable { promise.deliver(); },
                  [promise](const caf::error& why) mutable { promise.deliver(why); });
        return promise;
      },
      [this](remove_atom, const identity& engine) {
        local_.erase(engine);
        advert_effects effects;
        store_.remove(engine, effects);
        perform(std::move(effects));
        compat::send(self_, actors_->router, changed_atom_v);
      },
      [this](resolve_atom, route_request& request) -> caf::result<route> {
        request.now = services_->now_ms();
        auto decided = routing_.decide(request, *this);
        if (!decided) return to_caf(decided.error());
        store_.note_use(decided->destination);
        return std::move(*decided);
      },
      [this](explain_atom, route_request& request) -> route_explanation {
        request.now = services_->now_ms();
        route_explanation why;
        auto decided = routing_.decide(request, *this, &why);
        if (!decided) why.outcome = decided.error();
        return why;
      },
      [this](link_up_atom, const identity& node) {
        connected_[node];
        undialable_.erase(node);
        store_.note_use(node);
        compat::send(self_, actors_->router, changed_atom_v);
      },
      [this](link_down_atom, const identity& node) {
        connected_.erase(node);
        compat::send(self_, actors_->router, changed_atom_v);
      },
      [this](measure_atom, const link_event& e) {
        link_sample sample;
        if (e.measured.rtt_samples > 0) sample.rtt_us = e.measured.rtt_us;
        sample.loss_ppm = e.measured.loss_permille * 1000;
        sample.octets_per_second = e.measured.rate_out;
        advert_effects effects;
        store_.measure(e.peer, sample, services_->now_ms(), effects);
        perform(std::move(effects));
        if (auto i = connected_.find(e.peer); i != connected_.end()) i->second = e;
      },
      [this](measure_atom, const identity& node, std::int16_t event) {
        if (node == services_->self) return;
        advert_effects effects;
        store_.note(node, static_cast<reputation_event>(event), services_->now_ms(), effects);
        perform(std::move(effects));
      },
      [this](trust_atom, const identity& id, std::uint8_t trust) -> caf::result<void> {
        advert_effects effects;
        auto done = store_.set_trust(id, trust, effects);
        if (!done) return to_caf(done.error());
        perform(std::move(effects));
        compat::send(self_, actors_->router, changed_atom_v);
        if (trust == trust_banned) compat::send(self_, actors_->transport, remove_atom_v, id);
        return {};
      },
      [this](stop_atom) { self_->quit(); },
      [this](list_atom) { return peers(); },
      [this](list_atom, const identity&) { return engines(); },
      [this](adverts_atom) { return worth_telling(); },
      [this](find_atom, const identity& node) -> caf::result<std::vector<weighted_address>, bool> {
        return {store_.addresses_of(node), origin_of(node) == address_origin::configured};
      },
      [this](find_atom, const identity& engine, bool) { return store_.node_of(engine); },
      [this](adverts_atom, const identity& node) {
        std::vector<bytes> found;
        if (auto* known = store_.node(node)) found.push_back(known->wire);
        return found;
      },
      [this](domain_atom, domain_members& d) -> caf::result<void> {
        if (auto done = set_domain(d); !done) return to_caf(done.error());
        auto promise = self_->make_response_promise<void>();
        compat::request(self_, actors_->router, caf::infinite, domain_atom_v, std::move(d))
            .then([promise]() mutable { promise.deliver(); },
                  [promise](const caf::error& why) mutable { promise.deliver(why); });
        return promise;
      },
      [this](adverts_atom, bool) { return introduction(); },
      [this](unsent_atom, const identity& node) {
        if (!connected(node)) note_failure(undialable_, node, services_->now_ms());
      },
      [this](listen_atom, const std::string& scheme, bool there) { set_carrier(scheme, there); },
      [this](claim_atom, const identity& destination, bool claimed) { set_claimed(destination, claimed); },
  };
}

expected<unit> identity_store_engine::reachable(const identity& node, const transport_preferences& wanted) const {
  route_request request;
  request.transport = wanted;
  HANSE_CHECK(way_to(node, request));
  return ok();
}

/// A relay is held to what the message demands of nodes: trust, and the domain that it is to stay in.
expected<way> identity_store_engine::way_to(const identity& node, const route_request& request) const {
  const auto& wants = request.routing;
  const auto may_relay = [&](const identity& relay) {
    const auto trust = store_.trust(relay);
    if (trust == trust_banned || trust < wants.trust_min) return false;
    return wants.scope != scope_kind::domain || in_domain(relay, wants.domain);
  };
  return choose_way(node, request.transport, request.ttl_ms, *this, options_.addresses, may_relay);
}

address_origin identity_store_engine::origin_of(const identity& node) const {
  return pinned_.contains(node) ? address_origin::configured : address_origin::advertised;
}

bool identity_store_engine::undialable(const identity& node) const {
  return failed_lately(undialable_, node, services_->now_ms());
}

bool identity_store_engine::datagrams_failed(const identity& node) const {
  return failed_lately(without_datagrams_, node, services_->now_ms());
}

std::vector<identity> identity_store_engine::neighbours_through(const identity& relay) const {
  const auto wanted = "relay://" + to_string(relay);
  std::vector<identity> found;
  for (const auto& [node, link] : connected_)
    if (std::ranges::any_of(store_.addresses_of(node), [&](auto& a) { return a.address == wanted; }))
      found.push_back(node);
  return found;
}

bool identity_store_engine::takes_bundles(const identity& node) const {
  const auto* known = store_.node(node);
  return known && std::ranges::any_of(known->value.protocols, [](auto& p) { return p.name == spool_protocol_name; });
}

/// A way can be chosen once something carries it. "dtls://" and a node: a session with that node is up, has ended, or,
/// if none was up, could not be made.
void identity_store_engine::set_carrier(const std::string& scheme, bool there) {
  if (constexpr std::string_view session = "dtls://"; scheme.starts_with(session)) {
    const auto node = identity::parse(scheme.substr(session.size()));
    if (node && there) {
      datagram_links_.insert(*node);
      without_datagrams_.erase(*node);
    } else if (node && datagram_links_.erase(*node) == 0) {
      note_failure(without_datagrams_, *node, services_->now_ms());
    }
    compat::send(self_, actors_->router, changed_atom_v);
    return;
  }
  if (there && options_.schemes.contains(scheme))
    options_.addresses.schemes.insert(scheme);
  else
    options_.addresses.schemes.erase(scheme);
  compat::send(self_, actors_->router, changed_atom_v);
}

/// Our own adverts first, then those of the relays that they name, and of those that these name.
std::vector<bytes> identity_store_engine::introduction() const {
  std::vector<bytes> all;
  std::size_t octets = 0;
  const auto add = [&](const bytes& wire) {
    if (all.size() >= bundle_adverts_max || octets + wire.size() > bundle_adverts_octets_max) return;
    octets += wire.size();
    all.push_back(wire);
  };
  std::vector<identity> nodes{services_->self};
  for (std::size_t i = 0; i < nodes.size() && i <= relay_hops_max; ++i) {
    const auto* known = store_.node(nodes[i]);
    if (!known) continue;
    add(known->wire);
    for (const auto& a : known->value.addresses)
      if (const auto relay = parse_relay_address(a.address); relay && std::ranges::find(nodes, *relay) == nodes.end())
        nodes.push_back(*relay);
  }
  for (const auto& engine : local_)
    if (const auto* known = store_.engine(engine)) add(known->wire);
  return all;
}

const composite_descriptor* identity_store_engine::group(const identity& id) const {
  auto i = options_.groups.find(id);
  return i == options_.groups.end() ? nullptr : &i->second;
}

const domain_members* identity_store_engine::domain(const identity& id) const {
  auto i = domains_.find(id);
  return i == domains_.end() ? nullptr : &i->second;
}

/// Brings `d` in order and keeps it; without members and introducers it is forgotten.
expected<unit> identity_store_engine::set_domain(domain_members& d) {
  if (!d.domain || d.domain == services_->self || local_.contains(d.domain))
    return error{errc::bad_value, "engines and nodes are no domains"};
  if (d.members.size() > domain_view_members_max || d.introducers.size() > domain_view_introducers_max)
    return errc::too_long;
  if (d.members.empty() && d.introducers.empty()) {
    if (domains_.erase(d.domain) > 0) (void)routing_.set_kind(d.domain, destination_kind::unknown);
    return ok();
  }
  if (domains_.size() >= domains_max && !domains_.contains(d.domain)) return errc::table_full;
  std::ranges::sort(d.members);
  d.members.erase(std::unique(d.members.begin(), d.members.end()), d.members.end());
  HANSE_CHECK(routing_.set_kind(d.domain, destination_kind::domain));
  domains_[d.domain] = d;
  return ok();
}

/// For `why`: what a service has claimed and is no domain is a topic.
void identity_store_engine::set_claimed(const identity& destination, bool claimed) {
  if (!domains_.contains(destination))
    (void)routing_.set_kind(destination, claimed ? destination_kind::topic : destination_kind::unknown);
}

/// True if the advert was new. A bad one is counted; what it costs its sender is the link's business.
bool identity_store_engine::learn(byte_view wire, advert_origin origin) {
  advert_effects effects;
  expected<unit> done = ok();
  if (auto node = decode_node_advert(wire)) {
    if (origin == advert_origin::learned && node->value.node == services_->self) return false;
    if (origin == advert_origin::pinned) pinned_.insert(node->value.node);
    done = store_.put(std::move(*node), origin, effects);
  } else if (node.code() != errc::bad_type) {
    done = node.error();
  } else if (auto engine = decode_engine_advert(wire)) {
    done = store_.put(std::move(*engine), origin, effects);
  } else {
    done = engine.error();
  }
  perform(std::move(effects));
  if (!done && done.code() != errc::stale && done.code() != errc::already_exists) {
    services_->counters.drop(done.code());
    services_->log(log_level::debug, "advert_refused", {{"reason", to_string(done.error())}});
  }
  return done.has_value();
}

void identity_store_engine::perform(advert_effects effects) {
  std::vector<record> writes;
  bool routes_changed = false;
  for (auto& effect : effects) {
    if (auto* write = std::get_if<advert_persist>(&effect)) {
      writes.push_back({std::string{advert_table}, std::move(write->write.key),
                        write->write.value ? std::move(*write->write.value) : bytes{}});
    } else if (auto* moved = std::get_if<engine_moved>(&effect)) {
      routes_changed = true;
      if (moved->from) compat::send(self_, actors_->router, moved_atom_v, moved->engine, moved->to);
      services_->log(log_level::debug, "engine_advertised",
                     {{"engine", to_short_string(moved->engine)}, {"node", to_short_string(moved->to)}});
    } else if (auto* node = std::get_if<node_changed>(&effect)) {
      routes_changed = true;
      undialable_.erase(node->node);
      without_datagrams_.erase(node->node);
      compat::send(self_, actors_->transport, changed_atom_v, node->node);
    }
  }
  if (!writes.empty()) compat::send(self_, actors_->store, write_atom_v, std::move(writes));
  if (routes_changed) compat::send(self_, actors_->router, changed_atom_v);
}

std::vector<bytes> identity_store_engine::worth_telling() const {
  std::vector<bytes> own, others;
  auto sort_in = [&](advert_origin origin, const bytes& wire) {
    if (origin == advert_origin::own)
      own.push_back(wire);
    else if (options_.share_adverts)
      others.push_back(wire);
  };
  for (auto& n : store_.nodes(services_->now_ms()))
    if (n.advert && n.trust != trust_banned) sort_in(n.origin, n.advert->wire);
  for (auto& e : store_.engines())
    if (e.trust != trust_banned) sort_in(e.origin, e.advert->wire);
  std::move(others.begin(), others.end(), std::back_inserter(own));
  if (own.size() > shared_adverts_max) own.resize(shared_adverts_max);
  return own;
}

std::vector<peer_info> identity_store_engine::peers() const {
  std::vector<peer_info> result;
  for (auto& n : store_.nodes(services_->now_ms())) {
    if (n.node == services_->self) continue;
    peer_info p;
    p.id = n.node;
    if (n.advert) {
      p.name = n.advert->value.name;
      p.addresses = n.advert->value.addresses;
    }
    p.pinned = n.origin == advert_origin::pinned;
    p.trust = n.trust;
    p.reputation = n.reputation;
    p.measured = n.measured;
    if (auto i = connected_.find(n.node); i != connected_.end()) {
      p.connected = true;
      p.load = i->second.load;
    }
    result.push_back(std::move(p));
  }
  return result;
}

std::vector<engine_info> identity_store_engine::engines() const {
  std::vector<engine_info> result;
  for (auto& e : store_.engines()) {
    auto& a = e.advert->value;
    result.push_back({a.engine, a.name, {}, a.node, local_.contains(a.engine), a.protocols, a.version});
  }
  return result;
}

} // namespace hanse
