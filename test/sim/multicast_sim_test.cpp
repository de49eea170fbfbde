// Causal multicast in the simulator: loss, duplicates, partitions, crashes; none lost, none twice, no causal violation.
// Random runs print their seed. The judge is in multicast_world.hpp.
#include "sim/multicast_world.hpp"

#include <cstdlib>
#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

namespace {

std::uint64_t deliveries_in_all = 0;

sim_path lossy(std::uint32_t loss_permille) {
  sim_path path{2, 40};
  path.loss_permille = loss_permille;
  path.duplicate_permille = 50;
  return path;
}

/// Bursts of events from everybody, for `span_ms` from 3 s on.
std::size_t plan_bursts(multicast_world& w, std::uint64_t seed, std::size_t bursts, time_ms span_ms) {
  seeded_random random{seed * 31 + 7};
  std::size_t events = 0;
  for (std::size_t i = 0; i < bursts; ++i) {
    const auto when = 3000 + random.below(span_ms);
    const auto node = static_cast<std::uint32_t>(random.below(w.net.nodes()));
    const auto count = 1 + random.below(16);
    events += count;
    w.publish_at(when, node, count);
  }
  return events;
}

void check(multicast_world& w) {
  for (const auto& c : w.judge.complaints) MESSAGE(c);
  CHECK(w.judge.complaints.empty());
  for (std::uint32_t n = 0; n < w.net.nodes(); ++n) {
    if (!w.net.machine(n)) continue;
    CHECK(w.node(n)->faults().empty());
    CHECK(w.node(n)->gaps == 0);
  }
  deliveries_in_all += w.judge.deliveries;
}

} // namespace

TEST_CASE("causal multicast: up to 30% loss and duplicates, over both protocols") {
  for (const auto* protocol : {"full-mesh/1", "plumtree/1"}) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      CAPTURE(protocol);
      CAPTURE(seed);
      world_options options;
      options.protocol = protocol;
      multicast_world w{seed, 16, lossy(static_cast<std::uint32_t>(seed % 4 * 100)), options};
      plan_bursts(w, seed, 300, 20'000);
      w.net.run(23'000);
      CHECK(w.run_until_complete(60'000));
      check(w);
    }
  }
}

TEST_CASE("causal multicast: partitions and crashes") {
  for (const auto* protocol : {"full-mesh/1", "plumtree/1"}) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CAPTURE(protocol);
      CAPTURE(seed);
      world_options options;
      options.protocol = protocol;
      multicast_world w{seed, 12, lossy(100), options};
      plan_bursts(w, seed, 250, 30'000);
      w.net.partition({0, 1, 2, 3}, 8000, 20'000);
      w.net.partition({5}, 12'000, 15'000);
      w.net.crash(7, 10'000, 3000);
      w.net.crash(8, 22'000, 5000);
      w.net.run(33'000);
      // What a node published just before it died may be nobody's; what lives published all have.
      CHECK(w.run_until_complete(120'000));
      check(w);
    }
  }
}

TEST_CASE("causal multicast: a lost last event is there within two digests") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    multicast_world w{seed, 5, {2, 20}, {}};
    w.publish_at(3000, 0, 3);
    w.net.run(4000);
    REQUIRE(w.lacking() == 0);
    w.net.partition({0}, 4000, 4500); // the event is lost to everybody
    w.publish_at(4200, 0, 1);
    w.net.run(4400);
    CHECK(w.lacking() == 4);
    w.net.run(4200 + 2 * 1000 + 300); // two digests, and what is asked after them
    CHECK(w.lacking() == 0);
    check(w);
  }
}

TEST_CASE("causal multicast: a late joiner has the history that it asked for, in order") {
  world_options options;
  options.history = 20;
  multicast_world w{3, 6, lossy(100), options};
  plan_bursts(w, 3, 60, 5000);
  w.net.crash(2, 9000, 2000); // comes back with nothing
  w.net.run(15'000);
  CHECK(w.node(2)->multicast().joined());
  CHECK(w.node(2)->multicast().history(100).size() == 20);
  w.publish_at(15'100, 0, 5);
  CHECK(w.run_until_complete(60'000));
  check(w);
}

TEST_CASE("causal multicast: a million deliveries in this program, or as many as HANSE_DELIVERIES says") {
  const auto* wanted = std::getenv("HANSE_DELIVERIES");
  const auto deliveries = wanted ? std::strtoull(wanted, nullptr, 10) : 1'000'000;
  std::uint64_t seed = 100;
  while (deliveries_in_all < deliveries) {
    ++seed; // not in CAPTURE, which is evaluated on failure only
    CAPTURE(seed);
    world_options options;
    options.protocol = seed % 2 == 0 ? "full-mesh/1" : "plumtree/1";
    multicast_world w{seed, 32, lossy(static_cast<std::uint32_t>(seed % 3 * 100)), options};
    plan_bursts(w, seed, 400, 15'000);
    w.net.run(18'000);
    CHECK(w.run_until_complete(60'000));
    check(w);
  }
  MESSAGE(deliveries_in_all << " deliveries, the last of seed " << seed);
}
