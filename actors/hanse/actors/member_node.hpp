// A node with its domains and its topics, for programs that take part in domains: the three are started, spoken and let
// go together. Not a fourth thing: use its parts. A program that needs only a node starts only that (node.hpp).
//
//   auto m = hanse::member_node::start(system, {.name = "alice", .listen = {"tls://127.0.0.1:0"}});
//   m->domains->enter({advert, {}, "", ""});
//   m->domains->await_members(advert.value.domain, 1);
#pragma once

#include "hanse/actors/topics.hpp"

namespace hanse {

/// Its members go in reverse order: topics, domains, node; the node's destructor stops it.
struct member_node {
  std::unique_ptr<hanse::node> node;
  std::unique_ptr<node_domains> domains;
  std::unique_ptr<node_topics> topics;

  /// Errors: those of node::start, node_domains::start and node_topics::start.
  static expected<member_node> start(caf::actor_system& system, node_options options, domain_options d = {},
                                     topic_options t = {}) {
    for (auto& p : domain_node_protocols()) options.speaks.push_back(p);
    for (auto& p : topic_node_protocols()) options.speaks.push_back(p);
    member_node m;
    HANSE_TRY(m.node, hanse::node::start(system, std::move(options)));
    HANSE_TRY(m.domains, node_domains::start(*m.node, std::move(d)));
    HANSE_TRY(m.topics, node_topics::start(*m.node, *m.domains, std::move(t)));
    return m;
  }
};

} // namespace hanse
