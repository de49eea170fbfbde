// Several nodes' domains in one place: messages through a queue that the test may cut, disks that outlive a node.
// Not a network with delays and loss: that is sim/domain_sim_test.cpp.
#pragma once

#include "domains/samples.hpp"

#include "hanse/domains/domain_node.hpp"

#include <deque>

namespace hanse::test {

/// A node, its disk, and what it said.
struct world_node {
  std::uint64_t number = 0;
  key_pair keys;
  seeded_random random;
  std::map<std::string, std::map<bytes, bytes>> disk;
  std::unique_ptr<domain_node> machine;
  domain_effects seen; ///< all but messages and writes
  std::map<identity, domain_members> views;
  std::set<identity> reached;
  bool down = false;

  explicit world_node(std::uint64_t n) : number(n), keys(key(n)), random(n * 1000) {}
  const identity& id() const { return keys.identity(); }

  template <class Effect>
  std::vector<Effect> all() const {
    std::vector<Effect> found;
    for (const auto& e : seen)
      if (const auto* x = std::get_if<Effect>(&e)) found.push_back(*x);
    return found;
  }
};

struct domain_world {
  struct packet {
    identity from, to;
    domain_channel which;
    bytes body;
  };

  time_ms now = 1'000'000;
  domain_node_config config;
  domain_protocols protocols = domain_protocols::builtin();
  std::map<identity, std::unique_ptr<world_node>> nodes;
  std::deque<packet> queue;
  std::set<std::pair<identity, identity>> links; ///< both directions
  std::size_t messages = 0;

  world_node& add(std::uint64_t number) {
    auto n = std::make_unique<world_node>(number);
    auto& made = *nodes.emplace(n->id(), std::move(n)).first->second;
    boot(made);
    return made;
  }
  world_node& node(std::uint64_t number) { return *nodes.at(test::id(number)); }
  domain_node& machine(std::uint64_t number) { return *node(number).machine; }

  void boot(world_node& n, const psk_list& keys = {}) {
    n.machine = std::make_unique<domain_node>(n.keys, n.random, protocols, config);
    for (const auto table : domain_tables)
      for (const auto& [k, v] : n.disk[std::string{table}]) REQUIRE(n.machine->restore(table, k, v));
    for (const auto& r : n.machine->reports()) (void)n.machine->set_keys(r.domain, keys);
    domain_effects out;
    n.machine->start(now, out);
    perform(n, std::move(out));
  }

  /// A crash: only the disk stays. Links break.
  void restart(std::uint64_t number, const psk_list& keys = {}) {
    auto& n = node(number);
    std::set<identity> peers;
    for (const auto& [a, b] : links)
      if (a == n.id()) peers.insert(b);
    for (const auto& p : peers) unlink(n, *nodes.at(p));
    boot(n, keys);
    for (const auto& p : peers) link(n, *nodes.at(p));
  }

  void link(world_node& a, world_node& b) {
    links.insert({a.id(), b.id()});
    links.insert({b.id(), a.id()});
    up(a, b);
    up(b, a);
  }
  void link(std::uint64_t a, std::uint64_t b) { link(node(a), node(b)); }

  void unlink(world_node& a, world_node& b) {
    links.erase({a.id(), b.id()});
    links.erase({b.id(), a.id()});
    a.machine->link_down(b.id(), now);
    b.machine->link_down(a.id(), now);
  }

  /// What `act` asks for is performed, and all that follows from it at once.
  template <class Act>
  auto with(std::uint64_t number, Act&& act) {
    domain_effects out;
    auto& n = node(number);
    auto result = act(*n.machine, out);
    perform(n, std::move(out));
    settle();
    return result;
  }

  expected<unit> enter(std::uint64_t number, const domain_config& c, const psk_list& keys = {},
                       const std::string& instance = {}) {
    return with(number, [&](domain_node& m, domain_effects& out) {
      return m.enter({sign(c, key(1)), keys, "", instance}, now, out);
    });
  }

  void settle() {
    for (std::size_t steps = 0; !queue.empty(); ++steps) {
      REQUIRE(steps < 200'000);
      auto p = std::move(queue.front());
      queue.pop_front();
      if (!links.contains({p.from, p.to})) continue;
      auto& to = *nodes.at(p.to);
      domain_effects out;
      ++messages;
      (void)to.machine->receive(p.from, p.which, channel(p.from, p.to), p.body, now, out);
      perform(to, std::move(out));
    }
  }

  void advance(time_ms by) {
    settle();
    for (const auto end = now + by; now < end;) {
      now = std::min(now + 250, end);
      for (auto& [id, n] : nodes) {
        domain_effects out;
        n->machine->tick(now, out);
        perform(*n, std::move(out));
      }
      settle();
    }
  }

  std::vector<identity> members(std::uint64_t number, const identity& domain = test::id(1)) {
    std::vector<identity> out;
    for (const auto& m : machine(number).members(domain)) out.push_back(m.view.member);
    return out;
  }
  domain_report report(std::uint64_t number, const identity& domain = test::id(1)) {
    auto r = machine(number).report(domain);
    REQUIRE(r);
    return *r;
  }

private:
  static join_channel channel(const identity& a, const identity& b) {
    join_channel c{};
    const auto& [low, high] = std::minmax(a, b);
    std::ranges::copy(blake2b_256({low.wire(), high.wire()}).octets, c.begin());
    return c;
  }

  void up(world_node& a, world_node& b) {
    domain_effects out;
    a.machine->link_up(b.id(), now, out);
    a.machine->node_advert(b.id(), node_advert_of(b.number).wire);
    perform(a, std::move(out));
    settle();
  }

  void perform(world_node& n, domain_effects effects) {
    for (std::size_t i = 0; i < effects.size(); ++i) {
      if (auto* m = std::get_if<domain_message>(&effects[i])) {
        queue.push_back({n.id(), m->to, m->which, std::move(m->body)});
      } else if (auto* w = std::get_if<domain_write>(&effects[i])) {
        auto& table = n.disk[std::string{w->table}];
        for (auto& kv : w->writes)
          if (kv.value)
            table[kv.key] = *kv.value;
          else
            table.erase(kv.key);
        if (w->token != 0) {
          const auto domain = w->domain;
          const auto token = w->token;
          n.machine->persisted(domain, token, now, effects);
        }
      } else {
        if (auto* v = std::get_if<domain_view>(&effects[i])) n.views[v->members.domain] = v->members;
        if (auto* r = std::get_if<domain_reach>(&effects[i])) n.reached.insert(r->node);
        n.seen.push_back(std::move(effects[i]));
      }
    }
  }
};

} // namespace hanse::test
