// What the machine of a node's domains asks its host to do, and what it reports of itself. Not the machine
// (domain_node.hpp).
#pragma once

#include "hanse/domains/domain_lattice.hpp"
#include "hanse/domains/join_requester.hpp"
#include "hanse/domains/permissions.hpp"
#include "hanse/protocols/routing.hpp"

namespace hanse {

inline constexpr std::string_view domain_role_table = "domain-role";

/// Where `domain_write` writes go: all that a restart needs.
inline constexpr std::array<std::string_view, 3> domain_tables{"domain", domain_role_table, lace_table};

/// Which protocol a body belongs to.
enum class domain_channel : std::uint8_t {
  join,   ///< hanse.join
  advert, ///< hanse.domain-advert
  domain, ///< hanse.domain
};

/// What this node is in a domain. The numbers are stored.
enum class domain_role : std::uint8_t {
  outside = 0,
  joining = 1, ///< asks introducers
  member = 2,  ///< perhaps an introducer
  leaving = 3,
  expelled = 4, ///< others do not see it as a member any more
};

std::string_view to_string(domain_role r) noexcept;

struct domain_message {
  identity to;
  domain_channel which = domain_channel::domain;
  bytes body;
};

/// Commit these, all or none; then, if `token` is set, call `persisted(domain, token)`.
struct domain_write {
  std::string_view table;
  std::vector<key_value_write> writes;
  identity domain;
  std::uint64_t token = 0;
};

/// Learn this node's signed advert (not looked at): messages to it may follow. An older one changes nothing.
struct domain_reach {
  identity node;
  bytes advert;
};

/// For the router: who is in a domain, or whom it advertises to outsiders.
struct domain_view {
  domain_members members;
};

/// For engines: the membership map changed.
struct domain_change {
  identity domain;
  map_effect what;
};

/// This node's own standing changed. `why`: the reason where there is one.
struct domain_role_changed {
  identity domain;
  domain_role role = domain_role::outside;
  error why;
};

/// A domain that was looked for is known now; also every first or newer advert.
struct domain_found {
  identity domain;
  std::uint64_t version = 0;
};

/// Get this content from the domain's blocks; then call `archive_came`.
struct domain_archive {
  identity domain;
  eris_capability content;
};

/// For the log and counters: refusals, introducers passed over, proven equivocators.
struct domain_event {
  std::string_view name;
  identity domain;
  identity node;
  error why;
};

using domain_effect = std::variant<domain_message, domain_write, domain_reach, domain_view, domain_change,
                                   domain_role_changed, domain_found, domain_archive, domain_event>;
using domain_effects = std::vector<domain_effect>;

/// One domain, for `hanse domain status`.
struct domain_report {
  identity domain;
  std::string name;
  std::uint64_t version = 0; ///< of the latest advert
  domain_role role = domain_role::outside;
  error why; ///< of the role, if something went wrong
  std::string instance;
  protocol_stack stack;
  permissions allowed; ///< of the latest advert
  auth_mechanism auth = auth_mechanism::none;
  member_level level = level_none; ///< of this node
  bool introduces = false;
  bool may_write = false; ///< false in a member: its newest block is not confirmed by others yet
  std::size_t members = 0;
  std::vector<identity> introducers;
  std::vector<identity> byzantine;
  std::size_t blocks = 0, pending = 0;
  digest state; ///< equal where members, levels, values and advert are
  checkpoint_status checkpoint;
  std::optional<join_report> join;
};

/// One member, for `hanse domain members`.
struct domain_member {
  member_view view;
  bool is_byzantine = false;
  bool online = false;                 ///< this node, or one with a link to it
  std::optional<time_ms> last_seen_ms; ///< when there was a link last
};

} // namespace hanse
