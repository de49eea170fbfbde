// Reads the steps of a scenario that are about topics. The others are scenario_steps.cpp and scenario_domain_steps.cpp.
#include "hanse/app/cluster/scenario.hpp"

namespace hanse::app {
namespace {

struct topic_step_reader {
  object_reader& in;
  scenario_names& names;

  std::string named(const std::string& key, const std::vector<std::string>& known) {
    auto name = in.required_text(key);
    if (!name.empty()) check_name(in, key, key.c_str(), known, name);
    return name;
  }
  std::vector<std::string> nodes(const std::string& key) {
    auto list = in.texts(key);
    for (const auto& n : list)
      if (!n.empty()) check_name(in, key, "node", names.nodes, n);
    return list;
  }
  std::vector<std::string> required_nodes() {
    auto list = nodes("nodes");
    if (list.empty()) in.problem("", "the key \"nodes\" is missing; expected names of nodes");
    return list;
  }
};

} // namespace

bool read_topic_step(object_reader& in, scenario_names& names, scenario_step& step) {
  topic_step_reader r{in, names};
  if (step.kind == "topic_create") {
    topic_create_step s{in.required_text("topic"), r.named("domain", names.domains), r.named("node", names.nodes),
                        r.nodes("publishers")};
    names.topics.push_back(s.topic);
    step.what = std::move(s);
  } else if (step.kind == "topic_subscribe") {
    step.what = topic_subscribe_step{r.named("topic", names.topics), r.required_nodes()};
  } else if (step.kind == "topic_publish") {
    step.what = topic_publish_step{r.named("topic", names.topics), r.named("node", names.nodes),
                                   static_cast<std::uint32_t>(in.number("count", 1, 1'000'000, 1)),
                                   static_cast<std::uint32_t>(in.number("every_ms", 0, 60'000, 0))};
  } else if (step.kind == "topic_check") {
    step.what = topic_check_step{r.named("topic", names.topics), r.required_nodes()};
  } else {
    return false;
  }
  return true;
}

} // namespace hanse::app
