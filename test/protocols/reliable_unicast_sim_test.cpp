// Thousands of seeded runs of reliable unicast against an independent oracle: nothing acknowledged is lost, nothing is
// delivered twice, FIFO and causal order hold, and everything converges after healing. A failure prints its seed:
// HANSE_SEED=<seed> runs that one alone, HANSE_SEEDS_PERCENT=<n> runs so many of the usual number.

#include "reliable_unicast_world.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace hanse;
using namespace hanse::test;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct totals {
  std::uint64_t deliveries = 0, confirmations = 0, failures = 0, in_doubts = 0, crashes = 0, retransmissions = 0;
};

/// Runs `count` seeds of the world that `make` describes.
template <class F>
totals run_seeds(std::uint64_t count, F make) {
  totals t;
  const auto only = from_environment("HANSE_SEED", 0);
  const auto last = only != 0 ? only : (count * from_environment("HANSE_SEEDS_PERCENT", 100) + 99) / 100;
  for (auto seed = only != 0 ? only : 1; seed <= last; ++seed) {
    world_options options;
    std::mt19937_64 rng{seed * 7919};
    options.seed = seed;
    make(options, [&](std::uint64_t n) { return static_cast<int>(rng() % n); });
    world w{options};
    const auto verdict = w.run();
    t.deliveries += w.deliveries;
    t.confirmations += w.confirmations;
    t.failures += w.failures;
    t.in_doubts += w.in_doubts;
    t.crashes += w.crashes;
    t.retransmissions += w.retransmissions;
    if (verdict.empty()) continue;
    FAIL("seed " << seed << ": " << verdict);
    break;
  }
  MESSAGE(t.deliveries << " deliveries, " << t.confirmations << " confirmed, " << t.failures << " failed, "
                       << t.in_doubts << " in doubt, " << t.crashes << " crashes, " << t.retransmissions
                       << " retransmissions");
  return t;
}

} // namespace

TEST_CASE("reliable unicast: a network without faults loses and repeats nothing") {
  const auto t = run_seeds(200, [](world_options& o, auto) { o.handler_error_permille = 0; });
  CHECK(t.failures == 0);
  CHECK(t.confirmations == t.deliveries);
}

TEST_CASE("reliable unicast: loss, duplication, reordering and partitions") {
  run_seeds(1000, [](world_options& o, auto below) {
    o.nodes = 2 + below(4);
    o.engines = 3 + below(5);
    o.late_permille = 20;
    o.loss_permille = below(300);
    o.duplicate_permille = below(300);
    o.delay_max_ms = 1 + below(200);
    o.partitions = below(6);
    o.skew_max_ms = below(1000);
  });
}

TEST_CASE("reliable unicast: loss alone fails no message that has time") {
  const auto t = run_seeds(300, [](world_options& o, auto below) {
    o.nodes = 2 + below(4);
    o.engines = 3 + below(5);
    o.loss_permille = 100 + below(201);
    o.handler_error_permille = 0;
    o.sends_per_engine = 1 + below(10);
    o.replies_permille = 200;
    o.ttl_min_ms = o.ttl_max_ms = 120'000;
  });
  CHECK(t.failures == 0);
}

TEST_CASE("reliable unicast: crashes between any two steps") {
  const auto t = run_seeds(1500, [](world_options& o, auto below) {
    o.nodes = 2 + below(3);
    o.engines = 3 + below(4);
    o.late_permille = 20;
    o.loss_permille = below(200);
    o.duplicate_permille = below(200);
    o.delay_max_ms = 1 + below(80);
    o.handling_max_ms = below(200);
    o.commit_max_ms = below(30);
    o.crashes = 1 + below(8);
    o.partitions = below(3);
    o.skew_max_ms = below(500);
  });
  CHECK(t.in_doubts > 0);
}

TEST_CASE("reliable unicast: every bound is small") {
  run_seeds(250, [](world_options& o, auto below) {
    o.nodes = 2 + below(3);
    o.engines = 6 + below(6);
    o.late_permille = 20;
    o.loss_permille = below(200);
    o.sends_per_engine = 40;
    o.faults_ms = 3000;
    o.crashes = below(3);
    o.config.queue_max = 4 + below(20);
    o.config.pending_max = 1 + below(6);
    o.config.open_max = 1 + below(4);
    o.config.batch_max = 1 + below(3);
    o.config.context_max = 160; // all pairs of streams; with less, engines may wait for each other's room
    o.config.window_octets_max = 4;
  });
}

TEST_CASE("reliable unicast: engines without room for what their messages depend on") {
  run_seeds(200, [](world_options& o, auto below) {
    o.nodes = 2 + below(3);
    o.engines = 6 + below(6);
    o.loss_permille = below(200);
    o.faults_ms = 3000;
    o.crashes = below(3);
    o.config.context_max = 33 + below(20);
    o.converges = false;
  });
}

TEST_CASE("reliable unicast: many engines and more dependencies than a message may carry") {
  run_seeds(10, [](world_options& o, auto below) {
    o.nodes = 4 + below(3);
    o.engines = 45;
    o.late_permille = 20;
    o.loss_permille = below(150);
    o.sends_per_engine = 10;
    o.replies_permille = 300;
    o.faults_ms = 1500;
    o.delay_max_ms = 150;
  });
}

TEST_CASE("reliable unicast: clocks that are far apart never break the order") {
  run_seeds(400, [](world_options& o, auto below) {
    o.nodes = 3;
    o.engines = 5;
    o.late_permille = 20;
    o.loss_permille = 100;
    o.delay_max_ms = 100;
    o.ttl_min_ms = 300;
    o.ttl_max_ms = 4000;
    o.skew_max_ms = 3000 + below(3000);
    o.crashes = below(4);
    o.partitions = below(5);
  });
}
