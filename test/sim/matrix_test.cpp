// Seeds over a matrix of faults: every kind alone, in pairs that hurt, and random mixtures. Nothing may be violated.
// `hanse sim soak` runs more of the same for as long as one likes.
#include "scenarios.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::sim;
using hanse::test::fault;

namespace {

constexpr std::uint64_t seeds_each = 8;        ///< one of eight has real signatures
constexpr std::uint64_t domain_seeds_each = 2; ///< other ones for each row, so that few have real signatures

struct matrix_row {
  const char* name;
  std::vector<fault_rule> faults;
};

fault_rule partition(partition_mode mode) {
  auto f = fault(fault_kind::partition, 0, 12, {500, 6000});
  f.mode = mode;
  return f;
}

fault_rule byzantine(byzantine_behaviour b) {
  fault_rule f;
  f.what = fault_kind::byzantine;
  f.behaviour = b;
  return f;
}

const std::vector<matrix_row>& rows() {
  static const auto loss = fault(fault_kind::loss, 300), twice = fault(fault_kind::duplicate, 500),
                    late = fault(fault_kind::replay, 500, 0, {0, 120'000}),
                    mixed = fault(fault_kind::reorder, 500, 0, {0, 2000}),
                    clog = fault(fault_kind::clog, 0, 30, {500, 5000}), pause = fault(fault_kind::pause, 0, 20),
                    crash = fault(fault_kind::crash, 0, 20), disk = fault(fault_kind::disk_error, 0, 10),
                    jump = fault(fault_kind::clock_jump, 0, 6, {1000, 3'600'000});
  static const std::vector<matrix_row> all{
      {"nothing", {}},
      {"loss", {loss}},
      {"duplicates", {twice}},
      {"replays", {late}},
      {"reordering", {mixed}},
      {"clogs", {clog}},
      {"symmetric partitions", {partition(partition_mode::symmetric)}},
      {"asymmetric partitions", {partition(partition_mode::asymmetric)}},
      {"flapping partitions", {partition(partition_mode::flapping)}},
      {"pauses", {pause}},
      {"clock jumps", {jump}},
      {"crashes", {crash}},
      {"disk errors", {disk}},
      {"equivocation", {byzantine(byzantine_behaviour::equivocate)}},
      {"withholding", {byzantine(byzantine_behaviour::withhold)}},
      {"a replaying node", {byzantine(byzantine_behaviour::replay)}},
      {"forgery", {byzantine(byzantine_behaviour::forge)}},
      {"a flood", {byzantine(byzantine_behaviour::flood)}},
      {"crashes under loss and duplicates", {loss, twice, crash}},
      {"crashes in partitions", {crash, partition(partition_mode::symmetric)}},
      {"clock jumps under loss and replays", {loss, late, jump}},
      {"everything between nodes", {loss, twice, late, mixed, clog, partition(partition_mode::flapping)}},
      {"everything within nodes", {pause, crash, disk, jump}},
      {"forgery and replays under loss", {byzantine(byzantine_behaviour::forge), late, loss}},
      {"everything",
       {loss, twice, late, mixed, clog, partition(partition_mode::asymmetric), pause, crash, disk, jump,
        byzantine(byzantine_behaviour::replay)}},
  };
  return all;
}

scenario scenario_of(const matrix_row& row, std::uint64_t seed) {
  auto s = test::quiet(3 + static_cast<std::uint32_t>(seed % 4));
  s.name = row.name;
  s.faults = row.faults;
  s.contacts = seed % 2 == 0 ? 0 : 2;
  s.signatures = signing_share::some;
  s.workload[0].per_minute = 120;
  s.workload[0].reply_permille = 400;
  s.workload[0].reliable_permille = 850;
  s.workload[0].ttl_ms = seed % 3 == 0 ? 4000 : 30'000;
  s.converge_ms = 400'000;
  return s;
}

} // namespace

TEST_CASE("no seed of the fault matrix violates an invariant") {
  std::uint64_t runs = 0, delivered = 0, real = 0;
  for (const auto& row : rows())
    for (std::uint64_t seed = 0; seed < seeds_each; ++seed) {
      INFO(row.name, ", seed ", seed);
      const auto s = scenario_of(row, seed);
      REQUIRE(problems_of(s).empty());
      const auto r = run(s, seed);
      CHECK(test::say(r) == "");
      ++runs;
      real += r.real_signatures;
      delivered += r.counters.at("delivered");
    }
  CHECK(runs == 200);
  CHECK(real == 25);
  CHECK(delivered > 10'000); // the workload did run
}

namespace {

/// A domain with two introducers, all of its work, and a topic, over one dissemination protocol or the other.
scenario domain_scenario_of(const matrix_row& row, std::uint64_t seed) {
  auto s = scenario_of(row, seed);
  s.duration_ms = 10'000;
  s.workload[0].per_minute = 10;
  auto& d = s.domain.emplace();
  d.dissemination = seed % 2 == 0 ? "full-mesh/1" : "plumtree/1";
  s.topics.emplace_back();
  s.topics[0].name = "news";
  const auto add = [&s](work_kind what, std::uint32_t per_minute) -> workload_rule& {
    s.workload.emplace_back();
    s.workload.back().what = what;
    s.workload.back().per_minute = per_minute;
    return s.workload.back();
  };
  add(work_kind::put, 30);
  add(work_kind::promote, 6);
  add(work_kind::leave, 1).away_ms = {0, 8000};
  if (seed % 4 == 3) add(work_kind::expel, 2);
  auto& publish = add(work_kind::publish, 60);
  publish.topic = "news";
  publish.reliable_permille = 950;
  return s;
}

} // namespace

TEST_CASE("no seed of the fault matrix violates an invariant of domains and topics") {
  std::uint64_t writes = 0, events = 0, proofs = 0, seed = 0;
  for (const auto& row : rows())
    for (const auto end = seed + domain_seeds_each; seed < end; ++seed) {
      INFO(row.name, ", seed ", seed);
      const auto s = domain_scenario_of(row, seed);
      REQUIRE(problems_of(s).empty());
      const auto r = run(s, seed);
      CHECK(test::say(r) == "");
      writes += r.counters.at("writes");
      events += r.counters.at("events_delivered");
      proofs += r.counters.at("proofs");
    }
  CHECK(writes > 500);
  CHECK(events > 3000);
  CHECK(proofs > 0); // the liars did lie
}

TEST_CASE("random mixtures of faults violate nothing") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed ", seed);
    const auto s = random_scenario(seed);
    REQUIRE(problems_of(s).empty());
    CHECK(test::say(run(s, seed)) == "");
  }
}
