// SIGINT, SIGTERM and SIGHUP as something to wait for, beside an event.
// Not for other signals. Made before any other thread, so that all threads have them blocked.
#pragma once

#include "hanse/app/line_channel.hpp"

#include <csignal>
#include <thread>

namespace hanse::app {

/// Blocks the signals in this thread and all that it starts from then on, until the destructor.
class stop_signals {
public:
  stop_signals();
  ~stop_signals();
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;

  /// Waits for a signal or for `other`. The signal's number, or 0.
  int wait(const stop_event& other);

  /// Lets signals through to this thread again: the next one ends the program at once.
  void let_through();

private:
  sigset_t set_;
  sigset_t before_;
  unique_fd fd_;
};

/// Sets `abort` at the first signal, from a thread of its own, for as long as it lives.
class interrupt_watch {
public:
  /// Both outlive it.
  interrupt_watch(stop_signals& signals, stop_event& abort)
      : thread_([this, &signals, &abort] {
          if (signals.wait(done_) != 0) abort.set();
        }) {}
  ~interrupt_watch() {
    done_.set();
    thread_.join();
  }
  interrupt_watch(const interrupt_watch&) = delete;
  interrupt_watch& operator=(const interrupt_watch&) = delete;

private:
  stop_event done_;
  std::thread thread_;
};

} // namespace hanse::app
