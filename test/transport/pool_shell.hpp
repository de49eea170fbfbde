// A node without CAF, for tests: a pool and its links over the simulated network, in virtual time.
// Not the real shell (actors/): sealing is a number, and it takes a random time, as signing does.
#pragma once

#include "link_pair.hpp"

#include "hanse/transport/pool.hpp"
#include "hanse/transport/sim_network.hpp"

namespace hanse::test {

inline outbound message_of(std::uint64_t id, time_ms now, std::uint32_t ttl = 30'000, std::size_t body = 0) {
  outbound m;
  m.message.id = id;
  m.message.sent_ms = now;
  m.message.ttl_ms = ttl;
  if (body > 0) m.message.body = shared_bytes{bytes(body)};
  return m;
}

class shell {
public:
  shell(std::string name, std::uint8_t key, sim_network& net, random_source& random, pool_config config = {})
      : name_(std::move(name)), self_(key_of(key).identity()), net_(net), random_(random),
        pool_(with_self(std::move(config)), random), life_(key) {
    net_.listen(name_);
  }

  const identity& self() const { return self_; }
  const std::string& name() const { return name_; }
  pool& machine() { return pool_; }

  void knows(const shell& other, time_ms now) {
    pool_effects fx;
    (void)pool_.set_addresses(other.self(), {{"mem://" + other.name(), 1}}, address_origin::advertised, now, fx);
    perform(fx, now);
  }

  void send(const identity& to, std::uint64_t id, time_ms now, std::uint32_t ttl = 30'000) {
    pool_effects fx;
    pool_.send(to, message_of(id, now, ttl), now, fx);
    perform(fx, now);
  }

  template <class F>
  void call(time_ms now, F&& f) {
    pool_effects fx;
    f(pool_, fx);
    perform(fx, now);
  }

  void on_event(const sim_event& e) {
    pool_effects fx;
    if (e.what == sim_event::kind::accepted) {
      const auto id = pool_.accept(e.at, fx);
      if (!id) return net_.close(e.endpoint, e.at);
      open(*id, link_role::acceptor, e.endpoint, std::nullopt, e.at);
      return perform(fx, e.at);
    }
    const auto it = by_endpoint_.find(e.endpoint);
    if (it == by_endpoint_.end()) return;
    auto& c = connections_.at(it->second);
    if (e.what == sim_event::kind::connected) c.machine->start(e.at, c.fx);
    if (e.what == sim_event::kind::data) c.machine->received(e.octets, e.at, c.fx);
    if (e.what == sim_event::kind::closed) c.machine->disconnected(e.why, c.fx);
    settle(it->second, e.at);
  }

  void tick(time_ms now) {
    std::vector<link_id> due;
    for (auto& [id, c] : connections_)
      if (c.machine->next_timer() <= now) due.push_back(id);
    for (const auto id : due) {
      const auto it = connections_.find(id);
      if (it == connections_.end()) continue;
      it->second.machine->tick(now, it->second.fx);
      settle(id, now);
    }
    while (!sealing_.empty() && sealing_.begin()->first <= now) {
      auto work = std::move(sealing_.begin()->second);
      sealing_.erase(sealing_.begin());
      sealed(std::move(work), now);
    }
    pool_effects fx;
    pool_.tick(now, fx);
    perform(fx, now);
  }

  time_ms next_timer() const {
    auto at = pool_.next_timer();
    for (const auto& [id, c] : connections_) at = std::min(at, c.machine->next_timer());
    if (!sealing_.empty()) at = std::min(at, sealing_.begin()->first);
    return at;
  }

  std::size_t links_up() const {
    return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), [](const auto& c) {
      return c.second.machine->state() == link_state::up;
    }));
  }
  endpoint_id endpoint_of(link_id id) const { return connections_.at(id).endpoint; }

  std::vector<std::uint64_t> received;
  std::vector<std::pair<std::uint64_t, error>> dropped;
  int ups = 0, downs = 0;
  std::uint64_t life() const { return life_; }

