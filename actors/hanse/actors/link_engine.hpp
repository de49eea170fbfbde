// The actor around one link: signs and seals what goes out, opens and verifies what comes in, off the router's thread.
// Batches are whatever queued while the last one was being signed: no added delay when idle (design section 5). The
// socket is the socket actor's; for mem:// the far link is written to directly.
#pragma once

#include "hanse/actors/interfaces.hpp"
#include "hanse/actors/services.hpp"
#include "hanse/actors/socket_engine.hpp"
#include "hanse/transport/link.hpp"
#include "hanse/transport/tls_session.hpp"

#include <caf/stateful_actor.hpp>

#include <deque>
#include <set>

namespace hanse {

inline constexpr std::size_t link_queue_octets_max = 64 << 20; ///< octets that wait for that: then `queue_full`
inline constexpr std::size_t link_under_way_max = 4 << 20; ///< octets received and not handled before reading pauses
inline constexpr std::size_t recent_payloads_max = 1024;   ///< payloads remembered to drop replays unverified

/// How a link reaches its far side.
struct link_wire {
  socket_actor socket; ///< with `id`; null for mem://
  std::uint64_t id = 0;
};

struct link_peers {
  router_actor router;
  identity_store_actor identities;
  transport_actor transport;
};

class link_engine {
public:
  using pointer = link_actor::pointer;
  static inline const char* name = "hanse.link";

  link_engine(pointer self, services_ptr services, link_role role, std::shared_ptr<const tls_context> tls,
              link_config config, link_wire wire, link_peers peers);

  link_actor::behavior_type make_behavior();

private:
  void take(std::vector<outbound> messages);
  void give_back_queue();
  void send_queued();
  bool send_group(link_effects& effects);
  bool sent(const expected<unit>& result, std::size_t count);
  template <class F>
  void run(F input);
  void perform(link_effects& effects);
  void open_payload(shared_bytes payload);
  void remember(const digest& root);
  void write(bytes& octets);
  void give_back(std::uint64_t octets);
  void schedule_tick();
  void measure();
  void end(const error& why);

  pointer self_;
  services_ptr services_;
  link_wire wire_;
  link_peers peers_;
  hanse::link link_;
  identity peer_;

  std::deque<outbound> queue_;
  std::size_t queue_octets_ = 0;
  std::uint64_t messages_in_ = 0, messages_out_ = 0;
  bool flush_sent_ = false;
  bool advertised_ = false; ///< the far side has our adverts: until then messages wait, none overtakes its source's
  std::size_t under_way_ = 0;
  bool paused_ = false, up_ = false, ended_ = false;
  bool active_ = false;       ///< a message passed since the last report
  caf::strong_actor_ptr far_; ///< mem://
  std::set<digest> recent_;
  std::deque<digest> recent_order_;
  std::optional<time_ms> timer_;
  time_ms measured_ms_ = 0;
};

} // namespace hanse
