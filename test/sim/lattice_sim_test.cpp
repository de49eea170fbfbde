// Domains in the simulator's test kit: loss, duplicates, crashes, partitions, and up to a third of liars. Whatever
// happens, honest members end with one view, none of them is excluded, and equivocators' blocks stop counting.
#include "sim/lattice_world.hpp"

using namespace hanse;
using namespace hanse::sim;
using namespace hanse::test;

namespace {

sim_path bad_path() {
  sim_path p{5, 60};
  p.loss_permille = 100;
  p.duplicate_permille = 50;
  return p;
}

/// Nodes 3, 6, 9, … lie, in turn as equivocator and colluder.
std::unique_ptr<test_machine> make_member(lattice_world& w, std::uint32_t n, bool with_liars) {
  if (with_liars && n % 3 == 0 && n > 0) {
    w.liars.insert(n);
    if (n % 6 == 3) return std::make_unique<equivocator>(w, n);
    return std::make_unique<colluder>(w, n);
  }
  return std::make_unique<honest_member>(w, n);
}

struct domain_run {
  domain_run(std::uint64_t seed, std::uint32_t nodes, bool with_liars)
      : world(nodes), net(seed, nodes, bad_path(),
                          [this, with_liars](std::uint32_t n) { return make_member(world, n, with_liars); }) {}

  bool is_honest(std::uint32_t n) const { return !world.liars.contains(n); }
  domain_lattice& lattice(std::uint32_t n) { return *net.machine<honest_member>(n)->lattice; }

  bool agrees() {
    for (std::uint32_t n = 0; n < net.nodes(); ++n) {
      if (!is_honest(n)) continue;
      if (!net.machine(n)) return false;
      if (lattice(n).root() != lattice(0).root()) return false;
    }
    return true;
  }

  void check() {
    const auto state = lattice(0).map().state_hash();
    for (std::uint32_t n = 0; n < net.nodes(); ++n) {
      if (!is_honest(n)) continue;
      CAPTURE(n);
      CHECK(lattice(n).root() == lattice(0).root());
      CHECK(lattice(n).map().state_hash() == state);
      CHECK(lattice(n).map().members().size() == net.nodes());
      CHECK_FALSE(lattice(n).map().is_member(world.outsider));
      for (const auto& who : lattice(n).lace().byzantine()) CHECK_FALSE(is_honest(world.index.at(who)));
    }
  }

  std::size_t accepted_of(std::uint32_t liar) {
    std::size_t count = 0;
    for (std::uint32_t n = 0; n < net.nodes(); ++n) {
      if (!is_honest(n)) continue;
      const auto& lace = lattice(n).lace();
      for (const auto b : lace.accepted()) count += lace.graph().creator(b) == world.name(liar);
    }
    return count;
  }

  lattice_world world;
  test_network net;
};

std::uint64_t seeds() {
  return fresh_seed();
}

} // namespace

TEST_CASE("lattice: members agree after loss, crashes and partitions of any shape") {
  const auto base = seeds();
  for (std::uint64_t round = 0; round < 4; ++round) {
    const auto seed = base + round;
    CAPTURE(seed);
    domain_run run{seed, 8, false};
    seeded_random r{seed};
    for (int i = 0; i < 4; ++i) {
      std::vector<std::uint32_t> part;
      for (std::uint32_t n = 0; n < 8; ++n)
        if (r.below(2) == 0) part.push_back(n);
      const auto from = 3000 + r.below(20'000);
      run.net.partition(part, from, from + 1000 + r.below(8000));
      run.net.crash(static_cast<std::uint32_t>(r.below(8)), 3000 + r.below(25'000), 500 + r.below(4000));
    }
    run.net.run(36'000);
    CHECK(run.net.run(120'000, [&] { return run.agrees(); }));
    run.check();
    for (std::uint32_t n = 0; n < 8; ++n) CHECK(run.lattice(n).lace().byzantine().empty());
    CHECK(run.net.counts().at("writes") > 100);
  }
}

TEST_CASE("lattice: a third of liars exclude no honest member, and what an equivocator adds stops counting") {
  const auto base = seeds();
  for (std::uint64_t round = 0; round < 3; ++round) {
    const auto seed = base + round;
    CAPTURE(seed);
    domain_run run{seed, 10, true};
    run.world.write_every_ms = 1500;
    run.world.writes_until = 80'000; // liars go on while the honest ones settle
    run.net.partition({1, 2, 3, 4}, 8000, 14'000);
    run.net.crash(5, 10'000, 3000);
    run.net.run(45'000);
    const auto before = run.accepted_of(3) + run.accepted_of(9);
    run.net.run(80'000);
    CHECK(run.accepted_of(3) + run.accepted_of(9) == before);
    for (std::uint32_t n = 0; n < 10; ++n)
      if (run.is_honest(n))
        for (const auto liar : {3U, 9U}) CHECK(run.lattice(n).lace().is_byzantine(run.world.name(liar)));
    CHECK(run.net.run(160'000, [&] { return run.agrees(); }));
    run.check();
    CHECK(run.net.counts().at("forged") > 50);
    CHECK(run.net.counts().at("colluded") > 20);
  }
}
