// The actor around a node's blocks: a storage protocol per domain (domains/storage_protocol.hpp) over one store, which
// it owns with its database; messages through the router, within the domain. It waits for the disk, so it has a thread
// of its own. Not the API for programs (blocks.hpp), which encodes content before it comes here. Design section 11.
#pragma once

#include "hanse/actors/node.hpp"
#include "hanse/actors/tick_timer.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>
#include <functional>
#include <map>
#include <set>

namespace hanse {

namespace internal {
class change_signal;
}

inline constexpr std::uint32_t block_ttl_ms = 15'000;  ///< of bodies between nodes; a guess
inline constexpr std::uint32_t block_domains_ms = 20;  ///< changes of domains are looked at together
inline constexpr std::uint32_t block_again_ms = 5'000; ///< … and our trust in members, after so long at most
inline constexpr std::uint32_t block_save_ms = 1'000;  ///< what was fetched is on disk after so long
inline constexpr std::size_t block_trees_max = 256;    ///< of topics, in one domain
inline constexpr std::size_t block_gets_max = 64;      ///< under way at this node; each holds up to 4 MiB
inline constexpr std::size_t block_spreads_max = 64;   ///< under way at this node
inline constexpr std::size_t content_ahead_max = 4 * 1024 * 1024;  ///< octets decoded before they are asked for
inline constexpr std::size_t content_whole_max = 16 * 1024 * 1024; ///< octets of content in one message
inline constexpr std::size_t block_list_max = 4096;                ///< entries in one answer
inline constexpr std::uint32_t block_verify_max = 1024;            ///< blocks read for one request, 32 MiB
inline constexpr std::size_t block_commits_max = 4096;             ///< requests that wait for the disk

/// The store and where it keeps blocks. Shared with the actor before it runs, then its own.
struct block_disk {
  std::unique_ptr<block_table> table;
  std::optional<block_store> store;
  system_random random;
};

/// What an engine is made with.
struct block_setup {
  storage_registry storage;
  std::map<identity, std::uint64_t> quotas;
  std::uint64_t quota_octets = 0;                   ///< of domains that have no own
  std::shared_ptr<internal::change_signal> changes; ///< always set; raised when members are heard
};

/// Out of what a domain_actor answers to `secret_atom`.
expected<eris_key> secret_from(const std::vector<bytes>& answer);

class block_engine {
public:
  using pointer = block_actor::pointer;
  static inline const char* name = "hanse.blocks";

  block_engine(pointer self, std::shared_ptr<node_core> core, domain_actor domains, std::shared_ptr<block_disk> disk,
               std::shared_ptr<const block_setup> setup);
  ~block_engine();

  block_actor::behavior_type make_behavior();

private:
  using done_function = std::function<void(const expected<unit>&)>;

  /// A domain of this node. Without a machine: `why`.
  struct entry {
    stack_protocol protocol;
    std::unique_ptr<storage_protocol> machine;
    std::set<identity> members;
    error why;
  };

  /// Content on its way out. One of the two promises is set when somebody waits.
  struct get_under_way {
    identity domain;
    std::unique_ptr<content_get> get;
    bytes ready;
    std::optional<error> failed;
    std::optional<caf::typed_response_promise<content_part>> waiting;
    std::optional<caf::typed_response_promise<std::vector<bytes>>> whole;
    std::uint64_t round = 0;
  };

  /// Content on its way to other members.
  struct spread_under_way {
    identity domain;
    std::unique_ptr<content_replication> machine;
    std::optional<error> failed;
    std::optional<caf::typed_response_promise<spread_state>> waiting;
    std::function<void(const spread_state&)> then; ///< set: nobody asks by token
    std::uint64_t round = 0;
  };

  time_ms now() const { return core_->services->now_ms(); }
  block_store& store() { return *disk_->store; }
  void refuse(std::string_view event, const identity& who, const error& why);

  // block_engine.cpp
  void receive(inbound& in);
  expected<entry*> open(const identity& domain);
  void go_on(const identity& domain, block_effects effects);
  void go_on_all();
  void perform(const identity& domain, entry& e, block_effects effects);
  void tick();
  void schedule();
  void flush(done_function done);
  void settle_commits();
  void fail(const error& why);
  /// An I/O error stops the node, and is told in the same words from then on.
  template <class T>
  expected<T> checked(expected<T> result) {
    if (result || result.code() != errc::io_error) return result;
    fail(result.error());
    return *failed_;
  }
  void stop();
  void send_posts();

  // block_domains.cpp
  void domains_changed();
  void look_at_domains();
  void take_domain(const domain_report& report, const std::vector<domain_member>& members);
  void take_members(const identity& domain, const std::set<identity>& members, const std::vector<peer_info>& peers);
  void leave(const identity& domain, const error& why);
  void learn(const topic_tree& tree);

  // block_content.cpp
  caf::result<void> put(const block_batch& b);
  caf::result<content_kept> put_whole(content_wish wish, bytes content);
  expected<eris_capability> encode_whole(const content_wish& wish, const bytes& content, const eris_key& secret,
                                         time_ms until);
  caf::result<std::uint64_t> begin_get(const content_get_wish& wish);
  caf::result<content_part> fetch(std::uint64_t token, std::uint32_t wait_ms);
  caf::result<std::vector<bytes>> get_whole(content_get_wish wish);
  expected<std::uint64_t> add_get(const content_get_wish& wish);
  void pump(get_under_way& g, block_effects& out);
  void answer(std::uint64_t token, bool waited_enough);
  expected<std::uint64_t> spread(const spread_wish& wish);
  caf::result<spread_state> spread_progress(std::uint64_t token, std::uint32_t wait_ms);
  void answer_spread(std::uint64_t token, bool waited_enough);
  void remove(std::uint64_t token);
  std::uint64_t own(std::uint64_t token);
  block_report report();
  caf::result<std::vector<block_entry>> list(const digest& after, std::uint32_t count);
  caf::result<verify_result> verify(const digest& after, std::uint32_t count);

  pointer self_;
  std::shared_ptr<node_core> core_;
  domain_actor domains_;
  std::shared_ptr<block_disk> disk_; // before the machines, which refer to it
  std::shared_ptr<const block_setup> setup_;
  std::map<identity, entry> entries_;
  std::map<identity, std::map<identity, std::vector<identity>>>
      trees_; ///< by domain and topic; may come before entries_
  std::map<std::uint64_t, get_under_way> gets_;
  std::map<std::uint64_t, spread_under_way> spreads_;
  std::uint64_t last_token_ = 0;
  std::map<caf::actor_addr, std::uint64_t> owners_; ///< who began something: its number
  std::map<std::uint64_t, std::set<std::uint64_t>> owned_;
  std::deque<std::pair<std::uint64_t, done_function>> commits_; ///< batch, what waits for it
  std::vector<post> posts_;
  std::optional<error> failed_;
  bool look_scheduled_ = false;
  tick_timer timer_;
  time_ms looked_ms_ = 0;
  time_ms saved_ms_ = 0; ///< when what is fetched was written to disk last
};

} // namespace hanse
