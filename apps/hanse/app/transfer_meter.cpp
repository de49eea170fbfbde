// See the header.
#include "hanse/app/transfer_meter.hpp"

#include "hanse/app/text_table.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace hanse::app {

namespace {

constexpr std::size_t bar_width = 30; // columns
constexpr double smoothing = 0.3;     // of the newest rate in the one that is shown

} // namespace

void transfer_meter::show(std::uint64_t octets, const std::string& more) {
  if (!on_) return;
  const auto now = std::chrono::steady_clock::now();
  const auto seconds = std::chrono::duration<double>(now - at_).count();
  if (seconds > 0.05 && octets >= before_) {
    const auto latest = static_cast<double>(octets - before_) / seconds;
    rate_ = rate_ == 0 ? latest : smoothing * latest + (1 - smoothing) * rate_;
    before_ = octets;
    at_ = now;
  }
  out_ << "\r\x1b[K"; // from here to the end of the line
  if (expected_ != 0) {
    const auto part = std::min(1.0, static_cast<double>(octets) / static_cast<double>(expected_));
    const auto full = static_cast<std::size_t>(part * bar_width);
    out_ << '[' << std::string(full, '#') << std::string(bar_width - full, '-') << "] " << static_cast<int>(part * 100)
         << "%  ";
  }
  out_ << size_text(octets) << "  " << size_text(static_cast<std::uint64_t>(rate_)) << "/s";
  if (!more.empty()) out_ << "  " << more;
  out_ << std::flush;
  shown_ = true;
}

void transfer_meter::clear() {
  if (std::exchange(shown_, false)) out_ << "\r\x1b[K" << std::flush;
}

} // namespace hanse::app
