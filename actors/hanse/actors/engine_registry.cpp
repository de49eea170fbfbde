// See engine_registry.hpp.
#include "hanse/actors/engine_registry.hpp"

namespace hanse {

expected<unit> engine_registry::add(std::string type, factory make) {
  if (factories_.size() >= engine_types_max) return error{errc::table_full, "too many engine types"};
  if (!factories_.emplace(type, std::move(make)).second)
    return error{errc::already_exists, "an engine type called " + type + " is registered already"};
  return ok();
}

expected<identity> engine_registry::spawn(node& n, const std::string& type, engine_options options,
                                          const std::string& parameters) const {
  auto i = factories_.find(type);
  if (i == factories_.end()) {
    std::string known;
    for (auto& name : types()) known += (known.empty() ? "" : ", ") + name;
    return error{errc::not_found, "no engine type is called " + type + "; there are: " + known};
  }
  options.type = type;
  return i->second(n, std::move(options), parameters);
}

std::vector<std::string> engine_registry::types() const {
  std::vector<std::string> names;
  for (auto& [name, make] : factories_) names.push_back(name);
  return names;
}

} // namespace hanse
