// Domains under loss, crashes and partitions: the production machine of whole nodes, from joining on.
#include "sim/domain_sim_world.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

namespace hanse::test {

namespace {

sim_path lossy() {
  sim_path p;
  p.latency_min = 5;
  p.latency_max = 45;
  p.loss_permille = 100;
  p.duplicate_permille = 50;
  return p;
}

} // namespace

TEST_CASE("nodes join a domain with a pre-shared key through a bad network and end with one view") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    domain_sim_world w{8};
    w.introduces(0);
    w.introduces(1);
    w.seal();
    w.enters_within = 3000;
    w.writes_until = 40'000;
    sim::test_network net{seed, 8, lossy(), [&](std::uint32_t n) { return std::make_unique<domain_sim_node>(w, n); }};
    CHECK(net.run(240'000, [&] { return net.now() > 60'000 && all_agree(net, 8); }));
    CHECK(net.counts().at("writes") > 50);
  }
}

TEST_CASE("crashes and a partition delay a domain, and nothing else") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    domain_sim_world w{7};
    w.introduces(0);
    w.introduces(3);
    w.seal();
    w.enters_within = 2000;
    w.writes_until = 60'000;
    sim::test_network net{seed, 7, lossy(), [&](std::uint32_t n) { return std::make_unique<domain_sim_node>(w, n); }};
    net.partition({3, 4, 5}, 1, 30'000); // from the start: two instances that found themselves apart
    net.crash(0, 12'000, 3000);
    net.crash(4, 20'000, 5000);
    net.crash(6, 45'000, 1000);
    CHECK(net.run(300'000, [&] { return net.now() > 75'000 && all_agree(net, 7); }));
    for (std::uint32_t n = 0; n < 7; ++n)
      if (const auto* m = net.machine<domain_sim_node>(n)) CHECK(m->report().byzantine.empty());
  }
}

/// HANSE_SIM_MEMBERS=1000 for the size that is promised: minutes, and a few GiB.
TEST_CASE("many members join, and all of them see all") {
  const auto* wished = std::getenv("HANSE_SIM_MEMBERS");
  const auto count = static_cast<std::uint32_t>(wished ? std::strtoul(wished, nullptr, 10) : 40);
  REQUIRE(count >= 2);
  domain_sim_world w{count};
  w.introduces(0);
  w.introduces(1);
  w.seal();
  w.enters_within = count * 200; // an introducer answers 600 tries a minute
  sim_path quiet;
  quiet.latency_min = 5;
  quiet.latency_max = 45;
  sim::test_network net{7, count, quiet, [&](std::uint32_t n) { return std::make_unique<domain_sim_node>(w, n); }};
  CHECK(net.run(w.enters_within + 300'000, [&] { return net.now() > w.enters_within && all_agree(net, count); }));
  MESSAGE(count << " members after " << net.now() / 1000 << " s inside; " << net.counts().at("octets") / count
                << " octets sent by each");
}

} // namespace hanse::test
