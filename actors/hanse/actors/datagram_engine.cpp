// See datagram_engine.hpp.
#include "hanse/actors/datagram_engine.hpp"

#include "hanse/actors/internal/carried.hpp"
#include "hanse/protocols/message_batch.hpp"
#include "hanse/transport/address.hpp"

namespace hanse {

namespace {

/// The dtls:// addresses of a node, looked up; the name service may take long, hence in a thread of its own.
void resolve_in_background(caf::blocking_actor*, datagram_actor engine, identity to,
                           std::vector<weighted_address> addresses, bool private_allowed) {
  std::vector<bytes> all;
  error why{errc::no_address, "no dtls:// address of it is known"};
  std::ranges::stable_sort(addresses, {}, &weighted_address::weight); // the last one is tried first
  for (const auto& a : addresses) {
    const auto parsed = parse_transport_address(a.address);
    if (!parsed || parsed->scheme != "dtls") continue;
    auto found = resolve_datagram_host(parsed->host, parsed->port, private_allowed);
    if (found)
      std::move(found->begin(), found->end(), std::back_inserter(all));
    else
      why = found.error();
  }
  compat::anon_send(engine, connected_atom_v, to, std::move(all), why);
}

} // namespace

datagram_engine::datagram_engine(pointer self, std::shared_ptr<node_core> core,
                                 std::shared_ptr<datagram_sockets> sockets, dtls_context context, bool private_allowed,
                                 message_id floor, std::shared_ptr<std::atomic<std::size_t>> backlog)
    : self_(self), core_(std::move(core)), sockets_(std::move(sockets)), context_(std::move(context)),
      listener_(context_, core_->services->random()), private_allowed_(private_allowed), floor_(floor),
      backlog_(std::move(backlog)), life_(core_->services->random().next_u64()) {
  compat::ignore_stray_errors(self_);
}

datagram_actor::behavior_type datagram_engine::make_behavior() {
  return {
      [this](const identity& to, const way&, std::vector<outbound>& messages) {
        send(to, std::move(messages));
        schedule();
      },
      [this](stop_atom) { stop(); },
      [this](received_atom, const std::vector<bytes>& what) {
        backlog_->fetch_sub(1, std::memory_order_relaxed);
        receive(what.at(0), what.at(1));
        schedule();
      },
      [this](connected_atom, const identity& to, std::vector<bytes>& addresses, const error& why) {
        found(to, std::move(addresses), why);
        schedule();
      },
      [this](tick_atom) {
        if (!timer_.came(now())) return;
        tick();
        schedule();
      },
  };
}

datagram_link_config datagram_engine::config() const {
  datagram_link_config c;
  c.self = core_->services->self;
  c.ours.protocols = {link_protocol};
  c.ours.advert = core_->advert.wire;
  c.ours.life = life_;
  c.ours.id_floor = floor_;
  return c;
}

void datagram_engine::send(const identity& to, std::vector<outbound> messages) {
  if (!waiting_.contains(to) && waiting_.size() >= datagram_peers_max)
    return give_back(std::move(messages), {errc::table_full, "nodes that datagrams wait for"});
  auto& w = waiting_[to];
  std::vector<outbound> refused;
  for (auto& m : messages) (w.messages.size() < datagram_waiting_max ? w.messages : refused).push_back(std::move(m));
  if (!refused.empty()) give_back(std::move(refused), {errc::queue_full, "datagrams for this node"});
  if (by_peer_.contains(to)) return flush(to);
  if (!w.asked) find(to);
}

void datagram_engine::find(const identity& to) {
  waiting_[to].asked = true;
  compat::request(self_, core_->identities, caf::infinite, find_atom_v, to)
      .then(
          [this, to](std::vector<weighted_address>& addresses, bool configured) {
            self_->home_system().spawn<caf::detached>(resolve_in_background, datagram_actor{self_}, to,
                                                      std::move(addresses), private_allowed_ || configured);
          },
          [](const caf::error&) { /* the node stops */ });
}

void datagram_engine::found(const identity& to, std::vector<bytes> addresses, const error& why) {
  const auto i = waiting_.find(to);
  if (i == waiting_.end()) return;
  i->second.addresses = std::move(addresses);
  i->second.last = why;
  if (!by_peer_.contains(to)) dial_next(to);
}

void datagram_engine::dial_next(const identity& to) {
  const auto i = waiting_.find(to);
  if (i == waiting_.end()) return;
  auto& w = i->second;
  while (!w.addresses.empty()) {
    const auto address = std::move(w.addresses.back());
    w.addresses.pop_back();
    if (links_.contains(address)) continue; // somebody is there already, and is somebody else
    if (links_.size() >= datagram_links_max) {
      w.last = {errc::table_full, "datagram links"};
      break;
    }
    auto& e = links_[address];
    e.machine = std::make_unique<datagram_link>(context_.dial(to), config(), core_->services->random());
    e.dialled = to;
    e.active = now();
    return run(address, [this, &e](auto& fx) { e.machine->start(now(), fx); });
  }
  auto lost = std::move(w.messages);
  const auto why = w.last;
  waiting_.erase(i);
  compat::send(self_, core_->identities, listen_atom_v, "dtls://" + to_string(to), false);
  if (!lost.empty()) give_back(std::move(lost), why);
}

void datagram_engine::receive(const bytes& from, const bytes& datagram) {
  const auto i = links_.find(from);
  if (i == links_.end()) return accept(from, datagram);
  // The far side has restarted, or somebody says so in its name: its cookie decides.
  if (i->second.peer && is_dtls_hello(datagram)) return accept(from, datagram);
  run(from, [&](auto& fx) { i->second.machine->received(datagram, now(), fx); });
}

void datagram_engine::accept(const bytes& from, const bytes& datagram) {
  dtls_effects fx;
  auto session = listener_.receive(from, datagram, now(), fx);
  for (const auto& d : fx.datagrams) sockets_->send(from, d);
  if (!session) return;
  if (links_.contains(from)) ended(from, {errc::link_closed, "the far side has restarted"});
  if (links_.size() >= datagram_links_max) return core_->services->counters.drop(errc::table_full);
  auto& e = links_[from];
  e.machine = std::make_unique<datagram_link>(std::move(session), config(), core_->services->random());
  e.active = now();
}

template <class F>
void datagram_engine::run(const bytes& address, F input) {
  datagram_link_effects fx;
  input(fx);
  perform(bytes{address}, fx);
}

void datagram_engine::perform(const bytes& address, datagram_link_effects& fx) {
  auto& e = links_.at(address);
  for (const auto& d : fx.datagrams) {
    core_->services->counters.octets_sent.inc(d.size());
    sockets_->send(address, d);
  }
  if (fx.up) came_up(address, e, *fx.up);
  for (const auto& payload : fx.adverts) {
    auto wires = decode_adverts(payload.view());
    if (wires)
      compat::anon_send(core_->identities, learn_atom_v, e.peer, std::move(*wires));
    else
      core_->services->counters.drop(wires.code());
  }
  for (auto& payload : fx.data) open_payload(e, std::move(payload));
  if (fx.closed) return ended(address, *fx.closed);
  if (e.peer && e.introduced && e.machine->settled()) flush(e.peer);
}

/// The newest link to a node is the one that is used; an older one ends when it has been idle.
void datagram_engine::came_up(const bytes& address, entry& e, const link_up& up) {
  e.peer = up.peer;
  by_peer_[e.peer] = address;
  if (!up.theirs.advert.empty())
    compat::anon_send(core_->identities, learn_atom_v, e.peer, std::vector<bytes>{up.theirs.advert});
  compat::send(self_, core_->identities, listen_atom_v, "dtls://" + to_string(e.peer), true);
  link_event floor; // before any message: this engine sends them, and the router hears of it first
  floor.peer = up.peer;
  floor.id_floor = up.theirs.id_floor;
  compat::send(self_, core_->router, link_up_atom_v, floor, caf::strong_actor_ptr{});
  core_->services->log(log_level::info, "datagram_link_up", {{"peer", to_short_string(e.peer)}});
  compat::request(self_, core_->identities, caf::infinite, adverts_atom_v, true)
      .then(
          [this, address](const std::vector<bytes>& adverts) {
            const auto i = links_.find(address);
            if (i == links_.end()) return;
            i->second.introduced = true;
            run(address, [&](auto& fx) { (void)i->second.machine->send_adverts(encode_adverts(adverts), now(), fx); });
            schedule();
          },
          [](const caf::error&) {});
}

/// Messages follow the adverts of their sources, as on links: the far side has acknowledged them.
void datagram_engine::flush(const identity& peer) {
  const auto w = waiting_.find(peer);
  const auto address = by_peer_.find(peer);
  if (w == waiting_.end() || address == by_peer_.end()) return;
  auto& e = links_.at(address->second);
  if (!e.introduced || !e.machine->settled()) return;
  auto messages = std::move(w->second.messages);
  waiting_.erase(w);
  e.active = now();
  const auto refuse = [this](outbound m, error why) {
    std::vector<outbound> one;
    one.push_back(std::move(m));
    give_back(std::move(one), why);
  };
  datagram_link_effects fx;
  for (auto& p :
       internal::seal_all(std::move(messages), datagram_payload_max, now(), core_->services->random(), refuse)) {
    if (auto sent = e.machine->send_data(p.octets, fx); !sent) give_back(std::move(p.messages), sent.error());
    core_->services->counters.batches_sent.inc();
  }
  for (const auto& d : fx.datagrams) {
    core_->services->counters.octets_sent.inc(d.size());
    sockets_->send(address->second, d);
  }
}

void datagram_engine::open_payload(entry& e, shared_bytes payload) {
  auto opened = open(payload);
  if (!opened) return core_->services->counters.drop(opened.code());
  e.active = now();
  core_->services->counters.batches_received.inc();
  core_->services->counters.received.inc(opened->messages.size());
  auto messages = std::make_shared<std::vector<inbound>>();
  for (auto& m : opened->messages) messages->push_back({std::move(m), nullptr, std::nullopt});
  internal::unless_banned(
      self_, core_->identities, e.peer,
      [this, messages, peer = e.peer] {
        compat::send(self_, core_->router, received_atom_v, peer, std::move(*messages));
      },
      [this](const error& why) { core_->services->counters.drop(why.code); });
}

void datagram_engine::ended(const bytes& address, const error& why) {
  auto gone = links_.extract(address);
  auto& e = gone.mapped();
  core_->services->log(log_level::info, "datagram_link_closed",
                       {{"peer", to_short_string(e.peer ? e.peer : e.dialled)}, {"reason", to_string(why)}});
  if (!e.peer && !e.dialled) core_->services->counters.drop(why.code); // a stranger's handshake that failed
  if (e.peer)
    if (const auto i = by_peer_.find(e.peer); i != by_peer_.end() && i->second == address) {
      by_peer_.erase(i);
      compat::send(self_, core_->identities, listen_atom_v, "dtls://" + to_string(e.peer), false);
    }
  const auto to = e.peer ? e.peer : e.dialled;
  const auto w = waiting_.find(to);
  if (!to || w == waiting_.end() || by_peer_.contains(to)) return;
  w->second.last = why.code == errc::link_closed ? error{errc::unreachable, why.detail} : why;
  if (w->second.asked)
    dial_next(to);
  else
    find(to);
}

void datagram_engine::give_back(std::vector<outbound> messages, const error& why) {
  compat::send(self_, core_->router, unsent_atom_v, std::move(messages), why);
}

void datagram_engine::tick() {
  std::vector<bytes> due;
  for (const auto& [address, e] : links_)
    if (const auto at = e.machine->next_timer(); (at && *at <= now()) || e.active + datagram_idle_ms <= now())
      due.push_back(address);
  for (const auto& address : due) {
    const auto i = links_.find(address);
    if (i == links_.end()) continue;
    auto& machine = *i->second.machine;
    const bool idle = i->second.active + datagram_idle_ms <= now();
    run(address, [&](auto& fx) {
      if (idle)
        machine.close({errc::link_closed, "idle"}, fx);
      else
        machine.tick(now(), fx);
    });
  }
}

void datagram_engine::schedule() {
  std::optional<time_ms> next;
  for (const auto& [address, e] : links_) {
    auto at = e.active + datagram_idle_ms;
    if (const auto machine = e.machine->next_timer()) at = std::min(at, *machine);
    next = next ? std::min(*next, at) : at;
  }
  if (const auto in_ms = timer_.set(next, now()))
    compat::delayed_send_to_self(self_, std::chrono::milliseconds{*in_ms}, tick_atom_v);
}

void datagram_engine::stop() {
  for (auto& [address, e] : links_) {
    datagram_link_effects fx;
    e.machine->close({errc::cancelled, "the node stops"}, fx);
    for (const auto& d : fx.datagrams) sockets_->send(address, d);
  }
  self_->quit();
}

} // namespace hanse
