// Message ids of one node: microseconds of its clock, corrected so that they strictly increase, across restarts too.
// Not a clock: `now` is given. Not the replay check (replay_window.hpp), whose floors it keeps its ids above.
// A durable lease lies ahead of every id handed out; a restart begins above it, whatever the clock says then.
#pragma once

#include "hanse/protocols/codec.hpp"
#include "hanse/protocols/envelope.hpp"

#include <optional>

namespace hanse {

/// Microseconds since the Unix epoch, from an injected clock.
using time_us = std::uint64_t;

/// How far a lease reaches beyond the id that asked for it; a guess: one small write every 5 s at most.
inline constexpr std::uint64_t message_lease_us = 10'000'000;

/// What counts of the highest lease ever stored, at the start of a life. A lease further ahead than any right clock
/// would have put it (a peer's floor, then one lease) stems from a life whose clock was wrong: ids above it would be
/// refused by everyone whose clock is right. Then it is now + clock_skew_max_ms / 2: above all that was sent at the
/// right time, and acceptable to peers. The store must keep the highest lease: a clock that is behind for one life must
/// not lower it.
message_id lease_at_start(message_id durable_lease, time_us now) noexcept;

/// Hands out message ids. One per node; not thread-safe; O(1), no allocation.
///
///     message_clock clock{lease_at_start(stored_lease, now)};   // 0 on a new node
///     if (auto lease = clock.lease_to_persist(now)) write(*lease), then clock.persisted(*lease);
///     auto id = clock.next(now);                                // empty only while the first write is under way
class message_clock {
public:
  /// `durable_lease`: the last lease written in an earlier life, 0 if none. All ids will be above it.
  explicit message_clock(message_id durable_lease = 0) noexcept;

  /// The next id: max(last + 1, now), but never above the durable lease, where ids fall behind the clock instead.
  /// Empty when even last + 1 is above the lease: call again after `persisted`. Happens at the start, after a raise by
  /// more than the lease, and when the disk stalls while message_lease_us/2 ids are used up.
  std::optional<message_id> next(time_us now) noexcept;

  /// A peer announced that it refuses ids up to `floor`: ids will be above min(floor, now + clock_skew_max_ms).
  /// Returns whether all of the floor was taken.
  bool raise_to(message_id floor, time_us now) noexcept;

  /// The lease to write now, if one is due: half of the last one is used up, and ids were handed out since it was asked
  /// for, so that an idle node writes nothing. Each value is returned once.
  std::optional<message_id> lease_to_persist(time_us now) noexcept;

  /// `lease` is durable. Ids up to it may be handed out.
  void persisted(message_id lease) noexcept;

  message_id last() const noexcept { return last_; }

private:
  message_id last_;
  message_id durable_;
  message_id asked_;
  bool used_ = true; ///< since the last lease was asked for
};

} // namespace hanse
