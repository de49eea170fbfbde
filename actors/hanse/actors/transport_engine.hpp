// The transport: listens, dials, and keeps one link a peer, by the policy of transport/pool.hpp. Spec "Transport". It
// looks into no message; once a link is up the router sends to it directly. tls://, unix:// and mem:// are opened here,
// further transports come in beside them.
#pragma once

#include "hanse/actors/link_engine.hpp"
#include "hanse/transport/pool.hpp"

#include <caf/stateful_actor.hpp>

#include <mutex>

namespace hanse {

/// The in-memory network of one process behind mem://: names to transports. Thread-safe; shared by the nodes that are
/// to reach each other.
class mem_network {
public:
  /// Errors: `already_exists`.
  expected<unit> listen(const std::string& name, transport_actor transport);
  void forget(const std::string& name);
  /// Null if nobody listens there.
  transport_actor find(const std::string& name) const;

  /// What a link at `from` writes to in place of the link `target` at `to`: a link_actor that passes octets and the end
  /// on. For tests, to be set before the first node starts; by default the target itself.
  using wire = std::function<caf::strong_actor_ptr(const std::string& from, const std::string& to,
                                                   const caf::strong_actor_ptr& target)>;
  wire between = [](auto&, auto&, auto& target) { return target; };

private:
  mutable std::mutex mutex_;
  std::map<std::string, transport_actor> names_;
};

struct transport_options {
  pool_config pool;
  link_config link; ///< for every link; peer and hello's life are filled in
  std::shared_ptr<const tls_context> tls;
  std::shared_ptr<mem_network> memory; ///< null: no mem://
  int dial_timeout_ms = 10'000;
};

/// The transport is spawned before the actors it talks to, so these come by a shared struct, filled before any message.
struct transport_peers {
  router_actor router;
  identity_store_actor identities;
  socket_actor sockets;
};

class transport_engine {
public:
  using pointer = transport_actor::pointer;
  static inline const char* name = "hanse.transport";

  transport_engine(pointer self, services_ptr services, transport_options options,
                   std::shared_ptr<transport_peers> peers);

  transport_actor::behavior_type make_behavior();

private:
  expected<std::string> listen(const std::string& text);
  void send(const identity& peer, std::vector<outbound> messages);
  void with_addresses(const identity& peer, std::function<void()> then);
  void dial(const pool_effects::dial_request& request);
  void dialled(link_id id, int fd, const error& why);
  link_actor spawn_link(link_id id, link_role role, const std::optional<identity>& peer, socket_actor socket);
  void on_link(const link_event& e);
  void check_peer(const identity& peer);
  void tell_adverts(const identity& peer, link_id id, link_event up);
  void perform(pool_effects effects);
  void schedule_tick();

  struct link_entry {
    link_actor handle;
    link_event up; ///< once it is
    bool is_up = false;
    bool told = false; ///< our adverts have been sent on it, all that there were
  };

  pointer self_;
  services_ptr services_;
  transport_options options_;
  std::shared_ptr<transport_peers> peers_;
  pool pool_;
  std::uint64_t life_ = 0;
  std::map<link_id, link_entry> links_;
  std::map<identity, link_id> announced_; ///< the link that the router was told of, by peer
  std::map<link_id, identity> dialling_;
  std::set<identity> banned_;
  std::vector<std::string> mem_names_;
  std::vector<std::string> unix_paths_;
  std::optional<time_ms> timer_;
  bool stopping_ = false;
};

} // namespace hanse
