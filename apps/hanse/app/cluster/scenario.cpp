// Reads a scenario: variables first, then nodes, then steps (scenario_steps.cpp).
// Every node's configuration is checked here with the node's own reader, so that mistakes show before anything starts.
#include "hanse/app/cluster/scenario.hpp"

#include "hanse/app/node_config.hpp"
#include "hanse/app/text_file.hpp"

#include <set>

namespace hanse::app {
namespace {

using nlohmann::json;

/// Puts the values of variables into texts: "${name}" alone becomes the value itself, within a text its text.
class variable_filler {
public:
  variable_filler(problem_list& problems, json values) : problems_(problems), values_(std::move(values)) {}

  void fill(json& value, const std::string& path) {
    if (value.is_string()) return fill_text(value, path);
    if (value.is_array())
      for (std::size_t i = 0; i < value.size(); ++i) fill(value[i], path + "[" + std::to_string(i) + "]");
    if (value.is_object())
      for (auto& [key, inner] : value.items()) fill(inner, path.empty() ? key : path + "." + key);
  }

private:
  void fill_text(json& value, const std::string& path) {
    auto text = value.get<std::string>();
    std::string out;
    std::size_t at = 0;
    while (true) {
      auto begin = text.find("${", at);
      auto end = begin == std::string::npos ? begin : text.find('}', begin);
      if (end == std::string::npos) break;
      auto name = text.substr(begin + 2, end - begin - 2);
      out += text.substr(at, begin - at);
      at = end + 1;
      if (name == "dir" || name.starts_with("identity:") ||
          name.starts_with("domain:")) { // filled in when the nodes run
        out += "${" + name + "}";
        continue;
      }
      auto found = values_.find(name);
      if (found == values_.end()) {
        report_unknown(name, path);
        continue;
      }
      if (begin == 0 && at == text.size()) {
        value = *found;
        return;
      }
      out += found->is_string() ? found->get<std::string>() : found->dump();
    }
    value = out + text.substr(at);
  }

  void report_unknown(const std::string& name, const std::string& path) {
    std::vector<std::string> known;
    for (const auto& [key, value] : values_.items()) known.push_back(key);
    auto close = closest_word(name, known);
    problems_.add(path, "no variable \"" + name + "\" in \"set\"" +
                            (close.empty() ? "" : "; did you mean \"" + close + "\"?"));
  }

