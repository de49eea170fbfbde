// How much may be under way to one member and not answered: so much that it is kept busy, and so little that what waits
// in the queue of a slow link delays others by about half a second. Not a rate (rate_limiter.hpp), and no messages.
// Source: LEDBAT (RFC 6817), whose delay is here the answer's; the gain is larger, so that an idle link doubles it with
// each answer. Time-outs by RFC 6298, plus what the measured throughput says of what is ahead. Sans-IO.
#pragma once

#include "hanse/protocols/envelope.hpp"

#include <cstdint>

namespace hanse {

/// Bounds and times. A unit is what the owner counts: octets, or blocks.
struct answer_window_config {
  std::uint64_t initial = 1, min = 1, max = 1;
  std::uint64_t unmeasured_per_s = 1;      ///< units; a guess of a slow link, until there is an answer
  std::uint32_t target_ms = 500;           ///< that answers may wait in queues; five times RFC 6817's 100: a guess
  std::uint32_t timeout_initial_ms = 1000; ///< RFC 6298 section 2.1, beside the time of what is ahead
  std::uint32_t timeout_min_ms = 200;
  std::uint32_t timeout_max_ms = 60'000; ///< RFC 6298 section 2.5 allows no less
};

/// The window towards one member. Its owner knows what is under way.
class answer_window {
public:
  answer_window() = default;
  explicit answer_window(const answer_window_config& config)
      : config_(config), size_(static_cast<double>(config.initial)) {}

  /// Units that may be under way together.
  std::uint64_t size() const noexcept { return static_cast<std::uint64_t>(size_); }

  /// `units` were answered `took_ms` after they were first sent, as the last of `ahead` under way then. `sure`: they
  /// were sent once. Else nothing is measured by it (Karn's rule), unless there is nothing better.
  void answered(std::uint64_t units, std::uint64_t ahead, time_ms took_ms, bool sure) noexcept;

  /// Nothing came in time.
  void timed_out() noexcept;

  /// How long to wait for an answer to what is sent with `ahead` units under way, itself among them.
  time_ms timeout_ms(std::uint64_t ahead) const noexcept;

  /// The path is a new one.
  void restart() noexcept { *this = answer_window{config_}; }

private:
  answer_window_config config_;
  double size_ = 1; ///< units; parts of one add up
  bool measured_ = false;
  double base_ms_ = 0;              // least time of an answer: without queues
  double srtt_ms_ = 0, var_ms_ = 0; // RFC 6298
  double unit_ms_ = 0;              // time of an answer over what was under way: no less than a unit takes
  std::uint32_t backoff_ = 0;       // doublings, until an answer is measured
};

} // namespace hanse
