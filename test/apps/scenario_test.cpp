// Scenario files: variables, what is refused and how it is told.
#include "captured_run.hpp"
#include "hanse/app/cluster/scenario.hpp"
#include "temporary_directory.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::app;
using hanse::test::has;

namespace {

const std::string two_nodes = R"("nodes": [{"name": "a", "engines": [{"name": "e", "type": "echo"}]}, {"name": "b"}])";

expected<scenario> with_steps(const std::string& steps) {
  return parse_scenario("{\"name\": \"s\", " + two_nodes + ",\n\"steps\": [\n" + steps + "]}", "s.json", {});
}

std::string refusal(const std::string& steps) {
  auto s = with_steps(steps);
  REQUIRE(!s);
  CHECK(s.error() == errc::bad_config);
  return s.error().detail;
}

} // namespace

TEST_CASE("nodes get names, counts, defaults and overrides") {
  auto s = parse_scenario(R"({"name": "s", "timeout_s": 5, "defaults": {"config": {"log": {"level": "debug"}},
    "engines": [{"name": "d", "type": "echo"}]},
    "nodes": [{"name": "x", "config": {"log": {"level": "error"}}}, {"name": "w", "count": 3}], "steps": []})",
                          "s.json", {});
  REQUIRE_MESSAGE(s, s.error().detail);
  REQUIRE(s->nodes.size() == 4);
  CHECK(s->nodes[3].name == "w3");
  CHECK(s->nodes[0].config["log"]["level"] == "error");
  CHECK(s->nodes[1].config["log"]["level"] == "debug");
  CHECK(s->nodes[1].config["engines"][0]["name"] == "d");
  CHECK(s->nodes[1].config["listen"][0] == "tls://127.0.0.1:0");
  CHECK(s->timeout == std::chrono::seconds{5});
}

TEST_CASE("steps are read into their structs") {
  auto s = with_steps(R"({"do": "add", "shape": "line"},
    {"do": "call", "name": "hello", "from": "b", "to": "a/e", "protocol": "echo/1", "body": [1], "expect": [1],
     "count": 9, "timeout_s": 2},
    {"do": "background", "name": "bg", "repeat": true, "steps": [{"do": "ping", "from": "a", "to": "b"}]},
    {"do": "wait_until", "node": "a", "of": "counters", "value": "/drops/replayed", "at_least": 3},
    {"do": "join", "names": ["bg"]})");
  REQUIRE_MESSAGE(s, s.error().detail);
  CHECK(std::get<add_step>(s->steps[0].what).nodes == std::vector<std::string>{"a", "b"});
  const auto& call = std::get<call_step>(s->steps[1].what);
  CHECK(call.to.engine == "e");
  CHECK(call.count == 9);
  CHECK(s->steps[1].timeout == std::chrono::seconds{2});
  CHECK(s->steps[1].line == 4);
  CHECK(std::get<group_step>(s->steps[2].what).repeat);
  CHECK(std::get<check_step>(s->steps[3].what).wait);
}

TEST_CASE("steps that cannot work are refused with line and path") {
  CHECK(has(refusal(R"({"do": "kil", "node": "a"})"), "s.json:3: steps[0].do: expected add, assert"));
  CHECK(has(refusal(R"({"do": "kil", "node": "a"})"), "did you mean \"kill\"?"));
  CHECK(!has(refusal(R"({"do": "kil", "node": "a"})"), "unknown key"));
  CHECK(has(refusal(R"({"do": "kill", "node": "c"})"), "steps[0].node: no node is called \"c\""));
  CHECK(has(refusal(R"({"do": "kill"})"), "the key \"node\" is missing"));
  CHECK(has(refusal(R"({"do": "kill", "node": "a", "nodde": 1})"), "did you mean \"node\"?"));
  CHECK(has(refusal(R"({"do": "call", "from": "a", "to": "b/f", "protocol": "p/1", "body": []})"),
            "no engine is called \"f\""));
  CHECK(has(refusal(R"({"do": "call", "from": "a", "to": "a/e", "protocol": "p", "body": 3})"), "steps[0].protocol"));
  CHECK(has(refusal(R"({"do": "call", "from": "a", "to": "a/e", "protocol": "p", "body": 3})"), "steps[0].body"));
  CHECK(has(refusal(R"({"do": "send_file", "from": "a", "to": "a/e", "file": "f"})"), "expected NODE/ENGINE"));
  CHECK(has(refusal(R"({"do": "assert", "node": "a", "value": "x", "equals": 1})"), "JSON pointer"));
  CHECK(has(refusal(R"({"do": "assert", "node": "a", "value": "/x"})"), "equals, differs, at_least or at_most"));
  CHECK(has(refusal(R"({"do": "assert", "node": "a", "value": "/x", "equals": 1, "at_most": 2})"),
            "one comparison only"));
  CHECK(has(refusal(R"({"do": "background", "steps": []})"), "\"name\" is missing"));
  CHECK(has(refusal(R"({"do": "join", "names": ["x"]})"), "no background step is called"));
  CHECK(has(refusal(R"({"do": "parallel", "steps": [{"do": "parallel", "steps": []}]})"), "groups do not nest"));
  CHECK(has(refusal(R"({"do": "inject", "kind": "replay", "from": "a", "to": "b", "counted_as": ["odd"]})"),
            "name of an error"));
}

