// The receiving half of reliable_unicast: order, causal waiting, marks before delivery, acks. Not installed.
// Not the engine's context (engine_pasts.hpp), into which released messages' deps are merged.
#pragma once

#include "hanse/protocols/internal/engine_pasts.hpp"
#include "hanse/protocols/internal/in_stream.hpp"

#include <deque>

namespace hanse::internal {

inline constexpr std::uint32_t stall_retry_ms = 50; ///< how often a message that waits for room is looked at; a guess

class reliable_receiver {
public:
  reliable_receiver(const reliable_config& config, engine_pasts& pasts, reliable_stats& stats)
      : config_(config), pasts_(pasts), stats_(stats) {}

  expected<unit> restore(byte_view key, byte_view value);

  expected<unit> receive(envelope message, time_ms now, unicast_effects& out);
  expected<unit> refuse(const envelope& message, errc why, time_ms now, unicast_effects& out);
  void receive_skip(const stream_key& key, const unicast_skip& skip, time_ms now, unicast_effects& out);

  /// Those of the marks that will not be delivered to `destination` any more, durably so.
  unicast_settled answer(const identity& destination, const unicast_probe& probe, time_ms now) const;

  /// Whether a dependency of a message to `dep.destination` has been handed on durably, or never will be.
  bool is_delivered(const causal_dep& dep, time_ms now) const;

  void persisted(std::uint64_t token, time_ms now, unicast_effects& out);
  void handled(const stream_ref& message, errc result, time_ms now, unicast_effects& out);
  void engine_removed(const identity& engine, time_ms now, unicast_effects& out);

  void flush(time_ms now, unicast_effects& out);
  void tick(time_ms now, unicast_effects& out);
  std::optional<time_ms> next_timer() const;

private:
  enum class verdict : std::uint8_t { release, expired, wait, stall };
  struct mark {
    stream_key key;
    std::uint64_t epoch;
    std::uint64_t next;
  };
  struct commit {
    std::uint64_t token = 0;
    std::vector<envelope> messages;
    std::vector<mark> marks;
  };

  in_stream* find(const stream_key& key);
  in_stream* open(const stream_key& key, std::uint64_t epoch);
  void forget(in_stream& s, time_ms now);
  void begin_epoch(in_stream& s, std::uint64_t epoch, time_ms now, unicast_effects& out);
  void retain(in_stream& s, time_ms expires_ms, time_ms now);

  expected<unit> check(const envelope& m, time_ms now) const;
  expected<in_stream*> stream_of(const envelope& m, time_ms now, unicast_effects& out);
  void skip_head(in_stream& s, errc why, time_ms now, unicast_effects& out);
  expected<unit> arrive(in_stream& s, envelope m, time_ms now, unicast_effects& out);
  expected<unit> hold(in_stream& s, envelope m, time_ms now);
  verdict judge(in_stream& s, const envelope& m, time_ms now);
  bool released_here(const causal_dep& dep, time_ms now);
  bool step(in_stream& s, envelope& m, time_ms now, unicast_effects& out);
  void release(in_stream& s, envelope m, time_ms now, unicast_effects& out);
  void advance(in_stream& s, time_ms now, unicast_effects& out);
  void wait_on(in_stream& s, const stream_key& key);
  void stop_waiting(in_stream& s);
  void notify(const stream_key& key);
  void run_ready(time_ms now, unicast_effects& out);
  void unstall(time_ms now, unicast_effects& out);

  void drop(in_stream& s, std::map<std::uint64_t, envelope>::iterator it, errc why, unicast_effects& out);
  void drop_pending(in_stream& s, std::uint64_t below, errc why, unicast_effects& out);
  void drop_expired(in_stream& s, time_ms now, unicast_effects& out);
  void skip_to(in_stream& s, std::uint64_t floor);
  void make_dirty(in_stream& s, time_ms now);
  void close_commit(unicast_effects& out);
  void queue_ack(in_stream& s, bool soon);
  void send_ack(in_stream& s, unicast_effects& out);
  void schedule(in_stream& s, time_ms now);

  const reliable_config& config_;
  engine_pasts& pasts_;
  reliable_stats& stats_;
  std::unordered_map<stream_key, in_stream, stream_key_hash> streams_; // never iterated
  std::map<identity, std::set<identity>> by_destination_;              ///< destination -> sources
  std::map<stream_key, std::set<stream_key>> waiters_; ///< stream -> streams whose head depends on it; one entry each
  std::set<stream_key> stalled_;
  std::deque<stream_key> ready_;    ///< to be looked at again; empty between calls
  std::vector<stream_key> to_ack_;  ///< in order of arrival
  std::vector<stream_key> dirty_;   ///< records to write with the next commit
  std::vector<stream_key> erased_;  ///< records to erase with the next commit
  std::vector<envelope> releasing_; ///< of the open commit
  std::deque<commit> committing_;
  std::uint64_t tokens_ = 0;
  time_ms write_at_ = 0; ///< when records must be written though nothing is released; 0: nothing to write
  timer_queue<in_stream> timers_;
  std::uint64_t serials_ = 0;
};

} // namespace hanse::internal
