// Whole nodes' domains for the simulator's test kit: the production machine, a disk that outlives crashes, datagrams.
#pragma once

#include "domains/samples.hpp"

#include "hanse/domains/domain_node.hpp"
#include "hanse/sim/test_kit.hpp"

namespace hanse::test {

/// What outlives a crash.
struct domain_sim_world {
  explicit domain_sim_world(std::uint32_t count) : disks(count) {
    for (std::uint32_t n = 0; n < count; ++n) {
      keys.push_back(key(100 + n));
      index[keys.back().identity()] = n;
      adverts.push_back(sign(node_advert{name(n), 1, {{"mem://n" + std::to_string(n), 1}}, {}, ""}, keys.back()));
    }
    config.domain = owner.identity();
    config.version = 1;
    config.auth = auth_mechanism::psk;
    psk.push_back({to_secret("correct-horse-battery-staple"), {}});
  }

  const identity& name(std::uint32_t n) const { return keys[n].identity(); }
  void introduces(std::uint32_t n) { config.introducers.push_back(make_introducer(adverts[n])); }
  void seal() { advert = sign(config, owner); }

  key_pair owner = key(99);
  domain_config config;
  signed_domain_advert advert;
  psk_list psk;
  std::vector<key_pair> keys;
  std::vector<signed_node_advert> adverts;
  std::vector<std::map<std::string, std::map<bytes, bytes>>> disks;
  std::map<identity, std::uint32_t> index;
  domain_node_config node;
  time_ms enters_within = 1; ///< each at a random time
  time_ms writes_until = 0;
};

struct domain_sim_node : sim::test_machine {
  domain_sim_node(domain_sim_world& w, std::uint32_t n) : world(w), self(n) {}

  void start(sim::port& p) override {
    machine = std::make_unique<domain_node>(world.keys[self], p.random(), domain_protocols::builtin(), world.node);
    bool was_in = false;
    for (const auto table : domain_tables)
      for (const auto& [k, v] : world.disks[self][std::string{table}]) {
        was_in = true;
        CHECK(machine->restore(table, k, v));
      }
    (void)machine->set_keys(world.config.domain, world.psk);
    domain_effects out;
    machine->start(p.now(), out);
    for (std::uint32_t n = 0; n < p.nodes(); ++n) {
      if (n == self) continue;
      machine->link_up(world.name(n), p.now(), out);
      machine->node_advert(world.name(n), world.adverts[n].wire);
    }
    perform(p, std::move(out));
    p.after(10 + p.random().below(50), 1);
    if (!was_in) p.after(1 + p.random().below(world.enters_within), 2);
    p.after(500 + p.random().below(1000), 3);
  }

  void received(sim::port& p, std::uint32_t from, byte_view octets) override {
    if (octets.empty()) return;
    domain_effects out;
    const auto which = static_cast<domain_channel>(octets[0]);
    (void)machine->receive(world.name(from), which, channel(from), octets.subspan(1), p.now(), out);
    perform(p, std::move(out));
  }

  void timer(sim::port& p, std::uint64_t token) override {
    domain_effects out;
    if (token == 1) {
      machine->tick(p.now(), out);
      const auto next = machine->next_timer();
      p.after(next && *next > p.now() ? std::min<time_ms>(*next - p.now(), 500) : 20, 1);
    } else if (token == 2) {
      CHECK(machine->enter({world.advert, world.psk, "", ""}, p.now(), out));
    } else if (token == 3) {
      if (p.now() < world.writes_until) {
        if (machine->put(world.config.domain, "k" + std::to_string(p.random().below(4)),
                         to_bytes(std::to_string(p.random().below(1000))), p.now(), out))
          p.count("writes");
        p.after(500 + p.random().below(1000), 3);
      }
    } else {
      machine->persisted(world.config.domain, token - 100, p.now(), out);
    }
    perform(p, std::move(out));
  }

  void perform(sim::port& p, domain_effects effects) {
    for (auto& e : effects) {
      if (auto* m = std::get_if<domain_message>(&e)) {
        p.count("octets", m->body.size());
        p.count("bodies");
        bytes framed{static_cast<std::byte>(m->which)};
        append(framed, m->body);
        if (const auto to = world.index.find(m->to); to != world.index.end()) p.send(to->second, std::move(framed));
      } else if (auto* w = std::get_if<domain_write>(&e)) {
        auto& table = world.disks[self][std::string{w->table}];
        for (auto& kv : w->writes)
          if (kv.value)
            table[kv.key] = *kv.value;
          else
            table.erase(kv.key);
        if (w->token != 0) p.after(1 + p.random().below(5), 100 + w->token);
      }
    }
  }

  domain_report report() const {
    auto r = machine->report(world.config.domain);
    return r ? *r : domain_report{};
  }

  join_channel channel(std::uint32_t other) const {
    const auto& [low, high] = std::minmax(world.name(self), world.name(other));
    join_channel c{};
    std::ranges::copy(blake2b_256({low.wire(), high.wire()}).octets, c.begin());
    return c;
  }

  domain_sim_world& world;
  std::uint32_t self;
  std::unique_ptr<domain_node> machine;
};

inline bool all_agree(const sim::test_network& net, std::size_t members) {
  std::optional<digest> state;
  for (std::uint32_t n = 0; n < net.nodes(); ++n) {
    const auto* m = net.machine<domain_sim_node>(n);
    if (!m) return false;
    const auto r = m->report();
    if (r.role != domain_role::member || r.members != members) return false;
    if (!state) state = r.state;
    if (*state != r.state) return false;
  }
  return true;
}

} // namespace hanse::test
