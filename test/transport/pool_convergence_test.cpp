// Tests of two pools that dial each other at about the same time, over thousands of random schedules, and of restarts.
// Not single decisions (pool_test.cpp).
#include "pool_shell.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace hanse;
using namespace hanse::test;

namespace {

struct pair_of_nodes {
  seeded_random random;
  sim_network net;
  shell a, b;
  time_ms now = 1'000'000;

  explicit pair_of_nodes(std::uint64_t seed, sim_path path = {1, 60, 50, 400, 0, 0, 300}, pool_config config = {})
      : random(seed), net(seed * 2 + 1, path), a("a", 1, net, random, config), b("b", 2, net, random, config) {
    a.knows(b, now);
    b.knows(a, now);
  }
  void run(time_ms for_ms) { run_until(now + for_ms, now, net, {&a, &b}); }
};

std::vector<std::uint64_t> sorted(std::vector<std::uint64_t> v) {
  std::sort(v.begin(), v.end());
  return v;
}

// One schedule: both send at random times in a short span. Returns what is wrong, or nothing.
std::string converges(std::uint64_t seed) {
  pair_of_nodes n{seed};
  std::vector<std::uint64_t> from_a, from_b;
  for (std::uint64_t i = 1; i <= 30; ++i) {
    n.run(n.random.below(25));
    auto& from = n.random.below(2) == 0 ? n.a : n.b;
    auto& to = &from == &n.a ? n.b : n.a;
    (&from == &n.a ? from_a : from_b).push_back(i);
    from.send(to.self(), i, n.now);
  }
  n.run(8'000);
  const auto la = n.a.machine().link_of(n.b.self()), lb = n.b.machine().link_of(n.a.self());
  if (!la || !lb) return "no link";
  if (n.a.links_up() != 1 || n.b.links_up() != 1) return "not one link";
  if ((n.a.endpoint_of(*la) ^ 1) != n.b.endpoint_of(*lb)) return "two different links";
  if (n.a.machine().handshakes() + n.b.machine().handshakes() != 0) return "handshakes left";
  if (n.a.machine().links() != 1 || n.b.machine().links() != 1) return "links left";
  if (sorted(n.b.received) != from_a || sorted(n.a.received) != from_b) return "lost or repeated messages";
  if (!n.a.dropped.empty() || !n.b.dropped.empty()) return "dropped messages";
  if (n.a.ups != 1 || n.b.ups != 1 || n.a.downs + n.b.downs != 0) return "flapped";
  return {};
}

} // namespace

TEST_CASE("simultaneous dials end in one and the same link, and no message is lost, over 2,000 schedules") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    const auto wrong = converges(seed);
    REQUIRE(wrong == "");
  }
}

TEST_CASE("the surviving link is the one that the smaller identity dialled") {
  pair_of_nodes n{1, {10, 10, 0, 0, 0, 0, 0}};
  n.a.send(n.b.self(), 1, n.now);
  n.b.send(n.a.self(), 2, n.now);
  n.run(3000);
  auto& smaller = n.a.self() < n.b.self() ? n.a : n.b;
  const auto& larger = n.a.self() < n.b.self() ? n.b : n.a;
  const auto report = smaller.machine().report(larger.self());
  REQUIRE(report);
  CHECK(report->address == "mem://" + larger.name());
}

TEST_CASE("pools that want a permanent link keep one link for an hour") {
  pair_of_nodes n{11};
  n.a.call(n.now, [&](pool& p, pool_effects& fx) { p.set_permanent(n.b.self(), true, n.now, fx); });
  n.b.call(n.now, [&](pool& p, pool_effects& fx) { p.set_permanent(n.a.self(), true, n.now, fx); });
  n.run(3'600'000);
  CHECK(n.a.links_up() == 1);
  CHECK(n.b.links_up() == 1);
  CHECK(n.a.ups == 1);
  CHECK(n.b.ups == 1);
}

TEST_CASE("an ephemeral link closes after a minute without messages and opens again when needed") {
  pair_of_nodes n{12};
  n.a.send(n.b.self(), 1, n.now);
  n.run(59'000);
  CHECK(n.a.links_up() == 1);
  n.run(5'000);
  CHECK(n.a.links_up() == 0);
  CHECK(n.b.links_up() == 0);
  CHECK(n.a.downs == 1);
  n.b.knows(n.a, n.now); // forgotten by now
  n.b.send(n.a.self(), 2, n.now);
  n.run(5'000);
  CHECK(n.a.received == std::vector<std::uint64_t>{2});
}

TEST_CASE("a permanent link outlives partitions") {
  pair_of_nodes n{13};
  n.a.call(n.now, [&](pool& p, pool_effects& fx) { p.set_permanent(n.b.self(), true, n.now, fx); });
  n.run(2'000);
  for (int i = 0; i < 5; ++i) {
    CHECK(n.a.links_up() == 1);
    n.net.partition({"a"}, {"b"}, i % 2 == 0, n.now);
    n.run(40'000);
    CHECK(n.a.links_up() == 0);
    n.net.heal(n.now);
    n.run(45'000);
  }
  CHECK(n.a.links_up() == 1);
  CHECK(n.b.links_up() == 1);
  CHECK(n.a.ups == 6);
  CHECK(n.a.downs == 5);
}
