// Reads the steps of a scenario that are about domains. The others are scenario_steps.cpp.
#include "hanse/app/cluster/scenario.hpp"

#include "hanse/app/domain_file.hpp"

namespace hanse::app {
namespace {

struct domain_step_reader {
  object_reader& in;
  scenario_names& names;

  std::string domain() {
    auto name = in.required_text("domain");
    check_name(in, "domain", "domain", names.domains, name);
    return name;
  }
  std::string node(const std::string& key) {
    auto name = in.required_text(key);
    check_name(in, key, "node", names.nodes, name);
    return name;
  }
  std::vector<std::string> nodes() {
    auto list = in.texts("nodes");
    if (in.has("node")) list.push_back(in.text("node"));
    for (const auto& n : list) check_name(in, "nodes", "node", names.nodes, n);
    if (list.empty()) in.problem("", "the key \"nodes\" is missing; expected names of nodes");
    return list;
  }
};

void read_create(domain_step_reader r, scenario_step& step) {
  domain_create_step s;
  s.domain = r.in.required_text("domain");
  s.psk = r.in.flag("psk");
  if (r.in.has("introducers")) s.instances[""] = r.in.texts("introducers");
  r.in.object("instances", [&](object_reader& i) {
    for (const auto& name : i.keys()) s.instances[name] = i.texts(name);
  });
  for (const auto& [instance, nodes] : s.instances)
    for (const auto& n : nodes) check_name(r.in, "introducers", "node", r.names.nodes, n);
  for (const auto& p : r.in.texts("protocols"))
    if (auto done = set_protocol(s.stack, p); !done) r.in.problem("protocols", to_string(done.error()));
  for (const auto& p : r.in.texts("parameters"))
    if (auto done = set_parameter(s.stack, p); !done) r.in.problem("parameters", to_string(done.error()));
  if (s.instances.empty()) r.in.problem("", "one of the keys \"introducers\" and \"instances\" is missing");
  r.names.domains.push_back(s.domain);
  step.what = std::move(s);
}

void read_domain_join(domain_step_reader r, scenario_step& step) {
  domain_join_step s;
  s.domain = r.domain();
  s.nodes = r.nodes();
  s.instance = r.in.text("instance");
  s.wrong_key = r.in.flag("wrong_key");
  s.expect_error = r.in.text("expect_error");
  step.what = std::move(s);
}

void read_do(domain_step_reader r, scenario_step& step) {
  domain_do_step s;
  s.domain = r.domain();
  s.node = r.node("node");
  s.action = r.in.required_choice("action", {"put", "promote", "expel", "leave"});
  if (s.action == "promote" || s.action == "expel") s.member = r.node("member");
  if (s.action == "promote") s.level = static_cast<std::uint32_t>(r.in.number("level", 1, 254, 10));
  if (s.action == "put") {
    s.key = r.in.required_text("key");
    s.value = r.in.required_text("value");
  }
  step.what = std::move(s);
}

void read_domain_check(domain_step_reader r, scenario_step& step) {
  domain_check_step s;
  s.domain = r.domain();
  s.nodes = r.nodes();
  s.members = static_cast<std::uint32_t>(r.in.number("members", 1, scenario_nodes_max, 1));
  step.what = std::move(s);
}

} // namespace

bool read_domain_step(object_reader& in, scenario_names& names, scenario_step& step) {
  const domain_step_reader r{in, names};
  if (step.kind == "domain_create") return read_create(r, step), true;
  if (step.kind == "domain_join") return read_domain_join(r, step), true;
  if (step.kind == "domain_do") return read_do(r, step), true;
  if (step.kind == "domain_check") return read_domain_check(r, step), true;
  return false;
}

} // namespace hanse::app
