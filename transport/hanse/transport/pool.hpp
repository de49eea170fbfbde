// The connection pool: which links to open, keep and close, and where messages wait for them. A policy machine.
// Not the links themselves (link.hpp), not sockets, and not which node to send to (protocols/). Design section 6.
//
// Links are named by the pool: `dial` effects carry a new id, `accept` hands one out. The shell reports each link's
// `link_up` and, exactly once whatever happened to it, `link_closed`.
#pragma once

#include "hanse/transport/outbound.hpp"
#include "hanse/transport/secure_session.hpp"
#include "hanse/transport/selection.hpp"

#include <deque>

namespace hanse {

/// Names a link within one pool; never reused. 0: none.
using link_id = std::uint64_t;

struct pool_config {
  identity self;
  address_policy addresses;
  time_ms idle_ms = 60'000;                       ///< an ephemeral link that we dialled, without messages (brief)
  time_ms backoff_min_ms = 100;                   ///< shortest wait before a redial (brief)
  time_ms backoff_max_ms = 30'000;                ///< longest (brief)
  time_ms grace_ms = 2'000;                       ///< for a better link to replace one closed as duplicate; a guess
  time_ms forget_ms = 60'000;                     ///< how long a peer without link and messages is remembered; a guess
  time_ms evict_idle_ms = 10'000;                 ///< links this long without messages make room for new ones; a guess
  std::size_t queue_messages_max = 1024;          ///< per peer (brief)
  std::size_t queue_octets_max = 8 * 1024 * 1024; ///< per peer (brief)
  std::size_t handshakes_max = 64;                ///< under way, incoming and outgoing (brief)
  std::size_t handshakes_max_each_way = 48;       ///< so that neither direction starves the other; a guess
  std::size_t links_max = 4096;                   ///< handshakes included (brief)
  std::size_t peers_max = 16384;                  ///< remembered, with or without link; a guess
  std::size_t link_budget = 1024 * 1024;          ///< octets handed to a new link before `set_budget` is called
};

/// What to do after a call, in the order of the members. Calls append; the caller clears.
struct pool_effects {
  struct dropped_message {
    outbound message;
    error why; ///< `queue_full`, `expired`, `unreachable` (expired while dials failed), `no_address`, what `disconnect`
               ///< or `shutdown` was told
  };
  struct transmission {
    link_id link = 0;
    std::vector<outbound> messages;
  };
  struct closing {
    link_id link = 0;
    error why;
    bool graceful = false; ///< true: link::finish, nothing under way is lost; false: link::close
  };
  struct peer_change {
    identity peer;
    error why; ///< for `down`
  };
  struct dial_request {
    identity peer; ///< the expected identity
    transport_address address;
    link_id link = 0;
    bool private_allowed = false; ///< for `check_resolved`, where the host is a DNS name
  };
  struct dial_failure { ///< to be logged; the pool acts on it by itself
    identity peer;
    std::string address;
    error why;
  };

  std::vector<dropped_message> dropped;
  std::vector<transmission> transmit;
  std::vector<closing> close;
  std::vector<dial_failure> failed;
  std::vector<identity> exhausted; ///< none of that peer's addresses could be dialled; a redial is planned
  std::vector<peer_change> down;
  std::vector<peer_change> up;
  std::vector<dial_request> dial;

  void clear();
  bool empty() const noexcept;
};

struct pool_counters {
  std::map<errc, std::uint64_t> dropped;      ///< messages, by reason
  std::map<errc, std::uint64_t> dials_failed; ///< by reason
  std::map<errc, std::uint64_t> links_closed; ///< links that had been up, by reason
  std::uint64_t accepts_refused = 0;
  std::uint64_t transmitted = 0;
};

/// What the pool knows of a peer, for reports and `hanse why`.
struct peer_report {
  link_id link = 0; ///< 0: not connected
  bool dialling = false;
  bool permanent = false;
  std::string address; ///< of the link, if we dialled it
  std::size_t queued = 0;
  time_ms redial_at = 0; ///< 0: no redial is planned
  error last_error;
};

/// The pool. All times are of one clock (that of the envelopes). Not thread-safe. Exactly one link per peer stays after
/// simultaneous dials: the one dialled by the smaller identity, on both sides; a restarted peer's new link wins always.
class pool {
public:
  /// `random` must outlive the pool; used for the jitter of redials.
  pool(pool_config config, random_source& random);

  /// Remembers where `peer` is, besides what another origin says. Errors: `table_full`, `cancelled` (shut down).
  expected<unit> set_addresses(const identity& peer, std::vector<weighted_address> addresses, address_origin origin,
                               time_ms now, pool_effects& fx);

  /// Whether `peer` has a link or addresses here; if not, `set_addresses` before `send`.
  bool knows(const identity& peer) const;

  /// Sends or queues; dials if need be. Full queues drop the message given (`queue_full`).
  void send(const identity& peer, outbound message, time_ms now, pool_effects& fx);

  /// Takes back messages that a link was handed and did not send (it closed, or was full): they go first in the queue.
  /// Of a link that was full, say `set_budget(link, 0)` first, or they come again at once.
  void give_back(const identity& peer, std::vector<outbound> messages, time_ms now, pool_effects& fx);

  /// Takes messages away that wait for a link to `peer` and need none: of security any, neither ordered nor reliable.
  std::vector<outbound> take_undemanding(const identity& peer, time_ms now);

  /// A permanent link is dialled now, redialled whenever it is lost, and never closed for idleness.
  void set_permanent(const identity& peer, bool permanent, time_ms now, pool_effects& fx);

