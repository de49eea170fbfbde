// Reads the steps of a scenario that are about content. The others are scenario_steps.cpp and its neighbours.
#include "hanse/app/cluster/scenario.hpp"

namespace hanse::app {

bool read_content_step(object_reader& in, scenario_names& names, scenario_step& step) {
  const auto named = [&](const std::string& key, const std::vector<std::string>& known, const std::string& name) {
    if (!name.empty()) check_name(in, key, key.c_str(), known, name);
    return name;
  };
  if (step.kind == "content_put") {
    content_put_step s;
    s.content = in.required_text("content");
    s.node = named("node", names.nodes, in.required_text("node"));
    s.domain = named("domain", names.domains, in.required_text("domain"));
    s.file = in.text("file");
    s.mebibytes = in.number("mebibytes", 1, 65'536, s.mebibytes);
    s.replicas = static_cast<std::uint32_t>(in.number("replicas", 0, 64, 0));
    names.contents.push_back(s.content);
    step.what = std::move(s);
  } else if (step.kind == "content_get") {
    content_get_step s;
    s.content = named("content", names.contents, in.required_text("content"));
    s.node = named("node", names.nodes, in.text("node"));
    s.kill = static_cast<std::uint32_t>(in.number("kill", 0, 64, 0));
    step.what = std::move(s);
  } else {
    return false;
  }
  return true;
}

} // namespace hanse::app
