// Nodes of one domain for the simulator's test kit: honest ones around domain_lattice, and some that are not.
#pragma once

#include "domains/lattice_kit.hpp"

#include "hanse/sim/test_kit.hpp"

namespace hanse::test {

/// What outlives a crash, and what the liars agree on among themselves.
struct lattice_world {
  explicit lattice_world(std::uint32_t node_count) : nodes(node_count), disks(node_count) {
    for (std::uint32_t n = 0; n < node_count; ++n) {
      keys.push_back(key(n + 1));
      index[keys.back().identity()] = n;
    }
  }
  const identity& name(std::uint32_t n) const { return keys[n].identity(); }

  std::vector<key_pair> keys; ///< made once: each costs system calls
  std::uint32_t nodes;
  std::vector<std::map<bytes, bytes>> disks;
  std::map<identity, std::uint32_t> index;
  std::vector<block> dark;       ///< the equivocators' newest blocks, for colluders to point at
  time_ms writes_until = 30'000; ///< honest members write until then
  std::uint32_t write_every_ms = 700;
  std::set<std::uint32_t> liars;
  identity outsider = id(666);
};

/// The lattice, a durable disk, a workload of Puts.
struct honest_member : sim::test_machine {
  honest_member(lattice_world& w, std::uint32_t n) : world(w), self(n) {}

  void start(sim::port& p) override {
    lattice = std::make_unique<domain_lattice>(domain_id(), world.keys[self], judge_fake, p.random());
    for (const auto& [k, v] : world.disks[self]) CHECK(lattice->restore(k, v));
    if (self != 0 || !world.disks[self].empty())
      for (std::uint32_t n = 0; n < std::min<std::uint32_t>(3, world.nodes); ++n) lattice->add_contact(world.name(n));
    lattice->start(p.now(), out);
    if (self == 0 && world.disks[self].empty()) found(p);
    perform(p);
    p.after(10 + p.random().below(100), 1);
    p.after(world.write_every_ms + p.random().below(world.write_every_ms), 2);
  }

  void found(sim::port& p) {
    REQUIRE(lattice->configure(fake_advert(1, {world.name(0), world.name(1)}), p.now(), out));
    for (std::uint32_t n = 2; n < world.nodes; ++n)
      REQUIRE(lattice->admit(world.name(n), level_default, {}, p.now(), out));
  }

  void received(sim::port& p, std::uint32_t from, byte_view octets) override {
    (void)lattice->receive(world.name(from), octets, p.now(), out);
    perform(p);
  }

  void timer(sim::port& p, std::uint64_t token) override {
    if (token == 1) {
      lattice->tick(p.now(), out);
      perform(p);
      const auto next = lattice->next_timer();
      p.after(next && *next > p.now() ? std::min<time_ms>(*next - p.now(), 1000) : 20, 1);
    } else if (token == 2) {
      if (p.now() < world.writes_until) work(p);
      p.after(world.write_every_ms / 2 + p.random().below(world.write_every_ms), 2);
    } else { // a commit that took its time
      lattice->persisted(token - 100, p.now(), out);
      perform(p);
    }
  }

  virtual void work(sim::port& p) {
    std::string k{"k"};
    k += std::to_string(p.random().below(5));
    if (lattice->put(k, to_bytes(std::to_string(p.random().below(1000))), p.now(), out)) p.count("writes");
    perform(p);
  }

  void perform(sim::port& p) {
    for (auto& e : std::exchange(out, {})) {
      if (auto* m = std::get_if<peer_message>(&e)) {
        p.count("octets", m->body.size());
        if (const auto to = world.index.find(m->to); to != world.index.end()) p.send(to->second, std::move(m->body));
      } else if (auto* w = std::get_if<lace_persist>(&e)) {
        // Written at once, reported later: a crash in between forgets only the report.
        for (auto& kv : w->writes) world.disks[self][kv.key] = *kv.value;
        p.after(1 + p.random().below(5), 100 + w->token);
      }
    }
  }

  void send_block(sim::port& p, std::uint32_t to, const block& b) {
    msgpack_writer body;
    body.array(4);
    body.unsigned_integer(5);
    body.unsigned_integer(1);
    body.boolean(false);
    body.array(1);
    body.blob(b.wire.view());
    p.send(to, std::move(body).take());
  }

  lattice_world& world;
  std::uint32_t self;
  std::unique_ptr<domain_lattice> lattice;
  lattice_effects out;
};

/// Writes three chains at once and shows each to others; goes on for ever, with invalid operations now and then.
struct equivocator final : honest_member {
  using honest_member::honest_member;
  void work(sim::port& p) override {
    if (!lattice->map().is_member(world.name(self))) return;
    const auto& lace = lattice->lace();
    if (branches.empty()) branches.resize(3);
    const forger me{world.keys[self]};
    for (auto& b : branches) {
      const bool invalid = p.random().below(10) == 0;
      const auto op = invalid ? add_op(world.outsider, 1, {}, 1) : put_op("evil", to_bytes(std::to_string(++count)), 1);
      if (b) {
        b = me.next(*b, {}, op);
      } else {
        const auto tip = lace.graph()[lace.acknowledged().back()].id;
        b = me.make(1, std::nullopt, {tip}, op);
      }
      world.dark.push_back(*b);
      for (int i = 0; i < 3; ++i) send_block(p, static_cast<std::uint32_t>(p.random().below(p.nodes())), *b);
    }
    p.count("forged", branches.size());
  }
  std::vector<std::optional<block>> branches;
  std::uint64_t count = 0;
};

/// Points at what equivocators wrote and never lets on that it knows of a fork.
struct colluder final : honest_member {
  using honest_member::honest_member;
  void work(sim::port& p) override {
    if (!lattice->map().is_member(world.name(self)) || world.dark.empty()) return;
    const forger me{world.keys[self]};
    const auto& dark = world.dark[p.random().below(world.dark.size())];
    const auto op = put_op("evil", to_bytes("collusion"), 1);
    tip = tip ? me.next(*tip, {dark.id}, op) : me.make(1, std::nullopt, {dark.id}, op);
    for (std::uint32_t n = 0; n < p.nodes(); ++n) {
      send_block(p, n, dark);
      send_block(p, n, *tip);
    }
    p.count("colluded");
  }
  std::optional<block> tip;
};

} // namespace hanse::test
