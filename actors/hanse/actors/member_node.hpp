// A node with its domains, blocks and topics, for programs that take part in domains: they are started, spoken and let
// go together. Not one thing more: use its parts. A program that needs only a node starts only that (node.hpp).
//
//   auto m = hanse::member_node::start(system, {.name = "alice", .listen = {"tls://127.0.0.1:0"}});
//   m->domains->enter({advert, {}, "", ""});
//   m->domains->await_members(advert.value.domain, 1);
#pragma once

#include "hanse/actors/blocks.hpp"
#include "hanse/actors/topics.hpp"

namespace hanse {

/// Its parts go in reverse order, as each needs those before it; the node's destructor stops it.
struct member_node {
  std::unique_ptr<hanse::node> node;
  std::unique_ptr<node_domains> domains;
  std::unique_ptr<node_blocks> blocks;
  std::unique_ptr<node_topics> topics;

  member_node() = default;
  member_node(member_node&&) noexcept = default;
  member_node& operator=(member_node&& other) noexcept {
    topics = std::move(other.topics);
    blocks = std::move(other.blocks);
    domains = std::move(other.domains);
    node = std::move(other.node);
    return *this;
  }

  /// Blocks are kept in the node's data directory, unless `b` names another one. Errors: those of `start` of the parts.
  static expected<member_node> start(caf::actor_system& system, node_options options, domain_options d = {},
                                     topic_options t = {}, block_options b = {}) {
    for (auto& protocols : {domain_node_protocols(), topic_node_protocols(), block_node_protocols(b.storage)})
      options.speaks.insert(options.speaks.end(), protocols.begin(), protocols.end());
    b.storage.teach(d.protocols);
    if (b.directory.empty()) b.directory = options.data_dir;
    member_node m;
    HANSE_TRY(m.node, hanse::node::start(system, std::move(options)));
    HANSE_TRY(m.domains, node_domains::start(*m.node, std::move(d)));
    HANSE_TRY(m.blocks, node_blocks::start(*m.node, *m.domains, std::move(b)));
    if (!t.blocks) t.blocks = m.blocks.get();
    HANSE_TRY(m.topics, node_topics::start(*m.node, *m.domains, std::move(t)));
    return m;
  }
};

} // namespace hanse
