// Text lines over a local stream socket, bounded in length and in time; and how such sockets are opened.
// Not the control protocol (control_wire.hpp) and not the transport between nodes. Linux: SO_PEERCRED, eventfd.
#pragma once

#include "hanse/app/unique_fd.hpp"
#include "hanse/crypto/error.hpp"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>

namespace hanse::app {

using steady_time = std::chrono::steady_clock::time_point;

/// The longest path that fits a socket address.
inline constexpr std::size_t socket_path_max = 107;

/// Listens at `path`: its directory is made 0700 (or must be), the socket is 0600. A socket that nobody answers at is
/// left over from a node that died, and replaced. Errors: `already_exists` (somebody answers), `too_long`,
/// `bad_permissions`, `io_error`.
expected<unique_fd> listen_local(const std::filesystem::path& path);

/// Connects to `path`. Errors: `not_found`, `unreachable` (nobody listens), `permission_denied`, `too_long`,
/// `io_error`.
expected<unique_fd> connect_local(const std::filesystem::path& path);

/// Whether the process at the far end runs as this user or as root.
bool peer_is_owner(int socket) noexcept;

/// An event that many threads can poll for; stays set. What was written before `set` is seen after the event was seen.
class stop_event {
public:
  stop_event();
  void set() noexcept; ///< async-signal-safe
  bool is_set() const noexcept;
  int fd() const noexcept { return fd_.get(); }

  /// Waits for the event; false when `deadline` came first.
  bool wait_until(steady_time deadline) const noexcept;

private:
  unique_fd fd_;
  std::atomic<bool> set_ = false; ///< orders memory, which a file descriptor alone does not
};

/// Reads and writes lines on a socket. One thread at a time.
class line_channel {
public:
  /// `stop` may be null; it has to outlive the channel.
  line_channel(unique_fd socket, std::size_t line_max, const stop_event* stop);

  /// The next line without its end. Errors: `too_long`, `timed_out`, `link_closed`, `cancelled`, `io_error`.
  expected<std::string> read_line(steady_time deadline);

  /// Writes `line` and a line end. With a `file`, an open descriptor: the far end gets its own one of the same open
  /// file (SCM_RIGHTS). Errors: `timed_out`, `link_closed`, `cancelled`, `io_error`.
  expected<unit> write_line(std::string line, steady_time deadline, int file = -1);

  /// From now on takes a file that comes with a line, the latest one; else what comes is closed by the kernel.
  void accept_files() noexcept { accepts_files_ = true; }
  unique_fd take_file() noexcept { return std::move(file_); }

private:
  expected<unit> wait(short events, steady_time deadline) const;
  ssize_t read_some(char* into, std::size_t size);

  unique_fd socket_;
  std::size_t line_max_;
  const stop_event* stop_;
  std::string buffer_;
  std::size_t scanned_ = 0;
  unique_fd file_;
  bool accepts_files_ = false;
};

} // namespace hanse::app
