// Scenarios by seed: small clusters with some faults of every kind. See scenario.hpp.
// Not the matrix of the tests (test/sim), which names the faults it wants.
#include "hanse/sim/scenario.hpp"

namespace hanse::sim {

namespace {

std::uint32_t between(random_source& random, std::uint32_t min, std::uint32_t max) {
  return min + static_cast<std::uint32_t>(random.below(max - min + 1));
}

fault_rule message_fault(fault_kind what, std::uint32_t permille, time_ms late_ms) {
  fault_rule f;
  f.what = what;
  f.permille = permille;
  f.length_ms = {0, late_ms};
  return f;
}

fault_rule occurring(fault_kind what, std::uint32_t per_minute, range length_ms) {
  fault_rule f;
  f.what = what;
  f.per_minute = per_minute;
  f.length_ms = length_ms;
  return f;
}

workload_rule work(work_kind what, std::uint32_t per_minute) {
  workload_rule w;
  w.what = what;
  w.per_minute = per_minute;
  return w;
}

/// A domain of all nodes, its members' comings and goings, and often a topic; less unicast beside it.
void add_domain(scenario& s, random_source& random) {
  const auto chance = [&random](std::uint32_t permille) { return random.below(1000) < permille; };
  s.workload[0].per_minute = std::min(s.workload[0].per_minute, 30U);
  auto& d = s.domain.emplace();
  d.introducers = between(random, 1, 3);
  d.psk = chance(800);
  d.enter_ms = {0, s.duration_ms / 4};
  d.dissemination = chance(500) ? "full-mesh/1" : "plumtree/1";
  s.workload.push_back(work(work_kind::put, between(random, 5, 40)));
  if (chance(500)) s.workload.push_back(work(work_kind::promote, between(random, 2, 10)));
  if (chance(400)) {
    s.workload.push_back(work(work_kind::leave, between(random, 1, 4)));
    s.workload.back().away_ms = {0, 12'000};
  }
  if (chance(300)) s.workload.push_back(work(work_kind::expel, between(random, 1, 3)));
  if (!chance(650)) return;
  s.topics.emplace_back();
  s.topics[0].name = "news";
  s.topics[0].history = chance(300) ? 20 : 0;
  s.workload.push_back(work(work_kind::publish, between(random, 20, 120)));
  s.workload.back().topic = "news";
  s.workload.back().reliable_permille = between(random, 800, 1000);
  s.workload.back().body_octets = {8, chance(200) ? 10'000U : 200U};
}

} // namespace

scenario random_scenario(std::uint64_t seed) {
  seeded_random random{seed ^ 0x534f414b}; // "SOAK": apart from the run's own streams
  const auto chance = [&random](std::uint32_t permille) { return random.below(1000) < permille; };
  scenario s;
  s.name = "random " + std::to_string(seed);
  s.groups = {{"node", between(random, 3, 9)}};
  s.duration_ms = between(random, 5'000, 20'000);
  s.contacts = chance(500) ? 0 : 2;
  link_rule all;
  all.path.latency_max = between(random, 5, 120);
  all.path.spike_permille = chance(300) ? 20 : 0;
  all.path.spike_ms = 1000;
  all.path.split_permille = chance(300) ? 200 : 0;
  all.path.octets_per_second = chance(200) ? 200'000 : 0;
  s.links = {all};
  workload_rule w;
  w.per_minute = between(random, 30, 300);
  w.ttl_ms = between(random, 2'000, 40'000);
  w.body_octets = {8, chance(200) ? 20'000U : 200U};
  w.reliable_permille = between(random, 600, 1000);
  w.reply_permille = between(random, 0, 600);
  s.workload = {w};

  if (chance(500)) s.faults.push_back(message_fault(fault_kind::loss, between(random, 1, 300), 0));
  if (chance(300)) s.faults.push_back(message_fault(fault_kind::duplicate, between(random, 1, 500), 0));
  if (chance(300)) s.faults.push_back(message_fault(fault_kind::replay, between(random, 1, 500), 120'000));
  if (chance(300)) s.faults.push_back(message_fault(fault_kind::reorder, between(random, 1, 500), 2'000));
  if (chance(300)) s.faults.push_back(occurring(fault_kind::clog, between(random, 2, 20), {200, 5'000}));
  for (const auto mode : {partition_mode::symmetric, partition_mode::asymmetric, partition_mode::flapping})
    if (chance(200)) {
      s.faults.push_back(occurring(fault_kind::partition, between(random, 2, 10), {500, 8'000}));
      s.faults.back().mode = mode;
    }
  if (chance(250)) s.faults.push_back(occurring(fault_kind::pause, between(random, 2, 20), {100, 4'000}));
  if (chance(400)) s.faults.push_back(occurring(fault_kind::crash, between(random, 3, 20), {50, 3'000}));
  if (chance(150)) s.faults.push_back(occurring(fault_kind::disk_error, between(random, 3, 10), {50, 3'000}));
  if (chance(100)) s.faults.push_back(occurring(fault_kind::clock_jump, 4, {1'000, 3'600'000}));
  if (chance(200)) {
    fault_rule f;
    f.what = fault_kind::byzantine;
    f.behaviour = static_cast<byzantine_behaviour>(random.below(5));
    s.faults.push_back(f);
  }
  if (chance(350)) add_domain(s, random);
  // What was sent to a node that answers nothing is waited for until it has expired, and for the skew of clocks.
  s.converge_ms = 400'000;
  return s;
}

} // namespace hanse::sim
