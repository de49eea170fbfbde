// One reliable stream at its sender: the messages that are not settled, and its retransmission timing.
// Data with small invariants of its own; reliable_sender.cpp moves it. Not installed.
#pragma once

#include "hanse/protocols/internal/stream_key.hpp"
#include "hanse/protocols/reliable_unicast.hpp"

#include <deque>

namespace hanse::internal {

enum class out_state : std::uint8_t {
  queued,    ///< never transmitted
  in_flight, ///< transmitted, not known to have arrived
  held,      ///< the destination has it
  settled,   ///< confirmed or failed by the destination; waits for its turn to leave the front
  abandoned, ///< given up here; the destination must be told to skip it
};

struct out_message {
  std::shared_ptr<envelope> message;                   ///< null once settled or abandoned
  std::shared_ptr<const std::vector<causal_dep>> past; ///< captured at send; null: none, or filled in already
  std::vector<std::uint32_t> unsettled; ///< indices into past, found live so far; one too many while it waits
  std::uint32_t looked_at = 0;          ///< those before this index are settled or in `unsettled`
  time_ms expires_ms = 0;
  time_ms sent_ms = 0;      ///< last transmission
  std::uint64_t order = 0;  ///< among all messages of its engine
  std::uint32_t size = 0;   ///< octets of the body
  std::uint32_t charge = 0; ///< the same and the captured past: what it costs to keep
  std::uint32_t transmissions = 0;
  out_state state = out_state::queued;

  bool live() const noexcept { return state <= out_state::held; }
};

/// Retransmission timeout of RFC 6298, in integers: srtt scaled by 8, rttvar by 4, as in Jacobson's own code.
struct rtt_estimate {
  std::uint32_t srtt8 = 0; ///< 0: nothing measured yet
  std::uint32_t rttvar4 = 0;
  std::uint32_t backoff = 0; ///< doublings since the last progress

  void sample(std::uint64_t rtt_ms) noexcept;
  std::uint32_t srtt_ms() const noexcept { return srtt8 / 8; }

  /// The timeout, backed off and within the bounds, without jitter.
  std::uint32_t timeout_ms(const reliable_config& config) const noexcept;
};

struct out_stream : timed {
  stream_key key;
  std::uint64_t epoch = 0;
  std::uint64_t base = 1;           ///< seq of messages.front()
  std::uint64_t next_tx = 1;        ///< the first seq that was never looked at for transmission
  std::uint64_t transmitted = 0;    ///< the highest seq that was ever transmitted
  std::uint64_t acked = 0;          ///< all seq up to this are settled at the destination
  std::deque<out_message> messages; ///< base, base + 1, …
  std::size_t live = 0;             ///< of them, neither settled nor abandoned
  std::size_t octets = 0;           ///< charged for live messages
  std::size_t flight_octets = 0;    ///< of live, transmitted bodies
  rtt_estimate rtt;
  time_ms retry_at = 0;  ///< 0: nothing in flight
  time_ms expiry_at = 0; ///< no live message expires before; 0: none
  time_ms idle_at = 0;   ///< when to close, while nothing is under way
  time_ms skip_sent_ms = 0;
  bool skip_due = false; ///< the destination may not know that seq below base are not coming
  bool reachable = true;

  std::uint64_t own_changes = 0;    ///< changes to its own entry in the context
  std::uint64_t snapshot_stamp = 0; ///< changes of the context, but for those, when the snapshot was taken
  std::shared_ptr<const std::vector<causal_dep>> snapshot;
  bool snapshot_taken = false;

  std::uint64_t end() const noexcept { return base + messages.size(); }
  out_message& at(std::uint64_t seq) { return messages[static_cast<std::size_t>(seq - base)]; }
};

} // namespace hanse::internal
