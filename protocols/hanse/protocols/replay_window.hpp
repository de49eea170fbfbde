// At most once for unreliable messages: which ids of each (source, destination) were seen, and a floor across restarts.
// Not for messages of reliable streams, which are retransmitted under one id: reliable_unicast.hpp refuses their
// replays. As IPsec's anti-replay window (RFC 4303 section 3.4.3), but over remembered ids in place of bits: ids are
// microseconds, so that 1024 bits would span one millisecond, and refuse whatever was reordered by more.
#pragma once

#include "hanse/protocols/envelope.hpp"

#include <unordered_map>

namespace hanse {

inline constexpr std::size_t replay_pairs_max = 65'536;  ///< (source, destination) pairs
inline constexpr std::size_t replay_ids_max = 4'194'304; ///< remembered ids over all pairs, 32 MiB; a guess
inline constexpr std::size_t replay_window_size = 1024;  ///< ids remembered per pair: at least half of it
inline constexpr std::size_t replay_window_small = 32;   ///< the same, once replay_ids_max is reached
inline constexpr std::uint64_t replay_mark_step_us =
    2'000'000; ///< how far a mark lies ahead; a guess: a write a second

/// What counts of the highest mark ever stored, at the start of a life: at most now + clock_skew_max_ms. A mark beyond
/// stems from a life whose clock was wrong. All that was accepted at the right time stays below, and peers can rise
/// above it. The store must keep the highest mark: a clock that is behind for one life must not lower it.
message_id floor_at_start(message_id durable_mark, time_ms now) noexcept;

/// What to do with a message that is not refused.
enum class replay_verdict : std::uint8_t {
  fresh, ///< never seen; it is recorded now, hand it on
  wait,  ///< above the durable mark, nothing recorded: write `mark_to_persist()`, call `persisted`, then ask again
};

/// Refuses every message seen before, in this life or an earlier one. One per node; not thread-safe.
///
/// Restarts: a durable *mark* lies above every id accepted in this life. The next life takes it as its `floor` and
/// refuses ids up to it as `replayed`. The floor is announced to peers in the link hello, and their message_clock rises
/// above it, so that honest senders lose nothing. Forged ids move the mark no further than now + clock_skew_max_ms.
///
/// Cost: one hash lookup; a known pair allocates only while its window still grows.
class replay_window {
public:
  /// `durable_mark`: `floor_at_start` of what was last written in an earlier life, 0 on a new node.
  explicit replay_window(message_id durable_mark = 0) noexcept;

  /// Judges a message whose signature is verified. Errors:
  /// `replayed`   seen before, at or below the floor, or older than all that is remembered of a full window;
  /// `clock_skew` id or expiry further in the future than clock_skew_max_ms allows (ttl_max_ms added for the expiry);
  /// `expired`    more than clock_skew_max_ms past its expiry, which is when its pair may have been forgotten;
  /// `table_full` replay_pairs_max pairs are live.
  expected<replay_verdict> accept(const identity& source, const identity& destination, message_id id,
                                  time_ms expires_ms, time_ms now);

  /// Whether `accept` would refuse the id as `replayed`; for a check before the signature. Records nothing.
  bool seen(const identity& source, const identity& destination, message_id id) const noexcept;

  /// The mark to write now, if one is due: messages came since the last one and ids come near it, or one waits. An idle
  /// node writes nothing, and the first message afterwards waits for one commit. Each value is returned once.
  std::optional<message_id> mark_to_persist(time_ms now) noexcept;

  /// `mark` is durable: messages up to it need not wait any more.
  void persisted(message_id mark) noexcept;

  /// Ids up to this are refused for all of this life; announce it to peers.
  message_id floor() const noexcept { return floor_; }

  /// Forgets pairs of which everything is expired by more than clock_skew_max_ms. Linear in the table; call it every
  /// ten seconds or so. `accept` does it by itself, at most once a second, when the table is full.
  void sweep(time_ms now);

  std::size_t size() const noexcept { return pairs_.size(); }
  std::size_t remembered_ids() const noexcept { return ids_; }

private:
  struct pair_key {
    identity source;
    identity destination;
    friend bool operator==(const pair_key&, const pair_key&) = default;
  };
  struct pair_hash {
    std::size_t operator()(const pair_key& k) const noexcept;
  };
  struct window {
    message_id low = 0;             ///< ids up to this count as seen
    time_ms expires_ms = 0;         ///< the latest of all its messages
    std::vector<message_id> recent; ///< ascending, all above low
  };
  void record(window& w, message_id id);

  std::unordered_map<pair_key, window, pair_hash> pairs_; // never iterated where the order could be seen
  message_id floor_;
  message_id durable_mark_;
  message_id asked_mark_;
  message_id wanted_ = 0; ///< the highest id accepted or waiting
  std::size_t ids_ = 0;
  bool used_ = false; ///< something was accepted since the last mark was asked for
  time_ms swept_ms_ = 0;
};

} // namespace hanse
