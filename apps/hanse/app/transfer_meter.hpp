// One line that says how far a transfer is: a bar where the size is known, the rate, the sources. On a terminal only.
// Not a log. The line is written over again and again, and gone when the meter is.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace hanse::app {

class transfer_meter {
public:
  /// `on`: whether to print anything. `out` outlives it.
  transfer_meter(std::ostream& out, bool on) : out_(out), on_(on) {}
  ~transfer_meter() { clear(); }
  transfer_meter(const transfer_meter&) = delete;
  transfer_meter& operator=(const transfer_meter&) = delete;

  /// All that will come; 0: not known.
  void expect(std::uint64_t octets) { expected_ = octets; }

  /// So many octets of it are done; `more`: what else to say.
  void show(std::uint64_t octets, const std::string& more);
  void clear();

private:
  std::ostream& out_;
  bool on_;
  bool shown_ = false;
  std::uint64_t expected_ = 0;
  std::uint64_t before_ = 0;
  double rate_ = 0; ///< octets a second, smoothed
  std::chrono::steady_clock::time_point at_ = std::chrono::steady_clock::now();
};

} // namespace hanse::app
