// Scenarios of the simulator as JSON, and the commands that run them, as a user would.
#include "captured_run.hpp"
#include "temporary_directory.hpp"

#include "hanse/app/sim/scenario_file.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::app;
using hanse::test::captured_run;
using hanse::test::has;

namespace {

constexpr const char* small = R"({
  "nodes": 3, "duration_ms": 3000, "signatures": "cheap",
  "workload": [{"per_minute": 100}],
  "faults": [{"kind": "loss", "permille": 100}]
})";

/// Messages take longer than the run waits for.
constexpr const char* hopeless = R"({
  "nodes": 3, "duration_ms": 3000, "converge_ms": 2500, "signatures": "cheap",
  "links": [{"latency_ms": 4000}],
  "workload": [{"per_minute": 30}],
  "faults": [{"kind": "loss", "permille": 100}]
})";

std::string problem_with(std::string_view text) {
  const auto f = parse_sim_file(text, "s.json");
  return f ? "" : f.error().detail;
}

} // namespace

TEST_CASE("what is wrong with a scenario is told with its place and what was expected") {
  CHECK(problem_with(small) == "");
  CHECK(has(problem_with(R"({"nodes": 3, "wrokload": []})"), "s.json:1: wrokload: "));
  CHECK(has(problem_with("{\"nodes\": 3,\n \"duration_ms\": \"long\"}"),
            "s.json:2: duration_ms: expected a whole number"));
  CHECK(has(problem_with(R"({})"), "groups: expected at least one group"));
  CHECK(has(problem_with(R"({"nodes": 3, "groups": [{"name": "a"}]})"), "either \"nodes\" or \"groups\""));
  CHECK(has(problem_with(R"({"nodes": 3, "faults": [{"kind": "flood"}]})"), "faults[0].kind: "));
  CHECK(has(problem_with(R"({"nodes": 3, "faults": [{}]})"), "faults[0]: the key \"kind\" is missing"));
  CHECK(has(problem_with(R"({"nodes": 3, "faults": [{"kind": "loss", "permille": 400}]})"),
            "faults[0].permille: expected 0..300, found 400"));
  CHECK(has(problem_with(R"({"nodes": 3, "faults": [{"kind": "loss", "mode": "flapping"}]})"), "faults[0].mode: "));
  CHECK(has(problem_with(R"({"nodes": 3, "links": [{"latency_ms": [1, 2, 3]}]})"), "[least, most]"));
  CHECK(has(problem_with(R"({"nodes": 3, "faults": [{"kind": "crash", "at_ms": 7}]})"), "expected a list of times"));
  CHECK(has(problem_with(R"({"nodes": 3, "expect": ["luck"]})"), "\"causal_order\""));
  CHECK(has(problem_with(R"({"nodes": 3, "schedule": [{"do": "crash", "node": "node3"}]})"), "schedule[0].node: "));
}

TEST_CASE("what is wrong with a domain, its topics and their work is told with its place") {
  const auto with = [](const std::string& rest) { return problem_with("{\"nodes\": 3, " + rest + "}"); };
  CHECK(with(R"("domain": {}, "topics": [{"name": "a"}], "workload": [{"kind": "publish", "topic": "a"}])") == "");
  CHECK(has(with(R"("domain": 5)"), "domain: expected an object"));
  CHECK(has(with(R"("domain": {"member": "*"})"), "domain.member: "));
  CHECK(has(with(R"("domain": {"auth": "luck"})"), "domain.auth: "));
  CHECK(has(with(R"("domain": {"introducers": 9})"), "domain.introducers: expected 1..3, found 9"));
  CHECK(has(with(R"("domain": {"dissemination": "post/1"})"), "domain.dissemination: expected "));
  CHECK(has(with(R"("domain": {"parameters": {"active": []}})"), "domain.parameters: expected texts or whole numbers"));
  CHECK(has(with(R"("topics": [{"name": "a"}])"), "topics[0].name: expected a \"domain\""));
  CHECK(has(with(R"("domain": {}, "topics": [{}])"), "topics[0]: the key \"name\" is missing"));
  CHECK(has(with(R"("workload": [{"kind": "put"}])"), "workload[0].kind: expected a \"domain\""));
  CHECK(has(with(R"("workload": [{"kind": "sing"}])"), "workload[0].kind: "));
  CHECK(has(with(R"("domain": {}, "workload": [{"kind": "put", "topic": "a"}])"), "workload[0].topic: "));
  CHECK(has(with(R"("domain": {}, "workload": [{"kind": "publish"}])"), "workload[0]: the key \"topic\" is missing"));
  CHECK(has(with(R"("domain": {}, "workload": [{"kind": "publish", "topic": "b"}])"), "workload[0].topic: expected "));
}

TEST_CASE("the scenarios of domains and topics that come with the program hold what they expect") {
  for (const auto* name : {"domain_faults.json", "topic_faults.json"}) {
    INFO(name);
    const auto file = (std::filesystem::path{HANSE_SOURCE_DIR} / "apps/scenarios" / name).string();
    const captured_run r{{"--json", "sim", "run", file, "--seed", "3"}};
    CHECK(r.exit_code == exit_ok);
    const auto report = nlohmann::json::parse(r.out);
    CHECK(report["ok"] == true);
    CHECK(report["counters"]["writes"] > 5);
    if (report["scenario"] == "topic_faults") CHECK(report["counters"]["events_delivered"] > 1000);
  }
}

