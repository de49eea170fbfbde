// The key of a reliable stream, and a queue of timers for objects that have at most one each.
// Not installed; shared by the sending and the receiving half of reliable_unicast.
#pragma once

#include "hanse/protocols/envelope.hpp"

#include <set>

namespace hanse::internal {

struct stream_key {
  identity source;
  identity destination;
  friend auto operator<=>(const stream_key&, const stream_key&) = default;
};

struct stream_key_hash {
  std::size_t operator()(const stream_key& k) const noexcept {
    const std::hash<identity> h;
    return h(k.source) * 31 + h(k.destination); // not symmetric: a->b and b->a differ
  }
};

/// What a timer queue needs in its objects.
struct timed {
  std::uint64_t serial = 0; ///< unique; breaks ties, so that the order never depends on addresses
  time_ms scheduled = 0;    ///< 0: not in the queue
};

/// Lazy timers: moving a deadline later costs nothing, the object is looked at once too early in exchange.
template <class T>
class timer_queue {
public:
  /// Makes sure that `t` comes up at `when` or earlier.
  void wake(T& t, time_ms when) {
    if (t.scheduled != 0 && t.scheduled <= when) return;
    cancel(t);
    t.scheduled = when == 0 ? 1 : when;
    queue_.insert({t.scheduled, t.serial, &t});
  }

  void cancel(T& t) {
    if (t.scheduled != 0) queue_.erase({t.scheduled, t.serial, &t});
    t.scheduled = 0;
  }

  /// Takes out the first object that is due; null if none is.
  T* take(time_ms now) {
    if (queue_.empty() || queue_.begin()->when > now) return nullptr;
    T* t = queue_.begin()->object;
    cancel(*t);
    return t;
  }

  std::optional<time_ms> next() const {
    if (queue_.empty()) return std::nullopt;
    return queue_.begin()->when;
  }

private:
  struct entry {
    time_ms when;
    std::uint64_t serial;
    T* object;
    friend bool operator<(const entry& a, const entry& b) {
      return a.when != b.when ? a.when < b.when : a.serial < b.serial;
    }
  };
  std::set<entry> queue_;
};

} // namespace hanse::internal
