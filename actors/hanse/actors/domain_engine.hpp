// The actor around a node's domains (domains/domain_node.hpp): durable writes through the store, messages through the
// router, members to the identity store, changes to listeners. Not the API for programs (domains.hpp).
#pragma once

#include "hanse/actors/domains.hpp"
#include "hanse/actors/tick_timer.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace hanse {

namespace internal {
class change_signal;
}

inline constexpr std::uint32_t domain_ttl_ms = 15'000;    ///< of bodies between members; a guess
inline constexpr std::uint32_t domain_find_ms = 10'000;   ///< then a find has failed
inline constexpr std::size_t domain_listeners_max = 1024; ///< a guess

// Archives of checkpoints; guesses. The blocks of a domain that was just joined begin a moment later.
inline constexpr std::uint32_t archive_again_ms = 500;
inline constexpr std::uint32_t archive_tries_max = 20;

/// What the node's own parts say to its domains, beside what everybody does.
using domain_engine_actor = domain_actor::extend<
    caf::result<std::vector<bytes>>(draw_atom, identity), // for a checkpoint: an encoded request, and its archive
    // an encoded request and signature; how many others are to keep the archive
    caf::result<void>(keep_atom, identity, std::vector<bytes>, uint32_t),
    caf::result<void>(register_atom, caf::strong_actor_ptr), // a block_actor, from which archives are got
    caf::result<void>(retry_atom, identity, bool)>;          // get the archive that is wanted in that domain

/// A machine that was restored, the source of its random numbers, and who waits for its changes.
struct domain_machine {
  domain_machine(const key_pair& own, domain_protocols protocols, const domain_node_config& config)
      : node(own, random, std::move(protocols), config) {}
  system_random random;
  domain_node node;
  std::shared_ptr<internal::change_signal> changes; ///< always set
};

class domain_engine {
public:
  using pointer = domain_engine_actor::pointer;
  static inline const char* name = "hanse.domains";

  domain_engine(pointer self, std::shared_ptr<node_core> core, std::shared_ptr<domain_machine> machine);

  domain_engine_actor::behavior_type make_behavior();

private:
  domain_node& node() { return machine_->node; }
  time_ms now() const { return core_->services->now_ms(); }

  void receive(const inbound& in, domain_effects& out);
  void link_up(const identity& peer);
  template <class Act>
  caf::result<void> act(Act&& act);
  caf::result<std::vector<bytes>> find(const identity& domain);
  void perform(domain_effects effects);
  void write(domain_write w);
  void tell(const identity& domain, const std::function<void(const domain_listener_actor&)>& say);
  void log(const domain_event& e);
  void found(const identity& domain);
  void schedule();

  // domain_archives.cpp
  struct archive_fetch {
    std::uint64_t number = 0;
    eris_capability content;
    std::uint32_t tries = 0;
  };
  caf::result<std::vector<bytes>> propose(const identity& domain);
  caf::result<void> checkpoint(const identity& domain, const std::vector<bytes>& signed_request,
                               std::uint32_t replicas);
  block_actor blocks() const { return caf::actor_cast<block_actor>(blocks_.lock()); }
  void spread_archive(const identity& domain, const eris_capability& content, std::uint32_t replicas);
  void follow_spread(std::uint64_t token);
  void want_archive(const domain_archive& wanted);
  void fetch_archive(const identity& domain);
  void archive_came(const identity& domain, std::uint64_t number, std::optional<shared_bytes> octets, const error& why);

  pointer self_;
  std::shared_ptr<node_core> core_;
  std::shared_ptr<domain_machine> machine_;
  bool started_ = false;
  tick_timer timer_;
  std::vector<caf::weak_actor_ptr> listeners_;
  caf::weak_actor_ptr blocks_; ///< a block_actor; null: this node has none
  std::map<identity, archive_fetch> archives_;
  std::uint64_t last_archive_ = 0;
  std::map<identity, std::vector<caf::typed_response_promise<std::vector<bytes>>>> finds_;
};

} // namespace hanse
