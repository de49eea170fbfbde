// Permissions: names and octets; see the header.
#include "hanse/domains/permissions.hpp"

namespace hanse {

namespace {

constexpr std::array<std::string_view, domain_actions> names{"admit", "expel", "record", "publish", "store"};

} // namespace

std::string_view to_string(domain_action a) noexcept {
  const auto i = static_cast<std::size_t>(a);
  return i < names.size() ? names[i] : "unknown";
}

expected<domain_action> parse_domain_action(std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == text) return static_cast<domain_action>(i);
  return error{errc::bad_value, "expected admit, expel, record, publish or store"};
}

void write(msgpack_writer& out, const permissions& p) {
  out.array(domain_actions);
  for (const auto level : p.level_max) out.unsigned_integer(level);
}

permissions read_permissions(msgpack_reader& in) {
  permissions p;
  in.array_exactly(domain_actions);
  for (auto& level : p.level_max) level = static_cast<member_level>(in.unsigned_integer(level_lowest));
  return p;
}

} // namespace hanse
