// The rules for a domain's configuration, and what is looked up in it.
// Not its octets (domain_advert.cpp), but for their number.
#include "hanse/domains/domain_config.hpp"

#include "hanse/domains/internal/domain_payload.hpp"
#include "hanse/domains/internal/fields.hpp"

#include <algorithm>
#include <set>

namespace hanse {

namespace {

expected<unit> check_protocol(const stack_protocol& p, const std::string& where) {
  if (!is_protocol_name(p.id.name)) return error{errc::bad_value, where + ": protocol name"};
  if (p.parameters.size() > protocol_parameters_max) return error{errc::too_long, where + ": parameters"};
  for (const auto& [key, value] : p.parameters) {
    if (!is_protocol_name(key)) return error{errc::bad_value, where + ": the key of a parameter"};
    if (value.size() > protocol_parameter_value_max) return error{errc::too_long, where + ": parameter " + key};
    if (!internal::is_plain_text(value)) return error{errc::bad_value, where + ": parameter " + key};
  }
  return ok();
}

expected<unit> check_stack(const protocol_stack& stack, const std::string& prefix) {
  HANSE_CHECK(check_protocol(stack.membership, prefix + "membership"));
  HANSE_CHECK(check_protocol(stack.dissemination, prefix + "dissemination"));
  return check_protocol(stack.storage, prefix + "storage");
}

expected<unit> check_introducers(const std::vector<introducer>& list, const std::string& where) {
  if (list.size() > domain_introducers_max) return error{errc::too_long, where};
  std::set<identity> seen;
  for (const auto& i : list) {
    if (i.node.kind() != identity_kind::individual) return error{errc::bad_value, where + ": a node is an individual"};
    if (i.advert.empty()) return error{errc::bad_value, where + ": no node advert"};
    if (i.advert.size() > advert_size_max) return error{errc::too_long, where + ": node advert"};
    if (!seen.insert(i.node).second) return error{errc::bad_value, where + ": twice the same node"};
  }
  return ok();
}

expected<unit> check_instances(const domain_config& c) {
  if (c.instances.size() > domain_instances_max) return error{errc::too_long, "instances"};
  const std::string* last = nullptr;
  for (const auto& i : c.instances) {
    if (!is_protocol_name(i.name)) return error{errc::bad_value, "name of an instance"};
    if (last && *last >= i.name) return error{errc::not_canonical, "instances are ascending by name, each once"};
    last = &i.name;
    if (i.stack && !c.own_stacks)
      return error{errc::bad_value, "instance " + i.name + ": protocols of its own, which own_stacks does not allow"};
    if (i.stack) HANSE_CHECK(check_stack(*i.stack, i.name + ": "));
    HANSE_CHECK(check_introducers(i.introducers, i.name + ": introducers"));
  }
  return ok();
}

} // namespace

expected<unit> internal::check_fields(const domain_config& c) {
  if (!c.domain) return error{errc::bad_value, "no domain"};
  if (c.version == 0 || c.version > wire_number_max) return error{errc::bad_value, "version"};
  if (c.name.size() > domain_name_size_max) return error{errc::too_long, "name"};
  if (!is_plain_text(c.name)) return error{errc::bad_value, "name"};
  if (c.auth > auth_mechanism::psk) return error{errc::bad_value, "auth"};
  for (const auto level : c.permissions.level_max)
    if (level == level_none) return error{errc::bad_value, "permissions"};
  if (c.join_level <= level_introducer || c.join_level == level_none)
    return error{errc::bad_value, "join_level: below an introducer's, from 2 to 254"};
  HANSE_CHECK(check_stack(c.stack, ""));
  HANSE_CHECK(check_introducers(c.introducers, "introducers"));
  return check_instances(c);
}

expected<unit> check(const domain_config& config) {
  HANSE_CHECK(internal::check_fields(config));
  const auto size = internal::payload_of(config).size();
  if (size > domain_config_size_max)
    return error{errc::too_long, "the configuration has " + std::to_string(size) + " octets, at most " +
                                     std::to_string(domain_config_size_max) + " are allowed"};
  return ok();
}

std::string_view to_string(auth_mechanism a) noexcept {
  switch (a) {
  case auth_mechanism::none:
    return "none";
  case auth_mechanism::psk:
    return "psk";
  }
  return "unknown";
}

expected<auth_mechanism> parse_auth_mechanism(std::string_view text) {
  if (text == "none") return auth_mechanism::none;
  if (text == "psk") return auth_mechanism::psk;
  return error{errc::bad_value, "expected none or psk"};
}

const domain_instance* find_instance(const domain_config& config, std::string_view name) noexcept {
  const auto i = std::ranges::find(config.instances, name, &domain_instance::name);
  return i == config.instances.end() ? nullptr : &*i;
}

const protocol_stack& stack_of(const domain_config& config, std::string_view instance) noexcept {
  const auto* found = find_instance(config, instance);
  return found && found->stack ? *found->stack : config.stack;
}

std::vector<introducer> introducers_of(const domain_config& config, std::string_view instance) {
  std::vector<introducer> all;
  std::set<identity> seen;
  const auto add = [&](const std::vector<introducer>& list) {
    for (const auto& i : list)
      if (seen.insert(i.node).second) all.push_back(i);
  };
  if (const auto* found = find_instance(config, instance)) add(found->introducers);
  add(config.introducers);
  for (const auto& i : config.instances) add(i.introducers);
  return all;
}

} // namespace hanse