  problem_list& problems_;
  json values_;
};

/// "set" of the file, with what the command line gives instead.
json read_variables(problem_list& problems, const json& root, const scenario_variables& given) {
  auto values = json::object();
  if (root.is_object() && root.contains("set")) values = root["set"];
  if (!values.is_object()) {
    problems.add("set", "expected an object with the variables and their values");
    return json::object();
  }
  for (const auto& [name, text] : given) {
    if (!values.contains(name)) {
      std::vector<std::string> known;
      for (const auto& [key, value] : values.items()) known.push_back(key);
      auto close = closest_word(name, known);
      problems.add("set", "the command line sets \"" + name + "\", which is not there" +
                              (close.empty() ? "" : "; did you mean \"" + close + "\"?"));
      continue;
    }
    auto parsed = json::parse(text, nullptr, false);
    // A text stays a text, also one that looks like a number.
    values[name] = values[name].is_string() || parsed.is_discarded() ? json(text) : parsed;
  }
  return values;
}

/// What every node of a cluster has: loopback, a free port, and leave to use both.
json base_config(const std::string& name) {
  return {{"name", name},          {"key_file", "node.key"},
          {"data_dir", "data"},    {"listen", json::array({loopback_listen})},
          {"allow_private", true}, {"testing", true}};
}

json object_at(object_reader& in, const std::string& key) {
  return json::parse(in.object_text(key));
}

struct node_defaults {
  json config = json::object();
  json engines = json::array();
};

void add_node(scenario& s, object_reader& in, const node_defaults& defaults, const std::string& name, json engines,
              const json& overrides) {
  auto config = base_config(name);
  config.merge_patch(defaults.config);
  config.merge_patch(overrides);
  for (const auto& e : defaults.engines) engines.push_back(e);
  if (!engines.empty()) config["engines"] = std::move(engines);
  if (auto checked = parse_node_config(config.dump(), "config"); !checked)
    in.problem("config", "this makes no configuration for " + name + ": " + checked.error().detail);
  s.nodes.push_back({name, std::move(config)});
}

void read_nodes(object_reader& in, scenario& s) {
  node_defaults defaults;
  auto list = [](object_reader& from) {
    auto* value = from.find("engines");
    if (value && !value->is_array()) from.problem("engines", "expected a list of objects, found " + describe(*value));
    return value && value->is_array() ? *value : json::array();
  };
  in.object("defaults", [&](object_reader& d) {
    defaults.config = object_at(d, "config");
    defaults.engines = list(d);
  });
  in.require("nodes", "a list of objects");
  in.each("nodes", [&](object_reader& n) {
    auto name = n.required_text("name");
    auto count = n.number("count", 1, scenario_nodes_max, 1);
    auto overrides = object_at(n, "config");
    auto engines = list(n);
    if (!is_engine_name(name)) n.problem("name", "expected a-z, 0-9, \".\", \"_\" and \"-\", found \"" + name + "\"");
    for (std::uint64_t i = 1; i <= count; ++i)
      add_node(s, n, defaults, n.has("count") ? name + std::to_string(i) : name, engines, overrides);
  });
  if (s.nodes.size() > scenario_nodes_max)
    in.problem("nodes", "more than " + std::to_string(scenario_nodes_max) + " nodes");
  std::set<std::string> names;
  for (const auto& n : s.nodes)
    if (!names.insert(n.name).second) in.problem("nodes", "two nodes are called \"" + n.name + "\"");
}

void read_network(object_reader& in, scenario& s) {
  auto kind = in.choice("network", {"loopback", "namespaces", "auto"});
  if (kind != "loopback") s.network = kind == "auto" ? network_kind::automatic : network_kind::namespaces;
  in.object("link", [&](object_reader& link) { s.link = read_link_shape(link); });
  if (s.network == network_kind::loopback && in.has("link"))
    in.problem("link", "this needs \"network\": \"namespaces\" (or \"auto\") beside it");
}

scenario_names names_of(const scenario& s) {
  scenario_names names;
  for (const auto& node : s.nodes) {
    names.nodes.push_back(node.name);
    for (const auto& e : node.config.value("engines", json::array()))
      if (e.is_object() && e.contains("name") && e["name"].is_string()) names.engines.push_back(e["name"]);
  }
  return names;
}

} // namespace

expected<scenario> parse_scenario(std::string_view text, const std::filesystem::path& file,
                                  const scenario_variables& variables) {
  HANSE_TRY(auto original, json_document::parse(text, file));
  problem_list problems{original};
  auto root = original.root();
  auto values = read_variables(problems, root, variables);
  if (root.is_object()) root.erase("set");
  variable_filler{problems, std::move(values)}.fill(root, "");
  if (!problems.empty()) return problems.to_error();

  auto document = original.with_root(std::move(root));
  object_reader in{problems, document.root(), ""};
  scenario s;
  s.file = file;
  s.name = in.required_text("name");
  in.text("description");
  s.timeout = milliseconds{1000 * in.number("timeout_s", 1, 86'400, 300)};
  s.ready_timeout = milliseconds{1000 * in.number("ready_timeout_s", 1, 3'600, 30)};
  read_network(in, s);
  read_nodes(in, s);
  auto names = names_of(s);
  names.network = s.network;
  in.require("steps", "a list of objects");
  in.each("steps", [&](object_reader& step) { s.steps.push_back(read_step(step, names)); });
  in.finish();
  if (s.nodes.empty() && problems.empty()) in.problem("nodes", "expected at least one node");
  if (!problems.empty()) return problems.to_error();
  return s;
}

expected<scenario> load_scenario(const std::filesystem::path& file, const scenario_variables& variables) {
  HANSE_TRY(auto text, read_text_file(file, json_file_size_max));
  return parse_scenario(text, file, variables);
}

} // namespace hanse::app
