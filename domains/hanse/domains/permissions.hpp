// Who may do what in a domain: a level per member, and the highest level that each action allows. Design section 8.
// Not the members and not their levels over time (membership_map.hpp): pure comparisons.
#pragma once

#include "hanse/protocols/codec.hpp"

namespace hanse {

/// The rank of a member: 0 is the domain's owner, smaller numbers rank higher.
using member_level = std::uint8_t;

inline constexpr member_level level_owner = 0;
inline constexpr member_level level_introducer = 1; ///< of the nodes that the DomainAdvert names
inline constexpr member_level level_default = 10;   ///< of who joins; leaves room for ranks between; a guess
inline constexpr member_level level_lowest = 254;
inline constexpr member_level level_none = 255; ///< no member

/// What the domain's configuration can restrict. The numbers are on the wire.
enum class domain_action : std::uint8_t {
  admit = 0,   ///< write an Add: let somebody in, or change a level
  expel = 1,   ///< write a Revoke
  record = 2,  ///< write values into the membership map (Put, Remove)
  publish = 3, ///< publish to topics that name no publishers
  store = 4,   ///< put blocks, and be asked to keep them
};
inline constexpr std::size_t domain_actions = 5;

std::string_view to_string(domain_action a) noexcept;

/// Errors: `bad_value`.
expected<domain_action> parse_domain_action(std::string_view text);

/// The lowest rank (highest number) that may do each action.
struct permissions {
  std::array<member_level, domain_actions> level_max{level_introducer, level_introducer, level_lowest, level_lowest,
                                                     level_lowest};

  bool allows(domain_action a, member_level level) const noexcept {
    return level <= level_max[static_cast<std::size_t>(a)];
  }
  friend bool operator==(const permissions&, const permissions&) = default;
};

/// An array of the levels, in the order of domain_action.
void write(msgpack_writer& out, const permissions& p);

/// Fails the reader with `bad_value` where a level is level_none.
permissions read_permissions(msgpack_reader& in);

} // namespace hanse
