// Protocols by name and version: how a domain's configuration finds the code that it names, an own one included.
// Not the protocols and not their interfaces: one registry for each kind (membership, dissemination, storage), whose
// `Factory` is what makes a machine of that kind.
#pragma once

#include "hanse/domains/domain_config.hpp"

#include <algorithm>
#include <map>

namespace hanse {

inline constexpr std::size_t registered_protocols_max = 256; ///< of one kind; a guess

/// The protocols of one kind that this node can run.
///
///     protocol_registry<dissemination_factory> known;
///     known.add({"my-gossip", 1, 0}, make_my_gossip);
///     HANSE_TRY(const auto found, known.find(config.stack.dissemination.id));
///     auto machine = (*found.factory)(config.stack.dissemination.parameters, …);
template <class Factory>
class protocol_registry {
public:
  struct found {
    protocol_id speaks;               ///< what both the configuration and the code know: the lower minor
    const Factory* factory = nullptr; ///< never null; valid while the registry is
  };

  /// Errors: `bad_value` (name), `already_exists`, `table_full`.
  expected<unit> add(protocol_id id, Factory factory) {
    if (!is_protocol_name(id.name)) return error{errc::bad_value, "protocol name"};
    if (factories_.contains(id)) return error{errc::already_exists, to_string(id)};
    if (factories_.size() >= registered_protocols_max) return errc::table_full;
    factories_.emplace(std::move(id), std::move(factory));
    return ok();
  }

  /// The code for `wanted`: of the same name and major version, the highest minor.
  /// Errors: `unsupported_protocol`, `unsupported_version`; the detail names what is wanted and what is known.
  expected<found> find(const protocol_id& wanted) const {
    auto i = factories_.upper_bound({wanted.name, wanted.major, UINT16_MAX});
    if (i == factories_.begin() || (--i)->first.name != wanted.name || i->first.major != wanted.major) {
      const bool named = std::ranges::any_of(factories_, [&](const auto& f) { return f.first.name == wanted.name; });
      return unknown(named ? errc::unsupported_version : errc::unsupported_protocol, wanted);
    }
    return found{{wanted.name, wanted.major, std::min(wanted.minor, i->first.minor)}, &i->second};
  }

  /// All of them, ascending.
  std::vector<protocol_id> known() const {
    std::vector<protocol_id> ids;
    for (const auto& f : factories_) ids.push_back(f.first);
    return ids;
  }

private:
  error unknown(errc code, const protocol_id& wanted) const {
    auto detail = to_string(wanted) + " (known here:";
    for (const auto& f : factories_) detail += " " + to_string(f.first);
    return {code, detail + (factories_.empty() ? " none)" : ")")};
  }

  std::map<protocol_id, Factory> factories_;
};

} // namespace hanse
