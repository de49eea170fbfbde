// How a service of a node learns in which domains it works: it asks the domains' actor for all, then for the members of
// each that this node is in. Not what it does with them, and not when it asks. Not installed.
#pragma once

#include "hanse/actors/interfaces.hpp"

#include <set>

namespace hanse::internal {

/// `take(report, members)` is called later for each domain that the node is a member of; `gone(domains)` for those of
/// `known()`, as of the answer, that it is none of any more. In the actor `self`. Neither is called when the node
/// stops.
template <class Self, class Known, class Take, class Gone>
void look_at_member_domains(Self self, const domain_actor& domains, Known known, Take take, Gone gone) {
  compat::request(self, domains, caf::infinite, list_atom_v)
      .then(
          [self, domains, known, take, gone](const std::vector<domain_report>& all) {
            std::set<identity> left = known();
            for (const auto& r : all) {
              if (r.role != domain_role::member) continue;
              left.erase(r.domain);
              compat::request(self, domains, caf::infinite, list_atom_v, r.domain)
                  .then([take, r](const std::vector<domain_member>& members) { take(r, members); },
                        [](const caf::error&) {}); // it has just left
            }
            gone(left);
          },
          [](const caf::error&) {}); // the node stops
}

} // namespace hanse::internal
