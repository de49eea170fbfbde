// The sending half of reliable_unicast: queues, windows, retransmission, expiry, causal gating. Not installed.
// Not the causal contexts themselves (engine_pasts.hpp), which the receiving half feeds.
#pragma once

#include "hanse/protocols/internal/engine_pasts.hpp"
#include "hanse/protocols/internal/out_stream.hpp"

#include <map>

namespace hanse::internal {

inline constexpr std::size_t retry_burst_max = 16;    ///< retransmissions per timeout; a guess
inline constexpr std::uint64_t reorder_tolerance = 3; ///< later arrivals that mean loss (RFC 5681, duplicate acks)

class reliable_sender {
public:
  reliable_sender(const reliable_config& config, random_source& random, engine_pasts& pasts, reliable_stats& stats)
      : config_(config), random_(random), pasts_(pasts), stats_(stats) {}

  expected<unit> send(envelope message, time_ms now, unicast_effects& out);
  void receive_ack(const stream_key& key, const unicast_ack& ack, time_ms now, unicast_effects& out);

  void unreachable(const identity& destination);
  void reachable(const identity& destination, time_ms now, unicast_effects& out);
  void moved(const identity& destination, time_ms now, unicast_effects& out);
  void failed(const identity& destination, const error& why, unicast_effects& out);
  void engine_removed(const identity& engine, unicast_effects& out);

  /// The engine's context shrank: streams that waited for that may go on.
  void unblock(local_engine& e, time_ms now, unicast_effects& out);

  void tick(time_ms now, unicast_effects& out);
  std::optional<time_ms> next_timer() const { return timers_.next(); }

private:
  expected<unit> check_room(const out_stream* s, const envelope& message) const;
  out_stream& open(const stream_key& key, std::uint64_t epoch, time_ms now);
  void close(out_stream& s);
  std::vector<out_stream*> streams_to(const identity& destination);

  void capture(out_stream& s, out_message& m, local_engine& e);
  bool fill_deps(out_stream& s, std::uint64_t seq, time_ms now);
  void pump(out_stream& s, time_ms now, unicast_effects& out);
  void transmit(out_stream& s, out_message& m, time_ms now, unicast_effects& out);
  void send_skip(out_stream& s, time_ms now, unicast_effects& out);

  void finish(out_stream& s, out_message& m, out_state state, const error& why, unicast_effects& out);
  void settle(out_stream& s, std::uint64_t seq, errc code, unicast_effects& out);
  bool take_ack(out_stream& s, const unicast_ack& ack, time_ms now, unicast_effects& out);
  void retransmit_gaps(out_stream& s, const unicast_ack& ack, time_ms now, unicast_effects& out);
  void pop_front(out_stream& s);
  void lower_own_dep(out_stream& s);

  void expire(out_stream& s, time_ms now, unicast_effects& out);
  void retry(out_stream& s, time_ms now, unicast_effects& out);
  void arm_retry(out_stream& s, time_ms now);
  void schedule(out_stream& s, time_ms now);

  const reliable_config& config_;
  random_source& random_;
  engine_pasts& pasts_;
  reliable_stats& stats_;
  std::unordered_map<stream_key, out_stream, stream_key_hash> streams_; // never iterated
  std::map<identity, std::set<identity>> by_destination_;               ///< destination -> sources
  std::set<identity> unreachable_; ///< at most streams_max; one that does not fit is found out by timeouts
  timer_queue<out_stream> timers_;
  std::uint64_t serials_ = 0;
};

} // namespace hanse::internal
