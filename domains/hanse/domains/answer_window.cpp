// The arithmetic of answer_window.hpp.
#include "hanse/domains/answer_window.hpp"

#include <algorithm>
#include <cmath>

namespace hanse {

namespace {

constexpr std::uint32_t backoff_max = 4; // doublings; a guess: links say when they break

} // namespace

void answer_window::answered(std::uint64_t units, std::uint64_t ahead, time_ms took_ms, bool sure) noexcept {
  if (!sure && measured_) {
    if (backoff_ > 0) --backoff_;
    return;
  }
  const auto took = static_cast<double>(std::max<time_ms>(took_ms, 1));
  const auto per_unit = took / static_cast<double>(std::max<std::uint64_t>(ahead, 1));
  if (!measured_) {
    measured_ = true;
    base_ms_ = srtt_ms_ = took;
    var_ms_ = took / 2;
    unit_ms_ = per_unit;
  } else {
    base_ms_ = std::min(base_ms_, took);
    var_ms_ = (3 * var_ms_ + std::abs(took - srtt_ms_)) / 4; // RFC 6298 section 2.3
    srtt_ms_ = (7 * srtt_ms_ + took) / 8;
    unit_ms_ = (7 * unit_ms_ + per_unit) / 8;
  }
  backoff_ = 0;
  // RFC 6817 section 2.4.2, gain: a window for a window. By it a window w (1: what fills the target) becomes w * (2 -
  // w) with each round of answers, which goes to 1 and never beyond.
  const auto off_target = std::max(-1.0, 1.0 - (took - base_ms_) / config_.target_ms);
  const auto next = size_ + static_cast<double>(units) * off_target;
  const auto used = std::max(size_, 2 * static_cast<double>(ahead)); // no growth by what did not need it
  size_ = std::clamp(std::min(next, used), static_cast<double>(config_.min), static_cast<double>(config_.max));
}

void answer_window::timed_out() noexcept {
  size_ = std::max(size_ / 2, static_cast<double>(config_.min));
  backoff_ = std::min(backoff_ + 1, backoff_max);
}

time_ms answer_window::timeout_ms(std::uint64_t ahead) const noexcept {
  const auto unit_ms = measured_ ? unit_ms_ : 1000.0 / static_cast<double>(config_.unmeasured_per_s);
  const auto answer_ms = measured_ ? std::max<double>(srtt_ms_ + 4 * var_ms_, config_.timeout_min_ms)
                                   : static_cast<double>(config_.timeout_initial_ms);
  const auto wait = (answer_ms + unit_ms * static_cast<double>(ahead)) * static_cast<double>(1u << backoff_);
  return static_cast<time_ms>(std::min(wait, static_cast<double>(config_.timeout_max_ms)));
}

} // namespace hanse
