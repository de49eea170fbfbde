// The built-in protocols and their parameters; see the header.
#include "hanse/domains/domain_protocols.hpp"

#include "hanse/domains/storage_protocol.hpp"
#include "hanse/protocols/dissemination.hpp"

#include <charconv>

namespace hanse {

namespace {

constexpr std::uint32_t compare_ms_min = 100;
constexpr std::uint32_t compare_ms_max = 3'600'000;

expected<std::uint32_t> number(const std::string& name, const std::string& text) {
  std::uint32_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [at, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || at != end || value < compare_ms_min || value > compare_ms_max)
    return error{errc::bad_config, name + " is not a number from " + std::to_string(compare_ms_min) + " to " +
                                       std::to_string(compare_ms_max)};
  return value;
}

/// `busy_ms`, `idle_ms`: between comparisons with other members (lace_sync_config).
expected<lattice_config> blocklace_of(const protocol_parameters& parameters) {
  lattice_config c;
  for (const auto& [name, text] : parameters) {
    if (name != "busy_ms" && name != "idle_ms") return error{errc::bad_config, "blocklace has no parameter " + name};
    HANSE_TRY(const auto value, number(name, text));
    (name == "busy_ms" ? c.sync.busy_ms : c.sync.idle_ms) = value;
  }
  return c;
}

} // namespace

domain_protocols domain_protocols::builtin() {
  domain_protocols p;
  (void)p.membership.add({"blocklace", 1, 0}, blocklace_of);
  for (const auto* name : {"full-mesh", "plumtree"})
    (void)p.dissemination.add({name, 1, 0}, [text = std::string{name} + "/1"](const protocol_parameters& parameters) {
      return dissemination_registry::builtin().check(text, {parameters.begin(), parameters.end()});
    });
  storage_registry::builtin().teach(p);
  return p;
}

expected<lattice_config> domain_protocols::open(const protocol_stack& stack) const {
  HANSE_TRY(const auto mesh, dissemination.find(stack.dissemination.id));
  HANSE_CHECK((*mesh.factory)(stack.dissemination.parameters));
  HANSE_TRY(const auto store, storage.find(stack.storage.id));
  HANSE_CHECK((*store.factory)(stack.storage.parameters));
  HANSE_TRY(const auto members, membership.find(stack.membership.id));
  return (*members.factory)(stack.membership.parameters);
}

} // namespace hanse
