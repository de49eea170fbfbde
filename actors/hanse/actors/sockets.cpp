// See sockets.hpp. POSIX sockets; TCP_NODELAY everywhere, since frames are already coalesced.
#include "hanse/actors/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace hanse {

namespace {

constexpr int backlog = 256;
constexpr int cancel_slice_ms = 50; ///< how often a connect that waits looks whether it is cancelled; a guess

error system_error(errc code, const std::string& doing) {
  return {code, doing + ": " + std::strerror(errno)};
}

using address_list = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

expected<address_list> look_up(const std::string& host, std::uint16_t port, bool passive) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  if (auto status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); status != 0)
    return error{errc::not_found, "cannot resolve " + host + ": " + gai_strerror(status)};
  return address_list{found, &freeaddrinfo};
}

void set_no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

expected<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  if (path.size() >= sizeof a.sun_path)
    return error{errc::bad_config, "the path of a unix socket has at most 107 characters: " + path};
  std::memcpy(a.sun_path, path.data(), path.size());
  return a;
}

expected<unit> connect_within(int fd, const sockaddr* to, socklen_t size, int timeout_ms,
                              const std::function<bool()>& cancelled) {
  if (::connect(fd, to, size) == 0) return ok();
  if (errno != EINPROGRESS) return system_error(errc::unreachable, "connect");
  pollfd p{fd, POLLOUT, 0};
  int ready = 0;
  for (; ready == 0 && timeout_ms > 0; timeout_ms -= cancel_slice_ms) {
    ready = ::poll(&p, 1, std::min(timeout_ms, cancel_slice_ms));
    if (ready == 0 && cancelled()) return error{errc::cancelled, "connect"};
  }
  if (ready == 0) return error{errc::timed_out, "connect: no answer"};
  socklen_t length = sizeof errno;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &errno, &length);
  if (ready < 0 || errno != 0) return system_error(errc::unreachable, "connect");
  return ok();
}

} // namespace

socket_fd::~socket_fd() {
  if (fd_ >= 0) ::close(fd_);
}

expected<socket_fd> listen_tcp(const std::string& host, std::uint16_t port) {
  auto addresses = look_up(host, port, true);
  if (!addresses) return error{errc::bad_config, addresses.error().detail};
  auto& a = **addresses;
  socket_fd fd{::socket(a.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (fd.get() < 0) return system_error(errc::io_error, "socket");
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  set_no_delay(fd.get()); // accepted sockets inherit it
  auto where = host + ":" + std::to_string(port);
  if (::bind(fd.get(), a.ai_addr, a.ai_addrlen) != 0) {
    if (errno == EADDRINUSE)
      return error{errc::already_exists, where + " is in use; choose another port, or 0 for a free one"};
    return system_error(errno == EACCES ? errc::permission_denied : errc::io_error, "bind " + where);
  }
  if (::listen(fd.get(), backlog) != 0) return system_error(errc::io_error, "listen on " + where);
  return fd;
}

expected<socket_fd> listen_unix(const std::string& path) {
  HANSE_TRY(auto address, unix_address(path));
  auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (struct stat s{}; ::lstat(path.c_str(), &s) == 0) {
    if (!S_ISSOCK(s.st_mode)) return error{errc::already_exists, path + " exists and is no socket"};
    if (connect_unix(path)) return error{errc::already_exists, "somebody listens on " + path + " already"};
    ::unlink(path.c_str());
  }
  socket_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (fd.get() < 0) return system_error(errc::io_error, "socket");
  ::fchmod(fd.get(), 0600);
  if (::bind(fd.get(), to, sizeof address) != 0) return system_error(errc::io_error, "bind " + path);
  ::chmod(path.c_str(), 0600);
  if (::listen(fd.get(), backlog) != 0) return system_error(errc::io_error, "listen on " + path);
  return fd;
}

std::uint16_t local_port(const socket_fd& fd) {
  sockaddr_storage a{};
  socklen_t size = sizeof a;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&a), &size) != 0) return 0;
  if (a.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(a).sin_port);
  if (a.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(a).sin6_port);
  return 0;
}

expected<socket_fd> connect_tcp(const std::string& host, std::uint16_t port, int timeout_ms,
                                const std::function<bool()>& cancelled) {
  HANSE_TRY(auto addresses, look_up(host, port, false));
  error last{errc::unreachable, "no address"};
  for (auto* a = addresses.get(); a != nullptr; a = a->ai_next) {
    socket_fd fd{::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (fd.get() < 0) return system_error(errc::io_error, "socket");
    set_no_delay(fd.get());
    auto done = connect_within(fd.get(), a->ai_addr, a->ai_addrlen, timeout_ms, cancelled);
    if (done) return fd;
    last = done.error();
    if (last == errc::cancelled) break;
  }
  last.detail += " (" + host + ":" + std::to_string(port) + ")";
  return last;
}

expected<socket_fd> connect_unix(const std::string& path) {
  HANSE_TRY(auto address, unix_address(path));
  socket_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (fd.get() < 0) return system_error(errc::io_error, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_error(errc::unreachable, "connect " + path);
  return fd;
}

} // namespace hanse
