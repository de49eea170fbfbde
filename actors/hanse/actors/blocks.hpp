// The blocks of a running node, for programs: put content into a domain, get it anywhere in the domain. Start here.
// Not the machines (domains/block_exchange.hpp, domains/content_transfer.hpp). docs/blocks.md says what is promised.
//
//   auto b = hanse::node_blocks::start(*n, *domains, {.directory = "data"});
//   auto kept = b->put({.domain = lab, .replicas = 3}, read);       // durable here and at three others
//   b->get({.domain = lab, .content = kept->content}, write);      // from as many members as have it
#pragma once

#include "hanse/actors/domains.hpp"

namespace hanse {

namespace internal {
class change_signal;
}

struct block_options {
  std::filesystem::path directory = {};                   ///< blocks.db is made there; empty: in memory only
  storage_registry storage = storage_registry::builtin(); ///< what a domain may name; `teach` it to the domains, too
  std::map<identity, std::uint64_t> quotas = {};          ///< octets, by domain
  block_store_config store = {};
  const char* vfs = nullptr; ///< for tests: an SQLite VFS that meets faults
};

/// To be in `node_options::speaks` of a node with blocks.
std::vector<protocol_id> block_node_protocols(const storage_registry& storage = storage_registry::builtin());

/// Fills the span with the next octets and says how many they are; 0: the end. May wait.
using content_source = std::function<expected<std::size_t>(std::span<std::byte>)>;

/// Takes the next octets. May wait: then no more are fetched than fit in a few MiB.
using content_sink = std::function<expected<unit>(byte_view)>;

/// How far a put is.
struct put_progress {
  std::uint64_t octets = 0; ///< of content that were read
  std::vector<content_replica> replicas;
};

/// Called several times a second while something is under way; false: give up (`cancelled`).
using put_watch = std::function<bool(const put_progress&)>;
using get_watch = std::function<bool(const content_progress&)>;

/// Lives as long as it is wanted, and no longer than the node and its domains. Thread-safe; calls wait for the node's
/// actors and may not come from one of them: those send to `handle` (block_actor, interfaces.hpp).
class node_blocks {
public:
  /// Errors: `io_error` (the database; the detail says what is wrong), those of node::register_service.
  static expected<std::unique_ptr<node_blocks>> start(node& n, node_domains& domains, block_options options);

  /// Waits until everything is on disk and the file is closed.
  ~node_blocks();
  node_blocks(const node_blocks&) = delete;
  node_blocks& operator=(const node_blocks&) = delete;

  /// Keeps content: returns when it is durable here, and put at as many members as wished or as there are. Encodes in
  /// the calling thread; memory: a few MiB. Errors: `not_found` (not in that domain), `table_full` (quota), `io_error`
  /// (the node stops), the source's, `cancelled`.
  expected<content_kept> put(const content_wish& wish, const content_source& source, const put_watch& watch = {});
  expected<content_kept> put(const content_wish& wish, byte_view content);

  /// Gets content, in order: what is here from the store, the rest from several members at once. What was fetched stays
  /// for a day (fetch_lease_s), so an interrupted get does not fetch it again. Memory: about 20 MiB.
  /// Errors: `not_found` (not in that domain; nobody has a block), `too_long` (above size_max), those of
  /// eris_decoder::provide (a damaged capability), the sink's, `cancelled`.
  expected<content_progress> get(const content_get_wish& wish, const content_sink& sink, const get_watch& watch = {});

  /// All of it in memory. Errors: also `too_long` above `size_max` octets.
  expected<bytes> get(const identity& domain, const eris_capability& content, std::size_t size_max);

  /// Waits until `members` of the domain, this node among them, exchange blocks here. Errors: why they do not;
  /// `timed_out`, saying how far it got.
  expected<unit> await_members(const identity& domain, std::size_t members, std::uint32_t timeout_ms = 20'000);

  expected<block_report> report();

  /// Blocks in the order of their names, from behind `after` (zeros: the first); none: there are no more.
  expected<std::vector<block_entry>> list(const digest& after, std::uint32_t count);

  /// Ends leases that are over now, and removes blocks without any; how many leases. Happens by itself, too.
  expected<std::uint64_t> collect();

  /// Reads and hashes every block; damaged ones are no longer served, and fetched again from others.
  /// `watch` as above, with what was checked so far.
  expected<verify_result> verify(const std::function<bool(const verify_result&)>& watch = {});

  const block_actor& handle() const noexcept { return actor_; }

private:
  node_blocks(std::shared_ptr<node_core> core, domain_actor domains, block_actor actor,
              std::shared_ptr<internal::change_signal> changes)
      : core_(std::move(core)), domains_(std::move(domains)), actor_(std::move(actor)), changes_(std::move(changes)) {}
  expected<eris_key> secret_of(const content_wish& wish);

  std::shared_ptr<node_core> core_;
  domain_actor domains_;
  block_actor actor_;
  std::shared_ptr<internal::change_signal> changes_;
};

} // namespace hanse
