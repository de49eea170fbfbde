// The timer of an engine around a machine that says when it wants to be called next. An earlier time may be set while a
// later one is under way; CAF's delayed messages cannot be taken back, so ticks that are not needed are told apart
// here. Not the message and not the clock: the engine sends and asks.
#pragma once

#include "hanse/protocols/envelope.hpp"

#include <optional>

namespace hanse {

/// By the wall clock, which may be set back: the last tick under way always counts.
class tick_timer {
public:
  /// In how many milliseconds a tick has to be sent; nothing if one that is under way is soon enough.
  std::optional<std::uint64_t> set(std::optional<time_ms> next, time_ms now) {
    if (!next || (due_ && *due_ <= *next)) return std::nullopt;
    due_ = *next;
    ++under_way_;
    return *next > now ? *next - now : 1;
  }

  /// A tick has come. False: it was set for a later time, another one follows in time.
  bool came(time_ms now) {
    if (under_way_ > 0) --under_way_;
    if (under_way_ > 0 && due_ && now < *due_) return false;
    due_.reset();
    return true;
  }

private:
  std::optional<time_ms> due_;
  std::size_t under_way_ = 0;
};

} // namespace hanse