private:
  struct connection {
    std::unique_ptr<hanse::link> machine;
    endpoint_id endpoint = 0;
    link_effects fx;
    identity peer;
  };

  pool_config with_self(pool_config c) const {
    c.self = self_;
    c.addresses.schemes = {"mem"};
    return c;
  }

  void open(link_id id, link_role role, endpoint_id end, const std::optional<identity>& expected, time_ms now) {
    link_config c;
    c.self = self_;
    c.ours.life = life_;
    c.expected_peer = expected;
    connection entry;
    entry.machine = std::make_unique<hanse::link>(role, make_plain_session(role, self_, expected), c, random_);
    entry.endpoint = end;
    if (expected) entry.peer = *expected;
    by_endpoint_[end] = id;
    connections_.emplace(id, std::move(entry));
    if (role == link_role::dialer) return; // starts once connected
    connections_.at(id).machine->start(now, connections_.at(id).fx);
    settle(id, now);
  }

  // Performs what a link did.
  void settle(link_id id, time_ms now) {
    auto& c = connections_.at(id);
    auto fx = std::exchange(c.fx, {});
    if (!fx.output.empty()) {
      (void)net_.send(c.endpoint, fx.output, now);
      c.machine->written(fx.output.size(), now);
    }
    pool_effects out;
    if (fx.up) {
      c.peer = fx.up->peer;
      pool_.link_up(id, fx.up->peer, fx.up->theirs.life, now, out);
    }
    for (const auto& d : fx.data) {
      std::uint64_t number = 0;
      std::memcpy(&number, d.view().data(), sizeof number);
      received.push_back(number);
      pool_.active(id, now);
    }
    if (fx.closed) {
      net_.close(c.endpoint, now);
      by_endpoint_.erase(c.endpoint);
      connections_.erase(id);
      pool_.link_closed(id, *fx.closed, now, out);
    } else {
      pool_.set_budget(id, c.machine->writable_budget(), now, out);
    }
    perform(out, now);
  }

  void sealed(pool_effects::transmission t, time_ms now) {
    const auto it = connections_.find(t.link);
    std::vector<outbound> back;
    const auto peer = peers_of_links_.at(t.link);
    for (auto& m : t.messages) {
      const auto payload = std::as_bytes(std::span{&m.message.id, 1});
      if (it == connections_.end() || !it->second.machine->send_data(payload, it->second.fx))
        back.push_back(std::move(m));
    }
    if (it != connections_.end()) {
      it->second.machine->flush(now, it->second.fx);
      settle(t.link, now);
    }
    pool_effects fx;
    if (!back.empty()) pool_.give_back(peer, std::move(back), now, fx);
    perform(fx, now);
  }

  void perform(pool_effects& fx, time_ms now) {
    const auto todo = std::exchange(fx, {});
    for (const auto& d : todo.dropped) dropped.emplace_back(d.message.message.id, d.why);
    for (const auto& t : todo.transmit) {
      peers_of_links_[t.link] = *pool_.peer_of(t.link);
      sealing_.emplace(now + random_.below(20), t);
    }
    for (const auto& c : todo.close) {
      const auto it = connections_.find(c.link);
      if (it == connections_.end()) continue;
      if (c.graceful)
        it->second.machine->finish(c.why, now, it->second.fx);
      else
        it->second.machine->close(c.why, it->second.fx);
      settle(c.link, now);
    }
    downs += static_cast<int>(todo.down.size());
    ups += static_cast<int>(todo.up.size());
    for (const auto& d : todo.dial) {
      const auto end = net_.connect(name_, d.address.host, now);
      open(d.link, link_role::dialer, end, d.peer, now);
    }
  }

  std::string name_;
  identity self_;
  sim_network& net_;
  random_source& random_;
  pool pool_;
  std::uint64_t life_;
  std::map<link_id, connection> connections_;
  std::map<endpoint_id, link_id> by_endpoint_;
  std::map<link_id, identity> peers_of_links_;
  std::multimap<time_ms, pool_effects::transmission> sealing_;
};

/// Runs shells and network until `until`.
inline void run_until(time_ms until, time_ms& now, sim_network& net, std::initializer_list<shell*> shells) {
  for (;;) {
    time_ms next = net.next_event_time();
    for (const auto* s : shells) next = std::min(next, s->next_timer());
    if (next > until) break;
    now = std::max(now, next);
    for (const auto& e : net.advance(now))
      for (auto* s : shells)
        if (s->name() == e.host) s->on_event(e);
    for (auto* s : shells) s->tick(now);
  }
  now = until;
}

} // namespace hanse::test
