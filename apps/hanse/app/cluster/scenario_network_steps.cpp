// Reads what a scenario says about its network: the steps shape_link, partition and heal, the shape of links; and the
// load step. The others are scenario_steps.cpp and its neighbours.
#include "hanse/app/cluster/scenario.hpp"

#include "hanse/app/control_wire.hpp"
#include "hanse/protocols/protocol_id.hpp"

#include <algorithm>
#include <cstdio>

namespace hanse::app {
namespace {

using nlohmann::json;

constexpr std::uint64_t latency_max_ms = 60'000; // a guess: longer than any timeout of a node
constexpr double rate_max_mbit = 100'000;        // faster than a virtual link is
constexpr std::size_t load_threads_max = 1024;   // a thread waits for each call under way; a guess
constexpr double load_calls_max = 1'000'000;     // one latency each is kept: 8 MB

double decimal(object_reader& in, const std::string& key, double max) {
  auto* value = in.find(key);
  if (!value) return 0;
  if (value->is_number() && value->get<double>() >= 0 && value->get<double>() <= max) return value->get<double>();
  in.problem(key, "expected a number from 0 to " + std::to_string(static_cast<std::uint64_t>(max)) + ", found " +
                      describe(*value));
  return 0;
}

std::vector<std::string> node_list(object_reader& in, const scenario_names& names, const std::string& key) {
  auto list = in.texts(key);
  for (const auto& n : list) check_name(in, key, "node", names.nodes, n);
  return list;
}

/// "node" or "nodes".
std::vector<std::string> node_or_nodes(object_reader& in, const scenario_names& names) {
  auto list = node_list(in, names, "nodes");
  if (!in.has("node")) return list;
  auto node = in.required_text("node");
  if (!node.empty()) check_name(in, "node", "node", names.nodes, node);
  list.push_back(std::move(node));
  return list;
}

std::vector<std::vector<std::string>> read_groups(object_reader& in, const scenario_names& names) {
  std::vector<std::vector<std::string>> groups;
  auto* value = in.require("groups", "lists of nodes, such as [[\"a\", \"b\"], [\"c\"]]");
  if (!value) return groups;
  std::vector<std::string> seen;
  auto wrong = !value->is_array();
  for (std::size_t i = 0; !wrong && i < value->size(); ++i) {
    const auto& list = (*value)[i];
    auto& group = groups.emplace_back();
    wrong = !list.is_array() || list.empty();
    for (std::size_t k = 0; !wrong && k < list.size(); ++k) {
      wrong = !list[k].is_string();
      if (wrong) break;
      group.push_back(list[k].get<std::string>());
      check_name(in, "groups", "node", names.nodes, group.back());
      if (std::find(seen.begin(), seen.end(), group.back()) != seen.end())
        in.problem("groups", "\"" + group.back() + "\" is in two groups");
      seen.push_back(group.back());
    }
  }
  if (wrong)
    in.problem("groups", "expected lists of nodes, such as [[\"a\", \"b\"], [\"c\"]], found " + describe(*value));
  return groups;
}

void read_partition(object_reader& in, const scenario_names& names, scenario_step& step) {
  partition_step s;
  if (in.has("node") || in.has("nodes"))
    for (auto& node : node_or_nodes(in, names)) s.groups.push_back({node});
  else
    s.groups = read_groups(in, names);
  std::size_t named = 0;
  for (const auto& g : s.groups) named += g.size();
  if (named > 0 && s.groups.size() + (named < names.nodes.size() ? 1 : 0) < 2)
    in.problem("groups", "all nodes are in one group: that parts nobody");
  std::vector<std::string> rest;
  for (const auto& node : names.nodes)
    if (std::none_of(s.groups.begin(), s.groups.end(),
                     [&](const auto& g) { return std::find(g.begin(), g.end(), node) != g.end(); }))
      rest.push_back(node);
  if (!rest.empty()) s.groups.push_back(std::move(rest));
  step.what = std::move(s);
}

endpoint parse_place(object_reader& in, const scenario_names& names, const std::string& key, const std::string& text) {
  auto slash = text.find('/');
  endpoint e{text.substr(0, slash), slash == std::string::npos ? "" : text.substr(slash + 1)};
  check_name(in, key, "node", names.nodes, e.node);
  if (!e.engine.empty()) check_name(in, key, "engine", names.engines, e.engine);
  return e;
}

void read_load(object_reader& in, scenario_names& names, scenario_step& step) {
  load_step s;
  for (const auto& text : in.texts("from")) s.from.push_back(parse_place(in, names, "from", text));
  if (s.from.empty()) in.problem("", "the key \"from\" is missing; expected a list of nodes or NODE/ENGINE");
  if (in.has("domain")) {
    s.domain = in.required_text("domain");
    check_name(in, "domain", "domain", names.domains, s.domain);
  } else if (auto to = in.required_text("to"); !to.empty()) {
    s.to = parse_place(in, names, "to", to);
  }
  s.protocol = in.required_text("protocol");
  if (!s.protocol.empty() && !parse_protocol_id(s.protocol))
    in.problem("protocol", "expected NAME/VERSION like \"echo/1.0\", found \"" + s.protocol + "\"");
  if (auto* body = in.require("body", "a list: the handler's arguments")) s.body = *body;
  if (!s.body.is_null() && !s.body.is_array()) in.problem("body", "expected a list, found " + describe(s.body));
  if (auto* expect = in.find("expect")) s.expect = *expect;
  s.per_second = decimal(in, "per_second", 100'000);
  if (s.per_second <= 0) in.problem("per_second", "expected calls per second of each of \"from\", more than 0");
  s.length = milliseconds{1000 * in.number("seconds", 1, 86'400, 5)};
  s.at_once = static_cast<std::uint32_t>(in.number("at_once", 1, 64, 8));
  if (s.from.size() * s.at_once > load_threads_max)
    in.problem("at_once", "more than " + std::to_string(load_threads_max) + " calls at once in all");
  s.failed_max = in.number("failed_max", 0, 1'000'000, 0);
  const auto seconds = static_cast<double>(s.length.count()) / 1000;
  if (s.per_second * seconds * static_cast<double>(s.from.size()) > load_calls_max)
    in.problem("per_second", "more than 1000000 calls in all: fewer, or not so long");
  if (!in.has("timeout_s")) step.timeout += s.length;
  step.what = std::move(s);
}

/// A figure without needless noughts: "2", "0.5".
std::string figure(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

} // namespace

std::string link_shape::text() const {
  std::string out;
  auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (latency_ms > 0 || jitter_ms > 0)
    add(std::to_string(latency_ms) + " ms" + (jitter_ms > 0 ? " ± " + std::to_string(jitter_ms) + " ms" : ""));
  if (loss_percent > 0) add(figure(loss_percent) + " % loss");
  if (rate_mbit > 0) add(figure(rate_mbit) + " Mbit/s");
  return out.empty() ? "plain" : out;
}

std::size_t link_shape::packets_max() const noexcept {
  constexpr double queue_ms = 200, octets_of_packet = 1500, packets_min = 32;
  if (rate_mbit == 0) return link_packets_max;
  auto octets = rate_mbit * 1e6 / 8 * (latency_ms + jitter_ms + queue_ms) / 1000;
  return static_cast<std::size_t>(
      std::clamp(octets / octets_of_packet, packets_min, static_cast<double>(link_packets_max)));
}

link_shape read_link_shape(object_reader& in) {
  link_shape shape;
  shape.latency_ms = static_cast<std::uint32_t>(in.number("latency_ms", 0, latency_max_ms, 0));
  shape.jitter_ms = static_cast<std::uint32_t>(in.number("jitter_ms", 0, latency_max_ms, 0));
  if (shape.jitter_ms > shape.latency_ms) in.problem("jitter_ms", "expected at most latency_ms");
  shape.loss_percent = decimal(in, "loss_percent", 100);
  shape.rate_mbit = decimal(in, "rate_mbit", rate_max_mbit);
  return shape;
}

bool shapes_links(const std::vector<scenario_step>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const auto& step) {
    auto* group = std::get_if<group_step>(&step.what);
    return std::holds_alternative<shape_step>(step.what) || (group && shapes_links(group->steps));
  });
}

bool read_network_step(object_reader& in, scenario_names& names, scenario_step& step) {
  if (step.kind == "load") {
    read_load(in, names, step);
    return true;
  }
  if (step.kind == "shape_link") {
    shape_step s{node_or_nodes(in, names), read_link_shape(in)};
    if (s.nodes.empty()) s.nodes = names.nodes;
    step.what = std::move(s);
  } else if (step.kind == "partition") {
    read_partition(in, names, step);
  } else if (step.kind == "heal") {
    step.what = heal_step{};
  } else {
    return false;
  }
  if (names.network == network_kind::loopback)
    in.problem("do",
               "this needs a network that is the scenario's own: expected \"network\": \"namespaces\" (or \"auto\") "
               "beside \"name\"");
  return true;
}

} // namespace hanse::app
