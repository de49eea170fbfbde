// Simulated members of a domain that exchange blocks: the production machines on the simulator's test kit, with disks
// that outlive crashes. For block_exchange_sim_test.cpp.
#pragma once

#include "hanse/domains/block_exchange.hpp"
#include "hanse/domains/content_transfer.hpp"
#include "hanse/sim/test_kit.hpp"

#include <doctest/doctest.h>

namespace hanse::test {

constexpr time_ms wall_start = 1'700'000'000'000;

inline key_pair key_of(std::uint64_t node) {
  seeded_random random{1000 + node};
  return key_pair::generate(random);
}

inline identity test_domain() {
  return key_of(999).identity();
}

/// What is outside of the nodes: disks, and what the test wants to know.
struct block_world {
  struct node_state {
    memory_block_table disk;
    std::uint64_t quota = 1ull << 30;
    bool lies = false; ///< flips a bit in every block it gives
    bool trusted = true;
    std::vector<std::pair<identity, error>> reported;
    std::uint64_t fetched_before = 0;      ///< in earlier lives
    std::uint64_t uplink_octets_per_s = 0; ///< of what this node sends, in order; 0: no bound
    std::uint64_t sent_octets = 0;
    time_ms longest_wait_ms = 0; ///< of what was sent behind all the rest: what a small message would have waited
  };
  explicit block_world(std::uint32_t count) : nodes(count) {
    for (std::uint32_t i = 0; i < count; ++i) ids.push_back(key_of(i).identity());
  }
  std::vector<node_state> nodes;
  std::vector<identity> ids;
  std::function<void(block_exchange&, std::uint32_t)> configure;
  block_exchange_config exchange_config;
  block_store_config store_config;

  std::uint32_t number(const identity& id) const {
    return static_cast<std::uint32_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
  }
};

class block_node final : public sim::test_machine {
public:
  block_node(block_world& world, std::uint32_t self) : world(world), me(world.nodes[self]), self(self) {
    me.disk.crash(); // what was not committed is gone
  }

  void start(sim::port& p) override {
    random.emplace(p.random().next_u64());
    store.emplace(*block_store::open(me.disk, world.store_config));
    store->set_quota(test_domain(), me.quota);
    auto config = world.exchange_config;
    config.domain = test_domain();
    exchange.emplace(*store, key_of(self), *random, config);
    for (std::uint32_t i = 0; i < world.ids.size(); ++i)
      exchange->set_member(world.ids[i], world.nodes[i].trusted ? 128 : 0);
    if (world.configure) world.configure(*exchange, self);
    p.after(1, 0);
  }

  void received(sim::port& p, std::uint32_t from, byte_view octets) override {
    block_effects out;
    (void)exchange->receive(world.ids[from], octets, now(p), out);
    perform(p, out);
  }

  void timer(sim::port& p, std::uint64_t token) override {
    if (token != 0) { // the next has left the uplink
      auto& next = uplink.front();
      p.send(next.first, std::move(next.second));
      uplink.pop_front();
      return;
    }
    block_effects out;
    exchange->tick(now(p), out);
    perform(p, out);
    p.after(5, 0);
  }

  static time_ms now(const sim::port& p) { return wall_start + p.now(); }

  eris_capability put(byte_view content, time_ms at = 0) {
    content_put put{*store, test_domain(), eris_block_size::large, eris_null_secret, lease_forever};
    REQUIRE(put.feed(content, wall_start + at));
    auto c = put.finish(wall_start + at);
    REQUIRE(c);
    return *c;
  }

  void begin_get(const eris_capability& c) { get.emplace(*exchange, c); } // goes on with the next tick
  void begin_replication(const eris_capability& c, std::size_t copies) {
    replication.emplace(*exchange, c, copies, lease_forever);
  }

  block_world& world;
  block_world::node_state& me;
  std::uint32_t self;
  std::optional<seeded_random> random;
  std::optional<block_store> store;
  std::optional<block_exchange> exchange;
  std::optional<content_get> get;
  std::optional<content_replication> replication;
  bytes content;
  std::optional<error> get_failed;
  std::deque<std::pair<std::uint32_t, bytes>> uplink;
  time_ms uplink_free = 0;

private:
  /// Performs effects until the machines have nothing more to say.
  void perform(sim::port& p, block_effects& out) {
    do {
      block_effects now_out;
      std::swap(now_out, out);
      for (auto& e : now_out) std::visit([&](auto& effect) { on(p, effect); }, e);
      if (get && !get->done() && !get_failed) {
        const auto pumped = get->pump(
            now(p), UINT64_MAX, [this](byte_view part) { append(content, part); }, out);
        if (!pumped) get_failed = pumped.error();
      }
      if (replication && !replication->done()) REQUIRE(replication->pump(now(p), out));
    } while (!out.empty());
  }

  void on(sim::port& p, peer_message& m) {
    if (me.lies) corrupt(m.body);
    me.sent_octets += m.body.size();
    if (me.uplink_octets_per_s == 0) return p.send(world.number(m.to), std::move(m.body));
    uplink_free = std::max(uplink_free, p.now()) + 1000 * m.body.size() / me.uplink_octets_per_s;
    me.longest_wait_ms = std::max(me.longest_wait_ms, uplink_free - p.now());
    uplink.emplace_back(world.number(m.to), std::move(m.body));
    p.after(uplink_free - p.now(), 1);
  }
  void on(sim::port&, const block_arrived& e) {
    if (get) get->on(e);
  }
  void on(sim::port&, const block_missing& e) {
    if (get) get->on(e);
  }
  void on(sim::port&, const block_pushed& e) {
    if (replication) replication->on(e);
  }
  void on(sim::port&, const block_misbehaviour& e) { me.reported.emplace_back(e.node, e.why); }
  void on(sim::port&, const block_store_failed& e) { FAIL(to_string(e.why)); }

  static void corrupt(bytes& body) {
    auto m = decode_block_message(body);
    REQUIRE(m);
    auto* answer = std::get_if<blocks_answer>(&*m);
    if (!answer || answer->blocks.empty()) return;
    auto octets = to_bytes(answer->blocks.back().octets);
    octets[octets.size() / 2] ^= std::byte{1};
    answer->blocks.back().octets = octets;
    body = encode(*m);
  }
};

inline std::unique_ptr<sim::test_network> make_network(block_world& world, std::uint64_t seed,
                                                       const sim_path& path = {1, 10}) {
  return std::make_unique<sim::test_network>(
      seed, static_cast<std::uint32_t>(world.ids.size()), path,
      [&world](std::uint32_t node) { return std::make_unique<block_node>(world, node); });
}

inline bytes sample(std::size_t size, std::uint64_t seed = 7) {
  bytes content(size);
  seeded_random{seed}.fill(content);
  return content;
}

} // namespace hanse::test
