// Whole runs with a domain and topics: the production machines on simulated nodes, judged; the same seed, the same run.
#include "scenarios.hpp"

#include "hanse/protocols/topic_event.hpp"
#include "hanse/sim/shrink.hpp"

#include <doctest/doctest.h>
#include <sstream>

using namespace hanse;
using namespace hanse::sim;
using hanse::test::fault;

namespace {

workload_rule work(work_kind what, std::uint32_t per_minute) {
  workload_rule w;
  w.what = what;
  w.per_minute = per_minute;
  return w;
}

/// Four members, two of them introducers, that write and publish.
scenario lively(time_ms duration_ms = 15'000) {
  auto s = test::quiet(4, duration_ms);
  s.workload = {work(work_kind::put, 30), work(work_kind::publish, 60)};
  s.workload[1].topic = "news";
  s.domain.emplace();
  s.topics = {{"news", "*", 0}};
  return s;
}

std::size_t count(const std::vector<action>& all, action_kind what) {
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](auto& a) { return a.what == what; }));
}

} // namespace

TEST_CASE("members enter, write and publish, and everybody gets everything") {
  const auto r = run(lively(), 1);
  REQUIRE(test::say(r) == "");
  CHECK(r.counters.at("writes") > 15);
  CHECK(r.counters.at("topic_joins") == 4);
  CHECK(r.counters.at("events") > 40);
  // Late joiners miss the first ones, at most.
  CHECK(r.counters.at("events_delivered") > 4 * r.counters.at("events") - 60);
  CHECK(r.counters.at("gaps") == 0);
  CHECK(r.counters.at("proofs") == 0);
}

TEST_CASE("the same seed gives the same run with a domain, and a log changes nothing") {
  auto s = lively();
  s.faults = {fault(fault_kind::loss, 100), fault(fault_kind::crash, 0, 12)};
  trace_log log;
  run_options with_log;
  with_log.log = &log;
  for (std::uint64_t seed = 7; seed <= 8; ++seed) { // stand-ins, and real signatures
    s.signatures = seed == 8 ? signing_share::real : signing_share::cheap;
    const auto once = run(s, seed), again = run(s, seed, seed == 7 ? with_log : run_options{});
    CHECK(once.trace_hash == again.trace_hash);
    CHECK(once.counters == again.counters);
    CHECK(test::say(once) == "");
  }
  std::ostringstream text;
  log.write_text(text, {"node0", "node1", "node2", "node3"});
  for (const auto* part : {" published *", " event *", " role member", " joined news", ": hanse.topics"})
    CHECK_MESSAGE(text.str().find(part) != std::string::npos, part);
}

TEST_CASE("members leave and come back, rise, and are expelled") {
  auto s = lively(30'000);
  s.groups = {{"core", 2}, {"edge", 4}};
  s.workload.push_back(work(work_kind::leave, 3));
  s.workload.back().away_ms = {1000, 3000};
  s.workload.push_back(work(work_kind::promote, 10));
  s.workload.push_back(work(work_kind::expel, 2));
  const auto r = run(s, 4);
  CHECK(test::say(r) == "");
  CHECK(r.counters.at("removals") > 2);
  CHECK(r.counters.at("promotions") > 2);
}

TEST_CASE("a member that contradicts itself is proven to, and nobody else") {
  auto s = lively(40'000);
  s.faults.emplace_back();
  s.faults[0].what = fault_kind::byzantine;
  s.faults[0].behaviour = byzantine_behaviour::equivocate;
  std::uint64_t proofs = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const auto r = run(s, seed);
    CHECK(test::say(r) == "");
    proofs += r.counters.at("proofs");
  }
  CHECK(proofs > 3);
}

TEST_CASE("who forges does not know the key, and is in no view") {
  auto s = lively();
  s.faults.emplace_back();
  s.faults[0].what = fault_kind::byzantine;
  s.faults[0].behaviour = byzantine_behaviour::forge;
  const auto r = run(s, 3);
  CHECK(test::say(r) == "");
  CHECK(r.counters.at("topic_joins") == 3);
}

TEST_CASE("plans of domains: all members enter, ranks do what needs a rank, and the first introducer stays honest") {
  auto s = lively();
  s.groups = {{"core", 3}, {"edge", 5}};
  s.domain->members = "core";
  s.workload = {work(work_kind::promote, 60), work(work_kind::expel, 60), work(work_kind::leave, 60),
                work(work_kind::put, 60)};
  s.faults.emplace_back();
  s.faults[0].what = fault_kind::byzantine;
  s.faults[0].count = 8;
  const auto all = plan(s, 5);
  CHECK(count(all, action_kind::enter) == 3);
  CHECK(count(all, action_kind::byzantine) == 7);
  for (const auto& a : all) {
    if (a.what == action_kind::byzantine) CHECK(a.a != 0);
    if (a.what == action_kind::promote || a.what == action_kind::expel) {
      CHECK(a.a < 2);
      CHECK(a.b == 2);
    }
    if (a.what == action_kind::leave) CHECK(a.a == 2);
    if (a.what == action_kind::put) CHECK(a.a < 3);
  }
}

TEST_CASE("what cannot work of domains and topics is named with its place") {
  const auto first = [](const scenario& s) {
    const auto all = problems_of(s);
    return all.empty() ? std::string{} : all.front();
  };
  auto s = lively();
  CHECK(first(s) == "");
  SUBCASE("no domain") {
    s.domain.reset();
    CHECK(first(s) == "topics[0].name: expected a \"domain\" in the scenario: topics belong to one");
  }
  SUBCASE("work without a domain") {
    s.domain.reset();
    s.topics.clear();
    CHECK(first(s) == "workload[0].kind: expected a \"domain\" in the scenario, for \"put\"");
  }
  SUBCASE("a group") {
    s.domain->members = "nobody";
    CHECK(first(s) == "domain.members: expected \"*\", \"node\", found \"nobody\"");
  }
  SUBCASE("too many introducers") {
    s.domain->introducers = 5;
    CHECK(first(s) == "domain.introducers: expected 1..4, found 5");
  }
  SUBCASE("a protocol that is none") {
    s.domain->dissemination = "pigeons/1";
    CHECK(first(s).find("domain.dissemination: expected ") == 0);
  }
  SUBCASE("a parameter that is none") {
    s.domain->parameters["speed"] = "9";
    CHECK(first(s).find("domain.parameters: expected ") == 0);
  }
  SUBCASE("a topic that is none") {
    s.workload[1].topic = "olds";
    CHECK(first(s) == "workload[1].topic: expected one of \"news\", found \"olds\"");
  }
  SUBCASE("a topic twice") {
    s.topics.push_back(s.topics[0]);
    CHECK(first(s) == "topics[0].name: \"news\" is there twice");
  }
  SUBCASE("an event that is too large") {
    s.workload[1].body_octets.max = event_body_max + 1;
    CHECK(first(s).find("workload[1].body_octets.max: expected 8..") == 0);
  }
}

TEST_CASE("a failure of a domain shrinks to what it needs") {
  auto s = lively(6000);
  s.converge_ms = 4000; // joining takes longer than that
  s.links = {{}};
  s.links[0].path.latency_min = s.links[0].path.latency_max = 1500;
  const auto whole = plan(s, 2);
  REQUIRE(run(s, 2, whole).violation.has_value());
  const auto small = shrink(s, 2, whole, {60, {}});
  REQUIRE(small.result.violation.has_value());
  CHECK(small.schedule.size() < whole.size());
  CHECK(run(s, 2, small.schedule).trace_hash == small.result.trace_hash);
}
