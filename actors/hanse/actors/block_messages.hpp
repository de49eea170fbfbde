// What is said to a node's blocks (block_engine.hpp): wishes to keep and to get content, and reports. In one process
// only. Not the messages between members (domains/block_message.hpp).
#pragma once

#include "hanse/domains/content_transfer.hpp"

namespace hanse {

/// How content is to be kept.
struct content_wish {
  identity domain;
  bool is_private = false;    ///< under a random secret: not even members can recognise it
  std::uint64_t lease_ms = 0; ///< from now; 0: for ever here, at others as long as they permit
  std::uint32_t replicas = 0; ///< other members that are to keep it, too
};

/// Content that is durable here, and who else keeps it. Fewer replicas than wished: `last_refusal` may say why.
struct content_kept {
  eris_capability content;
  std::uint64_t octets = 0;
  time_ms until = 0; ///< lease_forever: no end
  std::vector<content_replica> replicas;
  error last_refusal;
};

/// Blocks of content that is encoded elsewhere in this process, by an eris_encoder: their names are believed.
struct block_batch {
  identity domain;
  time_ms until = 0;
  eris_block_size size = eris_block_size::large;
  std::vector<digest> names;
  bytes octets; ///< of the blocks, one after the other
};

/// Put what is here at so many other members.
struct spread_wish {
  identity domain;
  eris_capability content;
  std::uint32_t replicas = 1;
  time_ms until = 0;
};

struct spread_state {
  bool done = false;
  std::vector<content_replica> replicas;
  error last_refusal;
};

struct content_get_wish {
  identity domain;
  eris_capability content;
  std::vector<identity> providers = {}; ///< members said to have it; may be empty
  std::uint64_t offset = 0;
  std::uint64_t size_max = 1ull << 40;
};

/// The next octets of content. None and not done: nothing came within the time.
struct content_part {
  bytes octets;
  bool done = false;
  content_progress progress;
};

/// With whom this node is connected in the tree of a topic, along which searches go; none: it takes no part any more.
struct topic_tree {
  identity domain, topic;
  std::vector<identity> neighbours;
};

/// One block, for `hanse block ls`.
struct block_entry {
  block_info info;
  std::vector<block_lease> leases;
};

/// Blocks of one domain, for `hanse block stat`.
struct block_domain_report {
  identity domain;
  std::string protocol; ///< by which its members exchange blocks; empty: this node is not in it
  error why;            ///< why they do not, here
  std::size_t members = 0;
  domain_usage usage;
  std::uint64_t quota_octets = 0;
  storage_stats stats;
  std::size_t trees = 0; ///< of topics, along which searches go
};

struct block_report {
  std::vector<block_domain_report> domains;
  block_store_stats store;
  std::size_t gets = 0, spreads = 0; ///< under way
};

struct verify_result {
  std::uint64_t checked = 0, corrupt = 0;
  digest last;           ///< where to go on
  bool complete = false; ///< there are no more
};

} // namespace hanse