  /// Closes the link, drops the queue with `why`, and forgets the peer.
  void disconnect(const identity& peer, const error& why, time_ms now, pool_effects& fx);

  /// Ends everything, gracefully; nothing is dialled or accepted afterwards.
  void shutdown(const error& why, time_ms now, pool_effects& fx);

  /// Someone opened a stream to us. Errors: `table_full` (handshakes or links), `cancelled` (shut down): close it.
  expected<link_id> accept(time_ms now, pool_effects& fx);

  /// The link's machine is up. `life`: of the peer's hello.
  void link_up(link_id link, const identity& peer, std::uint64_t life, time_ms now, pool_effects& fx);

  /// The link is gone, or the dial failed; `why` as the link's machine or the operating system said.
  void link_closed(link_id link, const error& why, time_ms now, pool_effects& fx);

  /// A message came in over the link: it is not idle.
  void active(link_id link, time_ms now);

  /// How many more octets the link takes (link::writable_budget, less what is being signed for it). Messages wait in
  /// the queue while it is 0. Unknown links are ignored.
  void set_budget(link_id link, std::size_t octets, time_ms now, pool_effects& fx);

  void tick(time_ms now, pool_effects& fx);
  time_ms next_timer() const noexcept; ///< UINT64_MAX: never

  std::optional<link_id> link_of(const identity& peer) const;
  std::optional<identity> peer_of(link_id link) const; ///< of a link that is up or dialled
  std::optional<peer_report> report(const identity& peer) const;
  /// What a dial of `peer` would try now.
  address_selection explain(const identity& peer, const transport_preferences& wanted, time_ms now) const;
  const pool_counters& counters() const noexcept { return counters_; }
  std::size_t links() const noexcept { return links_.size(); }
  std::size_t handshakes() const noexcept { return incoming_ + outgoing_; }
  std::vector<identity> connected() const; ///< ascending

private:
  enum class stage : std::uint8_t { handshake, up, closing };
  struct link_entry {
    link_role role{};
    stage at = stage::handshake;
    identity peer; // none before an incoming link is up
    std::string address;
    std::uint64_t life = 0;
    time_ms up_since = 0;
  };
  struct peer_entry {
    std::vector<weighted_address> configured, advertised;
    std::vector<address_candidate> round; // addresses of this round of dials that are still to be tried
    std::vector<outbound> queue;
    std::size_t queued_octets = 0;
    std::size_t budget = 0; // octets that the current link takes
    link_id current = 0;
    link_id dialling = 0;
    bool permanent = false;
    bool idle_close = false; // the current link is ours to close when idle
    bool waiting = false;    // for a free handshake
    bool announced = false;  // `up` was reported and `down` was not
    unsigned rounds = 0;     // of dials that failed in a row
    time_ms last_active = 0; // a message went either way, or the caller touched the peer
    time_ms redial_at = 0;   // these four: 0 for none
    time_ms grace_until = 0;
    time_ms sweep_at = 0;
    time_ms timer = 0; // what stands in timers_
    error last_error;
  };
  using peer_map = std::map<identity, peer_entry>;
  using peer_ref = peer_map::value_type&;

  // pool.cpp: messages and links
  void hand_over(peer_entry& p, outbound message, pool_effects& fx);
  void enqueue(peer_entry& p, outbound message, pool_effects& fx);
  void flush(peer_entry& p, time_ms now, pool_effects& fx);
  void sweep(peer_entry& p, time_ms now, pool_effects& fx);
  void drop(outbound message, error why, pool_effects& fx);
  void drop_queue(peer_entry& p, const error& why, pool_effects& fx);
  void end_handshake(const link_entry& entry);
  void close_link(link_id link, const error& why, bool graceful, pool_effects& fx);
  bool fresh_survives(const link_entry& old, const link_entry& fresh) const;
  void replace(peer_ref peer, const link_entry& fresh, pool_effects& fx);
  void install(peer_ref peer, link_id link, link_entry& entry, time_ms now, pool_effects& fx);
  void lost(peer_ref peer, const link_entry& entry, const error& why, time_ms now, pool_effects& fx);
  void say_down(peer_ref peer, const error& why, pool_effects& fx);

  // pool_dialling.cpp: when to dial what, and timers
  bool idle_entry(const peer_entry& p) const;
  bool closes_idle(const peer_entry& p) const;
  bool wants_link(const peer_entry& p) const;
  address_selection select(const identity& id, const peer_entry& p, const transport_preferences& wanted,
                           time_ms now) const;
  void want_link(peer_ref peer, time_ms now, pool_effects& fx);
  void dial_next(peer_ref peer, time_ms now, pool_effects& fx);
  void dial_failed(peer_ref peer, const link_entry& entry, const error& why, time_ms now, pool_effects& fx);
  void plan_redial(peer_entry& p, time_ms now);
  bool dial_slot_free() const;
  void serve_waiting(time_ms now, pool_effects& fx);
  void make_room(time_ms now, pool_effects& fx);
  void on_timer(peer_ref peer, time_ms now, pool_effects& fx);
  time_ms due(const peer_entry& p) const;
  void rearm(peer_ref peer);

  pool_config config_;
  random_source& random_;
  peer_map peers_;
  std::map<link_id, link_entry> links_;
  std::set<std::pair<time_ms, identity>> timers_;
  std::deque<identity> waiting_; // for a free handshake, first come first served; some may not wait any more
  failure_book failures_;
  pool_counters counters_;
  link_id next_link_ = 1;
  std::size_t incoming_ = 0; // handshakes under way
  std::size_t outgoing_ = 0;
  bool stopped_ = false;
};

} // namespace hanse