namespace {

expected<scenario> with_network(const std::string& steps, const std::string& more = "") {
  return parse_scenario("{\"name\": \"s\", \"network\": \"namespaces\", " + more + two_nodes + ",\n\"steps\": [\n" +
                            steps + "]}",
                        "s.json", {});
}

} // namespace

TEST_CASE("links have a shape, and partitions have a group for everybody") {
  auto s = with_network(R"({"do": "shape_link", "node": "a", "latency_ms": 5, "loss_percent": 0.5},
    {"do": "shape_link"}, {"do": "partition", "node": "a"}, {"do": "partition", "groups": [["a"], ["b"]]},
    {"do": "partition", "groups": [["b"]]}, {"do": "heal"})",
                        R"("link": {"latency_ms": 20, "jitter_ms": 3, "loss_percent": 2, "rate_mbit": 10},)");
  REQUIRE_MESSAGE(s, s.error().detail);
  CHECK(s->network == network_kind::namespaces);
  CHECK(s->link.text() == "20 ms ± 3 ms, 2 % loss, 10 Mbit/s");
  const auto& slow = std::get<shape_step>(s->steps[0].what);
  CHECK(slow.nodes == std::vector<std::string>{"a"});
  CHECK(slow.shape.text() == "5 ms, 0.5 % loss");
  const auto& all = std::get<shape_step>(s->steps[1].what);
  CHECK(all.nodes.size() == 2);
  CHECK(all.shape.plain());
  CHECK(all.shape.packets_max() == link_packets_max);
  CHECK(s->link.packets_max() == 185); // (20 + 3 + 200) ms at 10 Mbit/s, in packets of 1500
  using groups = std::vector<std::vector<std::string>>;
  CHECK(std::get<partition_step>(s->steps[2].what).groups == groups{{"a"}, {"b"}});
  CHECK(std::get<partition_step>(s->steps[3].what).groups == groups{{"a"}, {"b"}});
  CHECK(std::get<partition_step>(s->steps[4].what).groups == groups{{"b"}, {"a"}});
  CHECK(shapes_links(s->steps));
  CHECK(!shapes_links(with_network(R"({"do": "heal"})")->steps));
}

TEST_CASE("a network that cannot be is refused") {
  const auto refused = [](const std::string& steps, const std::string& more = "") {
    auto s = with_network(steps, more);
    REQUIRE(!s);
    return s.error().detail;
  };
  CHECK(has(refusal(R"({"do": "heal"})"), "expected \"network\": \"namespaces\""));
  CHECK(has(
      parse_scenario("{\"name\": \"s\", \"link\": {}, " + two_nodes + ", \"steps\": []}", "s.json", {}).error().detail,
      "this needs \"network\""));
  CHECK(has(refused(R"({"do": "partition"})"), "\"groups\" is missing"));
  CHECK(has(refused(R"({"do": "partition", "groups": [["a", "b"]]})"), "that parts nobody"));
  CHECK(has(refused(R"({"do": "partition", "groups": [["a"], ["a"]]})"), "is in two groups"));
  CHECK(has(refused(R"({"do": "partition", "groups": ["a"]})"), "expected lists of nodes"));
  CHECK(has(refused(R"({"do": "partition", "groups": [["c"]]})"), "no node is called \"c\""));
  CHECK(has(refused(R"({"do": "shape_link", "node": "a", "jitter_ms": 5})"), "at most latency_ms"));
  CHECK(has(refused(R"({"do": "shape_link", "loss_percent": 101})"), "from 0 to 100"));
  CHECK(has(refused("", R"("link": {"latency": 3},)"), "did you mean \"latency_ms\"?"));
}

TEST_CASE("a domain has the protocols that its step names") {
  auto s = with_steps(R"({"do": "domain_create", "domain": "lab", "introducers": ["a"],
    "protocols": ["dissemination=plumtree/1"], "parameters": ["dissemination.active=3"]})");
  REQUIRE_MESSAGE(s, s.error().detail);
  const auto& stack = std::get<domain_create_step>(s->steps[0].what).stack;
  CHECK(stack.dissemination.id.name == "plumtree");
  CHECK(stack.dissemination.parameters.at("active") == "3");
  CHECK(has(
      refusal(R"({"do": "domain_create", "domain": "lab", "introducers": ["a"], "protocols": ["news=plumtree/1"]})"),
      "begins with none of membership, dissemination and storage"));
  CHECK(has(refusal(R"({"do": "domain_create", "domain": "lab", "introducers": ["a"],
                        "parameters": ["dissemination.active"]})"),
            "expected KEY=VALUE"));
}

