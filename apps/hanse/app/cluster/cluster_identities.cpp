// How a scenario's names (node2/calculator) become identities, and how texts with them are filled in.
// Part of the class cluster.
#include "hanse/app/cluster/cluster.hpp"

#include <algorithm>

namespace hanse::app {

using nlohmann::json;

expected<std::string> cluster::look_up(const endpoint& e, step_scope& scope) {
  HANSE_TRY(auto answer, ask(e.node, {{"command", "engines"}}, scope));
  for (const auto& engine : answer.value("engines", json::array())) {
    if (engine.value("local", false) && engine.value("name", "") == e.engine) return engine.value("identity", "");
  }
  return error{errc::not_found, e.node + " has no engine \"" + e.engine + "\""};
}

expected<std::string> cluster::identity_of(const endpoint& e, step_scope& scope) {
  {
    std::lock_guard lock{identities_mutex_};
    if (auto i = identities_.find(e.text()); i != identities_.end()) return i->second;
  }
  if (e.engine.empty()) return error{errc::not_found, e.node + " has not been ready yet"};
  HANSE_TRY(auto identity, look_up(e, scope));
  std::lock_guard lock{identities_mutex_};
  return identities_.emplace(e.text(), std::move(identity)).first->second;
}

void cluster::moved(const std::string& engine, const std::string& from, const std::string& to) {
  std::lock_guard lock{identities_mutex_};
  if (auto i = identities_.find(from + "/" + engine); i != identities_.end())
    identities_[to + "/" + engine] = i->second;
}

void cluster::add_domain(const std::string& name, cluster_domain d) {
  std::lock_guard lock{identities_mutex_};
  domains_[name] = std::move(d);
}

expected<cluster_domain> cluster::domain(const std::string& name) {
  std::lock_guard lock{identities_mutex_};
  const auto i = domains_.find(name);
  if (i == domains_.end()) return error{errc::not_found, "no domain \"" + name + "\" has been made yet"};
  return i->second;
}

expected<json> cluster::fill(const json& value, step_scope& scope) {
  if (value.is_array() || value.is_object()) {
    auto filled = value;
    for (auto& inner : filled) {
      HANSE_TRY(inner, fill(inner, scope));
    }
    return filled;
  }
  if (!value.is_string()) return value;
  auto text = value.get<std::string>();
  std::string out;
  std::size_t at = 0;
  while (true) {
    auto begin = text.find("${", at);
    auto end = begin == std::string::npos ? begin : text.find('}', begin);
    if (end == std::string::npos) return json(out + text.substr(at));
    auto name = text.substr(begin + 2, end - begin - 2);
    out += text.substr(at, begin - at);
    at = end + 1;
    if (name == "dir") {
      out += directory().string();
      continue;
    }
    if (name.starts_with("domain:")) {
      HANSE_TRY(const auto d, domain(name.substr(7)));
      out += d.identity;
      continue;
    }
    name.erase(0, name.find(':') + 1); // "identity:", the only other one that the scenario's reader lets through
    auto slash = name.find('/');
    endpoint place{name.substr(0, slash), slash == std::string::npos ? "" : name.substr(slash + 1)};
    auto known =
        std::any_of(plan_.nodes.begin(), plan_.nodes.end(), [&](const auto& n) { return n.name == place.node; });
    if (!known) return error{errc::not_found, "${identity:" + name + "}: no such node"};
    HANSE_TRY(auto identity, identity_of(place, scope));
    out += identity;
  }
}

} // namespace hanse::app
