// Child processes that cannot outlive this one: started by one thread, signalled and awaited by pidfd.
// Not a shell and not a supervisor: nothing is restarted here. Linux 5.4 (pidfd, PR_SET_PDEATHSIG).
#pragma once

#include "hanse/app/line_channel.hpp"

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace hanse::app {

/// What to start.
struct process_spec {
  std::vector<std::string> arguments; ///< the first one is the program's path
  std::filesystem::path log;          ///< standard error goes there, appended
  std::filesystem::path directory;    ///< where it runs; empty: here
  bool die_with_parent = true;        ///< killed by the kernel when this process ends in whatever way
  int network = -1;                   ///< an open network namespace that it runs in; not owned; -1: this one
};

/// A started process. Ends it (SIGKILL) and waits in the destructor, unless released. Not thread-safe.
class child_process {
public:
  child_process(child_process&&) = default;
  child_process& operator=(child_process&&) = delete;
  ~child_process();

  pid_t pid() const noexcept { return pid_; }

  /// The reading end of its standard output, handed over once.
  unique_fd take_output() noexcept { return std::move(output_); }

  /// Sends `signal`; nothing happens if it has ended. A pidfd never hits another process.
  void signal(int number) const noexcept;

  /// Whether it has ended, waiting until `deadline` for that.
  bool ended(steady_time deadline = {});

  /// "exited with status 1", "was killed by signal 9 (Killed)"; only after `ended`.
  std::string how_it_ended() const;
  bool succeeded() const noexcept { return status_ && *status_ == 0; }

  /// Lets it live on by itself.
  void release() noexcept { pidfd_.reset(); }

private:
  friend class process_starter;
  child_process(pid_t pid, unique_fd pidfd, unique_fd output)
      : pid_(pid), pidfd_(std::move(pidfd)), output_(std::move(output)) {}

  pid_t pid_;
  unique_fd pidfd_; ///< none: ended and reaped, moved from, or released
  unique_fd output_;
  std::optional<int> status_; ///< exit status, or minus the signal
};

/// Starts processes from a thread of its own, because the kernel's "parent has died" means the thread that forked.
/// Has to outlive the processes that die with their parent. Thread-safe.
class process_starter {
public:
  process_starter();
  ~process_starter();
  process_starter(const process_starter&) = delete;
  process_starter& operator=(const process_starter&) = delete;

  /// Error: `io_error`. A program that cannot be executed ends with status 127.
  expected<child_process> start(process_spec spec);

private:
  static expected<child_process> fork_and_exec(const process_spec& spec);
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::packaged_task<expected<child_process>()>> tasks_; ///< guarded by mutex_
  bool stopping_ = false;                                            ///< guarded by mutex_
  std::thread thread_;
};

} // namespace hanse::app