TEST_CASE("a load has a pace, a length, and bounds") {
  auto s = with_steps(R"({"do": "load", "from": ["a", "b"], "to": "a/e", "protocol": "echo/1", "body": [1],
    "per_second": 2.5, "seconds": 4})");
  REQUIRE_MESSAGE(s, s.error().detail);
  const auto& load = std::get<load_step>(s->steps[0].what);
  CHECK(load.from.size() == 2);
  CHECK(load.per_second == 2.5);
  CHECK(load.length == std::chrono::seconds{4});
  CHECK(s->steps[0].timeout == std::chrono::seconds{34});
  const std::string rest = R"(, "to": "a/e", "protocol": "echo/1", "body": [1], "from": ["a"])";
  CHECK(has(refusal(R"({"do": "load")" + rest + "}"), "more than 0"));
  CHECK(has(refusal(R"({"do": "load", "per_second": 100000, "seconds": 11)" + rest + "}"), "1000000 calls"));
}

TEST_CASE("a node's configuration is checked before anything starts") {
  auto s = parse_scenario(
      "{\"name\": \"s\",\n\"nodes\": [\n{\"name\": \"a\", \"config\": {\"lissen\": []}}], \"steps\": []}", "s.json",
      {});
  REQUIRE(!s);
  CHECK(has(s.error().detail, "s.json:3: nodes[0].config: this makes no configuration for a"));
  CHECK(has(s.error().detail, "did you mean \"listen\"?"));
}

TEST_CASE("variables keep their type and can be set from outside") {
  const std::string text = R"({"name": "s ${word}", "set": {"n": 3, "word": "x", "file": "a"},
    "nodes": [{"name": "a", "count": "${n}"}], "steps": [
    {"do": "ping", "name": "${word}-${n} ${dir}", "from": "a1", "to": "a2"}]})";
  auto s = parse_scenario(text, "s.json", {});
  REQUIRE_MESSAGE(s, s.error().detail);
  CHECK(s->nodes.size() == 3);
  CHECK(s->steps[0].name == "x-3 ${dir}");
  auto more = parse_scenario(text, "s.json", {{"n", "5"}, {"word", "7"}});
  REQUIRE(more);
  CHECK(more->nodes.size() == 5);
  CHECK(more->name == "s 7");
  CHECK(has(parse_scenario(text, "s.json", {{"wrod", "1"}}).error().detail, "did you mean \"word\"?"));
  auto unknown =
      parse_scenario(R"({"name": "${nmae}", "set": {"name": 1}, "nodes": [{"name": "a"}], "steps": []})", "s.json", {});
  CHECK(has(unknown.error().detail, "no variable \"nmae\" in \"set\"; did you mean \"name\"?"));
}

TEST_CASE("odd scenarios are refused, not misread") {
  for (const auto* text : {"{}", "[]", "3", R"({"name": "s", "nodes": [], "steps": []})",
                           R"({"name": "s", "nodes": [{"name": "a"}, {"name": "a"}], "steps": []})",
                           R"({"name": "s", "nodes": [{"name": "A/B"}], "steps": []})",
                           R"({"name": "s", "nodes": [{"name": "a", "engines": {}}], "steps": []})",
                           R"({"name": "s", "nodes": {"name": "a"}, "steps": []})",
                           R"({"name": "s", "set": 3, "nodes": [{"name": "a"}], "steps": []})",
                           R"({"name": "s", "nodes": [{"name": "a"}]})"})
    CHECK(parse_scenario(text, "s.json", {}).code() == errc::bad_config);
}

TEST_CASE("the scenarios in docs/cluster.md are right") {
  auto text = test::content_of(HANSE_CLUSTER_DOCUMENT);
  const std::string open = "```json\n";
  std::vector<std::string> shown;
  for (auto at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
    at += open.size();
    shown.push_back(text.substr(at, text.find("```", at) - at));
  }
  REQUIRE(shown.size() == 2);
  auto s = parse_scenario(shown[0], "docs/cluster.md", {{"calls", "50"}});
  REQUIRE_MESSAGE(s, s.error().detail);
  CHECK(std::get<call_step>(s->steps[1].what).count == 50);
  auto network = parse_scenario(shown[1], "docs/cluster.md", {}); // run by test/cluster/namespaces.sh
  REQUIRE_MESSAGE(network, network.error().detail);
  CHECK(network->network == network_kind::automatic);
}
