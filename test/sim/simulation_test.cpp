// Whole runs: the same seed gives the same run, faults do happen, and what goes wrong is found.
#include "scenarios.hpp"

#include <doctest/doctest.h>
#include <sstream>

using namespace hanse;
using namespace hanse::sim;
using hanse::test::fault;
using hanse::test::quiet;

TEST_CASE("the same seed gives the same trace, another seed another") {
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    INFO("seed ", seed);
    const auto s = random_scenario(seed);
    const auto once = run(s, seed), again = run(s, seed), other = run(s, seed + 1);
    CHECK(once.trace_hash == again.trace_hash);
    CHECK(once.steps == again.steps);
    CHECK(once.counters == again.counters);
    CHECK(once.trace_hash != other.trace_hash);
  }
}

TEST_CASE("a log that is kept changes nothing about the run, and both of its forms can be read") {
  auto s = quiet(3);
  s.faults = {fault(fault_kind::loss, 100), fault(fault_kind::crash, 0, 12)};
  trace_log log;
  run_options with_log;
  with_log.log = &log;
  const auto r = run(s, 5, with_log);
  CHECK(r.trace_hash == run(s, 5).trace_hash);
  CHECK(log.size() == r.counters.at("records"));
  std::ostringstream text, chrome;
  const std::vector<std::string> names{"node0", "node1", "node2"};
  log.write_text(text, names);
  log.write_chrome(chrome, names);
  CHECK(text.str().find("node0 send #") != std::string::npos);
  CHECK(text.str().find(" crash") != std::string::npos);
  CHECK(chrome.str().find("\"traceEvents\"") != std::string::npos);
}

TEST_CASE("without faults everything that is reliable is confirmed, or failed by its engine") {
  const auto r = run(quiet(6), 3);
  REQUIRE(test::say(r) == "");
  CHECK(r.counters.at("sent") == r.counters.at("delivered"));
  CHECK(r.counters.at("sent") == r.counters.at("confirmed") + r.counters.at("failed"));
  CHECK(r.counters.at("failed") * 10 < r.counters.at("sent"));
  CHECK(r.converged_ms > 0);
}

TEST_CASE("every kind of fault happens when it is asked for") {
  const auto count = [](fault_rule f, const char* counter) {
    auto s = quiet(5);
    s.faults = {std::move(f)};
    s.converge_ms = 300'000;
    const auto r = run(s, 7);
    CHECK(test::say(r) == "");
    return r.counters.at(counter);
  };
  CHECK(count(fault(fault_kind::loss, 300), "payloads_lost") > 20);
  CHECK(count(fault(fault_kind::duplicate, 500), "payloads_repeated") > 20);
  CHECK(count(fault(fault_kind::replay, 500, 0, {0, 5000}), "payloads_late") > 20);
  CHECK(count(fault(fault_kind::reorder, 500), "payloads_late") > 20);
  CHECK(count(fault(fault_kind::pause, 0, 30), "pauses") > 2);
  CHECK(count(fault(fault_kind::crash, 0, 30), "crashes") > 2);
  CHECK(count(fault(fault_kind::disk_error, 0, 30), "disk_errors") > 1);
  CHECK(count(fault(fault_kind::clock_jump, 0, 30), "clock_jumps") > 2);
  fault_rule liar;
  liar.what = fault_kind::byzantine;
  liar.behaviour = byzantine_behaviour::forge;
  CHECK(count(liar, "drop.bad_signature") > 20);
  liar.behaviour = byzantine_behaviour::replay;
  CHECK(count(liar, "drop.replayed") > 5);
}

TEST_CASE("a network that never heals is found not to converge") {
  auto s = quiet(3);
  s.converge_ms = 3000; // messages are under way for longer than that
  s.links = {{}};
  s.links[0].path.latency_min = s.links[0].path.latency_max = 5000;
  const auto r = run(s, 1);
  REQUIRE(r.violation.has_value());
  CHECK(r.violation->what == invariant::converges);
}

TEST_CASE("only expected invariants are checked") {
  auto s = quiet(3);
  s.converge_ms = 3000;
  s.links = {{}};
  s.links[0].path.latency_min = s.links[0].path.latency_max = 5000;
  s.expect = {invariant::causal_order, invariant::at_most_once};
  CHECK_FALSE(run(s, 1).violation.has_value());
}

TEST_CASE("a run can be stopped") {
  run_options o;
  o.stop = [] { return true; };
  auto s = quiet(20, 60'000);
  const auto r = run(s, 1, o);
  CHECK(r.interrupted);
  CHECK(r.virtual_ms < 60'000);
}
