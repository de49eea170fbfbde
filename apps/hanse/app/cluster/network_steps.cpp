// Steps of a scenario that change its network: the shape of links, partitions. The others are step_runner.cpp.
// Where the network is this machine's loopback they are skipped, and say so.
#include "hanse/app/cluster/step_runner.hpp"

namespace hanse::app {
namespace {

step_outcome skipped(std::string why) {
  step_outcome outcome{0, std::move(why)};
  outcome.skipped = true;
  return outcome;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& n : names) text += (text.empty() ? "" : ", ") + n;
  return text;
}

} // namespace

step_runner::result step_runner::run(const shape_step& s, work& w) {
  auto* network = cluster_.network();
  if (!network || !network->unshaped_because().empty()) return skipped(cluster_.network_facts().note);
  for (const auto& node : s.nodes) {
    w.scope.involve(node);
    HANSE_CHECK(network->shape(node, s.shape));
  }
  return step_outcome{s.nodes.size(), joined(s.nodes) + ": " + s.shape.text()};
}

step_runner::result step_runner::run(const partition_step& s, work&) {
  auto* network = cluster_.network();
  if (!network) return skipped(cluster_.network_facts().note);
  HANSE_CHECK(network->partition(s.groups));
  std::string text;
  for (const auto& group : s.groups) text += (text.empty() ? "" : " | ") + joined(group);
  return step_outcome{s.groups.size(), text};
}

step_runner::result step_runner::run(const heal_step&, work&) {
  auto* network = cluster_.network();
  if (!network) return skipped(cluster_.network_facts().note);
  HANSE_CHECK(network->heal());
  return step_outcome{1, "all reach all"};
}

} // namespace hanse::app
