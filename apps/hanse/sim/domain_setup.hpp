// The domain of a run and its topics as their owner decided them, with the judges of what happens in them. Internal to
// the simulator. Not a node's part in them (sim_node_domain.cpp, sim_node_topics.cpp) and not the join.
#pragma once

#include "hanse/sim/domain_invariants.hpp"
#include "hanse/sim/event_invariants.hpp"

#include "hanse/domains/domain_advert.hpp"
#include "hanse/domains/psk.hpp"
#include "hanse/protocols/topic_advert.hpp"

namespace hanse::sim {

struct world;

struct domain_setup {
  /// Precondition: `s.domain`.
  domain_setup(const scenario& s, std::uint64_t seed, checker& judge);

  /// Signs the advert with those of its introducers. All nodes have started, for the first time.
  void seal(const world& w);

  const identity& domain() const { return owner.identity(); }
  bool includes(std::uint32_t node) const { return std::binary_search(nodes.begin(), nodes.end(), node); }
  bool introduces(std::uint32_t node) const { return includes(node) && node <= nodes[rule.introducers - 1]; }
  std::optional<std::size_t> topic_of(const identity& topic) const;

  const domain_rule& rule;
  std::vector<std::uint32_t> nodes; ///< that may enter, ascending
  key_pair owner;
  signed_domain_advert advert;
  psk_list keys, wrong_keys;                 ///< wrong: of nodes that try without knowing the key
  std::vector<signed_topic_advert> topics;   ///< in the order of the scenario
  std::vector<std::vector<bool>> subscribes; ///< by topic and node
  std::uint64_t returning = 0;               ///< members that left, and are to come back
  domain_checker members;
  event_checker events;
};

/// How all honest nodes that are up see the domain.
std::vector<domain_sight> sights(const world& w);

/// Whether an honest introducer ever entered: else nobody can.
bool is_open(const world& w);

/// What is not settled yet of the domain and its topics, and which invariant that would break in the end.
std::optional<broken> unsettled(const world& w);

} // namespace hanse::sim
