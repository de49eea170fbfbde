// See transport_engine.hpp.
#include "hanse/actors/transport_engine.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/sockets.hpp"

#include <caf/blocking_actor.hpp>
#include <unistd.h>

namespace hanse {

expected<unit> mem_network::listen(const std::string& name, transport_actor transport) {
  std::lock_guard guard{mutex_};
  if (!names_.emplace(name, std::move(transport)).second)
    return error{errc::already_exists, "mem://" + name + " is taken"};
  return ok();
}

void mem_network::forget(const std::string& name) {
  std::lock_guard guard{mutex_};
  names_.erase(name);
}

transport_actor mem_network::find(const std::string& name) const {
  std::lock_guard guard{mutex_};
  auto i = names_.find(name);
  return i == names_.end() ? transport_actor{} : i->second;
}

namespace {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // CAF 1.1 has another monitor beside this one

/// Connects, in a thread of its own: name lookup and connect block. Gives up when the transport ends: a node that stops
/// waits for its threads, and a peer that is cut off lets them wait long.
void dial_in_background(caf::blocking_actor* self, transport_actor transport, link_id id, transport_address address,
                        int timeout_ms) {
  self->monitor(transport);
  const auto cancelled = [self] {
    bool gone = false;
    self->receive([&](const caf::down_msg&) { gone = true; }, caf::after(std::chrono::milliseconds{0}) >> [] {});
    return gone;
  };
  auto fd = address.scheme == "unix" ? connect_unix(address.host)
                                     : connect_tcp(address.host, address.port, timeout_ms, cancelled);
  self->demonitor(transport);
  if (fd)
    compat::anon_send(transport, connected_atom_v, id, fd->release(), error{});
  else
    compat::anon_send(transport, connected_atom_v, id, -1, fd.error());
}

#pragma GCC diagnostic pop

} // namespace

transport_engine::transport_engine(pointer self, services_ptr services, transport_options options,
                                   std::shared_ptr<transport_peers> peers)
    : self_(self), services_(std::move(services)), options_(std::move(options)), peers_(std::move(peers)),
      pool_(options_.pool, services_->random()), life_(services_->random().next_u64()) {
  compat::ignore_stray_errors(self_);
}

transport_actor::behavior_type transport_engine::make_behavior() {
  return {
      [this](listen_atom, const std::string& text) -> caf::result<std::string> {
        auto actual = listen(text);
        if (!actual) return to_caf(actual.error());
        return std::move(*actual);
      },
      [this](dial_atom, const identity& peer, bool keep) {
        with_addresses(peer, [this, peer, keep] {
          pool_effects effects;
          pool_.set_permanent(peer, keep, services_->now_ms(), effects);
          perform(std::move(effects));
        });
      },
      [this](const identity& peer, std::vector<outbound>& messages) { send(peer, std::move(messages)); },
      [this](connected_atom, link_id id, int fd, const error& why) { dialled(id, fd, why); },
      [this](accepted_atom, const std::string&) -> caf::result<std::uint64_t, caf::strong_actor_ptr> {
        pool_effects effects;
        auto id = pool_.accept(services_->now_ms(), effects);
        perform(std::move(effects));
        if (!id) {
          services_->counters.drop(id.code());
          return to_caf(id.error());
        }
        auto link = spawn_link(*id, link_role::acceptor, std::nullopt, peers_->sockets);
        return {*id, caf::actor_cast<caf::strong_actor_ptr>(link)};
      },
      [this](accepted_atom, const caf::strong_actor_ptr& far) -> caf::result<caf::strong_actor_ptr> {
        pool_effects effects;
        auto id = pool_.accept(services_->now_ms(), effects);
        perform(std::move(effects));
        if (!id) return to_caf(id.error());
        auto link = spawn_link(*id, link_role::acceptor, std::nullopt, socket_actor{});
        compat::send(self_, link, connected_atom_v, far);
        return caf::actor_cast<caf::strong_actor_ptr>(link);
      },
      [this](const link_event& e) { on_link(e); },
      [this](adverts_atom, const std::vector<bytes>& wires, const identity& except) {
        for (auto& [peer, id] : announced_) { // a link that has been told nothing yet will be told these, too
          auto& link = links_.at(id);
          if (peer != except && link.told) compat::send(self_, link.handle, adverts_atom_v, wires);
        }
      },
      [this](changed_atom, const identity& node) {
        if (pool_.knows(node)) with_addresses(node, [] {});
      },
      [this](remove_atom, const identity& peer) {
        banned_.insert(peer);
        pool_effects effects;
        pool_.disconnect(peer, {errc::untrusted, "banned"}, services_->now_ms(), effects);
        perform(std::move(effects));
      },
      [this](inject_atom, const identity& peer, const std::vector<bytes>& payloads) {
        if (auto i = announced_.find(peer); i != announced_.end())
          compat::send(self_, links_.at(i->second).handle, inject_atom_v, payloads);
      },
      [this](tick_atom) {
        timer_.reset();
        pool_effects effects;
        pool_.tick(services_->now_ms(), effects);
        perform(std::move(effects));
      },
      [this](stop_atom) {
        stopping_ = true;
        for (auto& n : mem_names_) options_.memory->forget(n);
        for (auto& p : unix_paths_) ::unlink(p.c_str());
        pool_effects effects;
        pool_.shutdown({errc::cancelled, "the node stops"}, services_->now_ms(), effects);
        perform(std::move(effects));
        if (links_.empty()) self_->quit();
      },
  };
}

expected<std::string> transport_engine::listen(const std::string& text) {
  HANSE_TRY(auto address, parse_transport_address(text, options_.pool.addresses.transports));
  if (address.scheme == "mem") {
    if (!options_.memory) return error{errc::bad_config, "mem:// needs nodes in one process"};
    HANSE_CHECK(options_.memory->listen(address.host, transport_actor{self_}));
    mem_names_.push_back(address.host);
    return to_string(address);
  }
  if (address.scheme == "unix") {
    HANSE_TRY(auto fd, listen_unix(address.host));
    unix_paths_.push_back(address.host);
    compat::send(self_, peers_->sockets, listen_atom_v, fd.release());
    return to_string(address);
  }
  if (address.scheme != "tls")
    return error{errc::bad_config, "cannot listen on " + text + ": tls://, unix:// and mem:// can be listened on"};
  HANSE_TRY(auto fd, listen_tcp(address.host, address.port));
  address.port = local_port(fd);
  compat::send(self_, peers_->sockets, listen_atom_v, fd.release());
  return to_string(address);
}

void transport_engine::send(const identity& peer, std::vector<outbound> messages) {
  auto shared = std::make_shared<std::vector<outbound>>(std::move(messages));
  auto go = [this, peer, shared] {
    pool_effects effects;
    auto now = services_->now_ms();
    // The link bounds its own queue; the pool's budget only matters while there is no link.
    if (auto id = pool_.link_of(peer)) pool_.set_budget(*id, link_queue_octets_max, now, effects);
    for (auto& m : *shared) pool_.send(peer, std::move(m), now, effects);
    perform(std::move(effects));
  };
  if (pool_.knows(peer))
    go();
  else
    with_addresses(peer, go);
}

/// Asks the identity store where `peer` is, tells the pool, then goes on.
void transport_engine::with_addresses(const identity& peer, std::function<void()> then) {
  compat::request(self_, peers_->identities, caf::infinite, find_atom_v, peer)
      .then(
          [this, peer, then](std::vector<weighted_address>& addresses, bool configured) {
            pool_effects effects;
            auto origin = configured ? address_origin::configured : address_origin::advertised;
            if (!addresses.empty())
              (void)pool_.set_addresses(peer, std::move(addresses), origin, services_->now_ms(), effects);
            perform(std::move(effects));
            then();
          },
          [](const caf::error&) {});
}

void transport_engine::dial(const pool_effects::dial_request& request) {
  dialling_[request.link] = request.peer;
  services_->log(log_level::debug, "dial",
                 {{"peer", to_short_string(request.peer)}, {"address", to_string(request.address)}});
  if (request.address.scheme != "mem") {
    self_->home_system().spawn(dial_in_background, transport_actor{self_}, request.link, request.address,
                               options_.dial_timeout_ms);
    return;
  }
  auto far = options_.memory ? options_.memory->find(request.address.host) : transport_actor{};
  if (!far) {
    compat::send(self_, self_, connected_atom_v, request.link, -1, error{errc::unreachable, "nobody listens there"});
    return;
  }
  auto link = spawn_link(request.link, link_role::dialer, request.peer, socket_actor{});
  dialling_.erase(request.link);
  auto here = mem_names_.empty() ? std::string{} : mem_names_.front();
  auto there = request.address.host;
  auto back = options_.memory->between(there, here, caf::actor_cast<caf::strong_actor_ptr>(link));
  compat::request(self_, far, caf::infinite, accepted_atom_v, back)
      .then(
          [this, link, here, there](const caf::strong_actor_ptr& other) {
            compat::send(self_, link, connected_atom_v, options_.memory->between(here, there, other));
          },
          [this, link](const caf::error& why) {
            compat::send(self_, link, stop_atom_v, error{errc::unreachable, to_string(why)}, false);
          });
}

void transport_engine::dialled(link_id id, int fd, const error& why) {
  auto i = dialling_.find(id);
  if (i == dialling_.end() || stopping_) {
    if (fd >= 0) ::close(fd);
    return;
  }
  auto peer = i->second;
  dialling_.erase(i);
  if (fd < 0) {
    pool_effects effects;
    pool_.link_closed(id, why, services_->now_ms(), effects);
    perform(std::move(effects));
    return;
  }
  auto link = spawn_link(id, link_role::dialer, peer, peers_->sockets);
  compat::send(self_, peers_->sockets, connected_atom_v, id, fd, caf::actor_cast<caf::strong_actor_ptr>(link));
}

link_actor transport_engine::spawn_link(link_id id, link_role role, const std::optional<identity>& peer,
                                        socket_actor socket) {
  auto config = options_.link;
  config.expected_peer = peer;
  config.ours.life = life_;
  auto link = self_->spawn<link_actor::stateful_impl<link_engine>>(
      services_, role, options_.tls, std::move(config), link_wire{std::move(socket), id},
      link_peers{peers_->router, peers_->identities, transport_actor{self_}});
  links_[id].handle = link;
  return link;
}

void transport_engine::on_link(const link_event& e) {
  auto now = services_->now_ms();
  pool_effects effects;
  switch (e.what) {
  case link_event::kind::active:
    pool_.active(e.link, now);
    return;
  case link_event::kind::measured:
    return;
  case link_event::kind::up: {
    auto i = links_.find(e.link);
    if (i == links_.end()) return;
    i->second.up = e;
    i->second.is_up = true;
    if (banned_.contains(e.peer)) {
      compat::send(self_, i->second.handle, stop_atom_v, error{errc::untrusted, "banned"}, false);
      return;
    }
    pool_.link_up(e.link, e.peer, e.life, now, effects);
    break;
  }
  case link_event::kind::closed:
    links_.erase(e.link);
    services_->log(e.reason.code == errc::wrong_peer ? log_level::error : log_level::info, "link_closed",
                   {{"peer", to_short_string(e.peer)}, {"reason", to_string(e.reason)}});
    if (!e.peer) services_->counters.drop(e.reason.code); // a handshake that failed
    pool_.link_closed(e.link, e.reason, now, effects);
    break;
  }
  perform(std::move(effects));
  if (e.peer) check_peer(e.peer);
  if (stopping_ && links_.empty()) self_->quit();
}

/// Tells the router which link serves `peer` now, if that has changed.
void transport_engine::check_peer(const identity& peer) {
  auto current = pool_.link_of(peer).value_or(0);
  auto i = announced_.find(peer);
  auto told = i == announced_.end() ? 0 : i->second;
  auto link = links_.find(current);
  bool usable = link != links_.end() && link->second.is_up;
  if (told == current || (told != 0 && !usable && links_.contains(told))) return;
  if (told != 0) {
    announced_.erase(i);
    if (!usable) compat::send(self_, peers_->identities, link_down_atom_v, peer);
    compat::send(self_, peers_->router, link_down_atom_v, peer, told);
  }
  services_->counters.links->value(static_cast<int64_t>(announced_.size()));
  if (!usable) return;
  announced_[peer] = current;
  services_->counters.links->value(static_cast<int64_t>(announced_.size()));
  services_->log(log_level::info, "link_up", {{"peer", to_short_string(peer)}});
  tell_adverts(peer, current, link->second.up);
}

/// Adverts go first on a new link: no message may overtake the advert of its source. What the pool held while it was
/// dialled waits for them in the link.
void transport_engine::tell_adverts(const identity& peer, link_id id, link_event up) {
  compat::send(self_, peers_->identities, link_up_atom_v, peer);
  compat::request(self_, peers_->identities, caf::infinite, adverts_atom_v)
      .then(
          [this, peer, id, up](std::vector<bytes>& wires) {
            auto link = links_.find(id);
            auto told = announced_.find(peer);
            if (link == links_.end() || told == announced_.end() || told->second != id) return; // replaced meanwhile
            link->second.told = true;
            compat::send(self_, link->second.handle, adverts_atom_v, std::move(wires));
            compat::send(self_, peers_->router, link_up_atom_v, up,
                         caf::actor_cast<caf::strong_actor_ptr>(link->second.handle));
          },
          [](const caf::error&) {});
}

void transport_engine::perform(pool_effects effects) {
  std::map<errc, std::pair<error, std::vector<outbound>>> dropped;
  for (auto& d : effects.dropped) {
    auto& group = dropped[d.why.code];
    group.first = d.why;
    group.second.push_back(std::move(d.message));
  }
  for (auto& [code, group] : dropped)
    compat::send(self_, peers_->router, unsent_atom_v, std::move(group.second), group.first);
  for (auto& t : effects.transmit) {
    if (auto i = links_.find(t.link); i != links_.end()) compat::send(self_, i->second.handle, std::move(t.messages));
  }
  for (auto& c : effects.close) {
    dialling_.erase(c.link);
    if (auto i = links_.find(c.link); i != links_.end())
      compat::send(self_, i->second.handle, stop_atom_v, c.why, c.graceful);
  }
  for (auto& f : effects.failed)
    services_->log(f.why.code == errc::wrong_peer ? log_level::error : log_level::info, "dial_failed",
                   {{"peer", to_short_string(f.peer)}, {"address", f.address}, {"reason", to_string(f.why)}});
  for (auto& peer : effects.exhausted) { // first what is known of it, then what has to be routed anew
    compat::send(self_, peers_->identities, unsent_atom_v, peer);
    if (auto others = pool_.take_undemanding(peer, services_->now_ms()); !others.empty())
      compat::send(self_, peers_->router, unsent_atom_v, std::move(others), error{errc::link_closed, "not dialled"});
  }
  for (auto& d : effects.dial) dial(d);
  for (auto& p : effects.up) check_peer(p.peer);
  for (auto& p : effects.down) check_peer(p.peer);
  schedule_tick();
}

void transport_engine::schedule_tick() {
  auto due = pool_.next_timer();
  if (due == UINT64_MAX || (timer_ && *timer_ <= due)) return;
  timer_ = due;
  auto now = services_->now_ms();
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{due > now ? due - now : 1}, tick_atom_v);
}

} // namespace hanse
