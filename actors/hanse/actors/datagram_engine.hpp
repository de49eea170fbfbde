// The actor around a node's datagram links (transport/datagram_link.hpp): dials and accepts DTLS sessions, signs and
// verifies, and is the router's carrier for "dtls". Not the sockets (datagram_sockets.hpp), not the choice between
// this and a link (transport/ways.hpp). Nothing is repeated: what a datagram loses is lost.
#pragma once

#include "hanse/actors/datagram_sockets.hpp"
#include "hanse/actors/node.hpp"
#include "hanse/actors/tick_timer.hpp"
#include "hanse/transport/datagram_link.hpp"

#include <caf/stateful_actor.hpp>

namespace hanse {

using datagram_actor =
    caf::typed_actor<caf::result<void>(identity, way, std::vector<outbound>), //
                     caf::result<void>(stop_atom),
                     caf::result<void>(received_atom, std::vector<bytes>), // by the reading thread: who, what
                     caf::result<void>(connected_atom, identity, std::vector<bytes>,
                                       error), // the addresses of a node, or why not
                     caf::result<void>(tick_atom)>;

inline constexpr std::size_t datagram_links_max = 1'024; ///< handshakes included; a guess
inline constexpr std::size_t datagram_waiting_max = 256; ///< messages for one node whose link is not up; a guess
inline constexpr std::size_t datagram_peers_max = 1'024; ///< nodes that messages wait for
inline constexpr time_ms datagram_idle_ms = 60'000;      ///< without messages; as pool_config::idle_ms

class datagram_engine {
public:
  using pointer = datagram_actor::pointer;
  static inline const char* name = "hanse.datagrams";

  datagram_engine(pointer self, std::shared_ptr<node_core> core, std::shared_ptr<datagram_sockets> sockets,
                  dtls_context context, bool private_allowed, message_id floor,
                  std::shared_ptr<std::atomic<std::size_t>> backlog);

  datagram_actor::behavior_type make_behavior();

private:
  /// By the address of the far side. `peer` is set once the link is up.
  struct entry {
    std::unique_ptr<datagram_link> machine;
    identity dialled; ///< whom we expect; none: accepted
    identity peer;
    bool introduced = false; ///< our adverts have been sent on it
    time_ms active = 0;
  };
  /// What waits for a link. Addresses that are still to be tried, the last first.
  struct waiting {
    std::vector<outbound> messages;
    std::vector<bytes> addresses;
    bool asked = false;
    error last;
  };

  time_ms now() const { return core_->services->now_ms(); }
  datagram_link_config config() const;
  void send(const identity& to, std::vector<outbound> messages);
  void find(const identity& to);
  void found(const identity& to, std::vector<bytes> addresses, const error& why);
  void dial_next(const identity& to);
  void receive(const bytes& from, const bytes& datagram);
  void accept(const bytes& from, const bytes& datagram);
  template <class F>
  void run(const bytes& address, F input);
  void perform(const bytes& address, datagram_link_effects& fx);
  void came_up(const bytes& address, entry& e, const link_up& up);
  void flush(const identity& peer);
  void open_payload(entry& e, shared_bytes payload);
  void ended(const bytes& address, const error& why);
  void give_back(std::vector<outbound> messages, const error& why);
  void tick();
  void schedule();
  void stop();

  pointer self_;
  std::shared_ptr<node_core> core_;
  std::shared_ptr<datagram_sockets> sockets_;
  dtls_context context_;
  dtls_listener listener_;
  bool private_allowed_;
  message_id floor_; ///< ids up to it are refused: the far side is told
  std::shared_ptr<std::atomic<std::size_t>> backlog_;
  std::uint64_t life_;
  std::map<bytes, entry> links_;
  std::map<identity, bytes> by_peer_; ///< links that are up
  std::map<identity, waiting> waiting_;
  tick_timer timer_;
};

} // namespace hanse