TEST_CASE("a scenario that is written reads back as the same run") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    INFO("seed ", seed);
    sim_file f{sim::random_scenario(seed), seed, {}};
    f.schedule = sim::plan(f.scenario, seed);
    const auto text = to_json(f).dump(1);
    const auto again = parse_sim_file(text, "again.json");
    REQUIRE_MESSAGE(again, again.error().detail);
    CHECK(again->seed == seed);
    CHECK(*again->schedule == *f.schedule);
    CHECK(sim::plan(again->scenario, seed) == *f.schedule);
    CHECK(to_json(*again).dump(1) == text);
  }
}

TEST_CASE("nodes are shared out among groups as before, and add up") {
  sim::scenario s;
  s.groups = {{"core", 3}, {"edge", 6}, {"one", 1}};
  for (const std::uint32_t n : {3U, 4U, 10U, 17U, 100U, 1000U}) {
    const auto scaled = with_nodes(s, n);
    CHECK(scaled.node_count() == n);
    for (const auto& g : scaled.groups) CHECK(g.count >= 1);
  }
  CHECK(with_nodes(s, 100).groups[0].count == 30);
}

TEST_CASE("the scenarios that come with the program can be read") {
  for (const auto* name : {"unicast_50.json", "unicast_faults.json", "unicast_1000.json"}) {
    const auto f = load_sim_file(std::filesystem::path{HANSE_SOURCE_DIR} / "apps/scenarios" / name);
    REQUIRE_MESSAGE(f, f.error().detail);
  }
}

TEST_CASE("every scenario in docs/simulation.md is right") {
  const auto text = test::content_of(std::filesystem::path{HANSE_SOURCE_DIR} / "docs/simulation.md");
  const std::string open = "```json\n";
  int found = 0;
  for (auto at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
    at += open.size();
    const auto f = parse_sim_file(text.substr(at, text.find("```", at) - at), "docs/simulation.md");
    CHECK_MESSAGE(f.has_value(), (f ? "" : f.error().detail));
    ++found;
  }
  CHECK(found > 0);
}

TEST_CASE("hanse sim run reports the same hash for the same seed") {
  test::temporary_directory dir;
  const auto file = dir.write("small.json", small).string();
  const auto report = (dir / "report.json").string(), trace = (dir / "trace.json").string(),
             text = (dir / "trace.txt").string();
  const captured_run once{{"sim", "run", file, "--seed", "5", "--report", report, "--trace", trace}};
  CHECK(once.exit_code == exit_ok);
  CHECK(has(once.out, "every invariant held"));
  const auto document = nlohmann::json::parse(test::content_of(report));
  CHECK(document["seed"] == 5);
  CHECK(document["ok"] == true);
  CHECK(has(once.out, document["trace_hash"].get<std::string>()));
  CHECK(nlohmann::json::parse(test::content_of(trace))["traceEvents"].size() > 100);

  const captured_run again{{"sim", "run", file, "--seed", "5", "--trace", text}};
  CHECK(has(again.out, document["trace_hash"].get<std::string>()));
  CHECK(has(test::content_of(text), "node0 send #"));
  const captured_run more{{"--json", "sim", "run", file, "--nodes", "7"}};
  CHECK(nlohmann::json::parse(more.out)["nodes"] == 7);
}

TEST_CASE("a failure is shrunk, written down, and replayed from what was written") {
  test::temporary_directory dir;
  const auto file = dir.write("hopeless.json", hopeless).string();
  const captured_run failed{{"sim", "run", file, "--seed", "3", "--failures", dir.path().string()}};
  CHECK(failed.exit_code == exit_failed);
  CHECK(has(failed.err, "FAILED: seed 3, step "));
  CHECK(has(failed.err, "converges"));
  CHECK(has(failed.err, "hanse sim run "));
  const auto written = dir / "sim-failure-3.json";
  const auto f = load_sim_file(written);
  REQUIRE_MESSAGE(f, f.error().detail);
  CHECK(f->schedule->size() < sim::plan(f->scenario, 3).size());
  const captured_run replayed{{"--json", "sim", "run", written.string(), "--failures", dir.path().string()}};
  CHECK(replayed.exit_code == exit_failed);
  CHECK(nlohmann::json::parse(replayed.out)["violation"]["invariant"] == "converges");
}

TEST_CASE("a scenario that is not there, or too few nodes for its groups, is told plainly") {
  const captured_run missing{{"sim", "run", "nowhere.json"}};
  CHECK(missing.exit_code == exit_failed);
  CHECK(has(missing.err, "nowhere.json"));
  const auto faults = (std::filesystem::path{HANSE_SOURCE_DIR} / "apps/scenarios/unicast_faults.json").string();
  const captured_run few{{"sim", "run", faults, "--nodes", "1"}};
  CHECK(few.exit_code == exit_usage);
}
