// What happens when: functions by virtual time, in the order in which they were planned. Not a clock, and not the
// network's own agenda (transport/sim_network.hpp).
#pragma once

#include "hanse/protocols/envelope.hpp"

#include <algorithm>
#include <functional>
#include <vector>

namespace hanse::sim {

/// A binary heap. Entries at one time run in the order of `at` calls.
class agenda {
public:
  void at(time_ms when, std::function<void()> action) {
    heap_.push_back({when, ++order_, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end());
  }

  /// UINT64_MAX: nothing is planned.
  time_ms next() const noexcept { return heap_.empty() ? UINT64_MAX : heap_.front().when; }

  /// Takes the first out. Precondition: next() is not UINT64_MAX.
  std::function<void()> take() {
    std::pop_heap(heap_.begin(), heap_.end());
    auto action = std::move(heap_.back().action);
    heap_.pop_back();
    return action;
  }

private:
  struct entry {
    time_ms when;
    std::uint64_t order;
    std::function<void()> action;
    friend bool operator<(const entry& a, const entry& b) { // a heap has its largest first
      return a.when != b.when ? a.when > b.when : a.order > b.order;
    }
  };
  std::vector<entry> heap_;
  std::uint64_t order_ = 0;
};

} // namespace hanse::sim
