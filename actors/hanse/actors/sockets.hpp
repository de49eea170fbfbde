// Opening stream sockets: listening and connecting, TCP and unix, blocking with a timeout. Not reading or writing,
// which CAF's multiplexer does. Called from the transport (listen) and from detached dial actors (connect, DNS).
#pragma once

#include "hanse/crypto/error.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace hanse {

/// An open descriptor that closes itself unless it is released.
class socket_fd {
public:
  socket_fd() = default;
  explicit socket_fd(int fd) : fd_(fd) {}
  socket_fd(socket_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  socket_fd& operator=(socket_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~socket_fd();
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

private:
  int fd_ = -1;
};

/// Listens on a TCP port; port 0 takes a free one. `host` is a numeric address or a name.
/// Errors: `bad_config` (host), `already_exists` (port in use), `permission_denied`, `io_error`.
expected<socket_fd> listen_tcp(const std::string& host, std::uint16_t port);

/// Listens on a unix socket, 0600. A socket file that nobody listens on is replaced.
/// Errors: `already_exists` (somebody listens), `bad_config` (path too long), `io_error`.
expected<socket_fd> listen_unix(const std::string& path);

/// The port that a TCP socket is bound to.
std::uint16_t local_port(const socket_fd& fd);

/// Connects; blocks at most `timeout_ms` an address, name lookup not counted, and not much longer than until
/// `cancelled`, which is asked again and again. Errors: `unreachable`, `timed_out`, `not_found`, `cancelled`.
expected<socket_fd> connect_tcp(const std::string& host, std::uint16_t port, int timeout_ms,
                                const std::function<bool()>& cancelled);
expected<socket_fd> connect_unix(const std::string& path);

} // namespace hanse
