// How code outside of any actor waits until an actor's state has become what it wants: the actor says that something
// changed, the waiting thread looks again. Not installed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace hanse::internal {

/// Thread-safe.
class change_signal {
public:
  /// Something may be different now. By the actor.
  void raise() {
    {
      std::lock_guard guard{mutex_};
      ++changes_;
    }
    changed_.notify_all();
  }

  /// Calls `done` now and after each change, until it returns true. False: it did not within `timeout_ms`.
  template <class F>
  bool wait(std::uint32_t timeout_ms, F done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{timeout_ms};
    for (;;) {
      std::unique_lock lock{mutex_};
      const auto seen = changes_;
      lock.unlock(); // `done` asks the actor
      if (done()) return true;
      lock.lock();
      if (!changed_.wait_until(lock, deadline, [&] { return changes_ != seen; })) return false;
    }
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ = 0;
};

} // namespace hanse::internal
