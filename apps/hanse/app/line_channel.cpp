// Local sockets by poll(2), non-blocking, with a stop event beside them.
// Not for untrusted peers: only this user's processes get through.
#include "hanse/app/line_channel.hpp"

#include "hanse/app/text_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

expected<sockaddr_un> address_of(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto text = path.string();
  if (text.empty() || text.size() > socket_path_max)
    return error{errc::too_long, text + ": a socket's path has 1 to " + std::to_string(socket_path_max) + " octets"};
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

int poll_timeout(steady_time deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 3'600'000));
}

expected<unique_fd> new_socket(const fs::path& path) {
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) return io_failure(path, errno);
  return fd;
}

} // namespace

expected<unique_fd> connect_local(const fs::path& path) {
  HANSE_TRY(auto address, address_of(path));
  HANSE_TRY(auto fd, new_socket(path));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == ECONNREFUSED) return error{errc::unreachable, path.string() + ": nobody listens there"};
  // A local connect that would block means that the backlog is full: the far side is there but does not accept.
  if (errno == EAGAIN) return error{errc::timed_out, path.string() + ": the node does not accept connections"};
  return io_failure(path, errno);
}

expected<unique_fd> listen_local(const fs::path& path) {
  HANSE_TRY(auto address, address_of(path));
  HANSE_CHECK(make_private_directory(path.has_parent_path() ? path.parent_path() : fs::path{"."}));
  auto other = connect_local(path);
  if (other || other.error() == errc::timed_out)
    return error{errc::already_exists, path.string() + ": another program answers at this socket"};
  if (other.error() == errc::unreachable)
    ::unlink(path.c_str());
  else if (other.error() != errc::not_found)
    return other.error();
  HANSE_TRY(auto fd, new_socket(path));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return io_failure(path, errno);
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), 64) != 0) return io_failure(path, errno);
  return fd;
}

bool peer_is_owner(int socket) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

stop_event::stop_event() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void stop_event::set() noexcept {
  set_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(fd_.get(), &one, sizeof one); // can only fail when it is set already
}

bool stop_event::is_set() const noexcept {
  return set_;
}

bool stop_event::wait_until(steady_time deadline) const noexcept {
  pollfd entry{fd_.get(), POLLIN, 0};
  while (true) {
    auto n = ::poll(&entry, 1, poll_timeout(deadline));
    if (n >= 0 || errno != EINTR) return set_;
  }
}

line_channel::line_channel(unique_fd socket, std::size_t line_max, const stop_event* stop)
    : socket_(std::move(socket)), line_max_(line_max), stop_(stop) {}

expected<unit> line_channel::wait(short events, steady_time deadline) const {
  pollfd entries[2] = {{socket_.get(), events, 0}, {stop_ ? stop_->fd() : -1, POLLIN, 0}};
  while (true) {
    auto n = ::poll(entries, 2, poll_timeout(deadline));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error{errc::io_error, std::strerror(errno)};
    if (entries[1].revents != 0) return errc::cancelled;
    if (n == 0) return errc::timed_out;
    return ok();
  }
}

expected<std::string> line_channel::read_line(steady_time deadline) {
  while (true) {
    if (auto end = buffer_.find('\n', scanned_); end != std::string::npos && end <= line_max_) {
      auto line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      scanned_ = 0;
      return line;
    }
    scanned_ = buffer_.size();
    if (buffer_.size() > line_max_)
      return error{errc::too_long, "a line over " + std::to_string(line_max_) + " octets"};
    HANSE_CHECK(wait(POLLIN, deadline));
    char chunk[65536];
    auto n = read_some(chunk, sizeof chunk);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n == 0 || (n < 0 && errno == ECONNRESET)) return errc::link_closed;
    if (n < 0) return error{errc::io_error, std::strerror(errno)};
    buffer_.append(chunk, static_cast<std::size_t>(n));
  }
}

ssize_t line_channel::read_some(char* into, std::size_t size) {
  if (!accepts_files_) return ::read(socket_.get(), into, size); // not recv: a pipe is read this way too
  iovec part{into, size};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control; // what does not fit is closed by the kernel
  const auto n = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  if (n < 0) return n;
  for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      unique_fd latest{fd};
      std::swap(file_, latest); // the earlier one is closed
    }
  }
  return n;
}

namespace {

/// As send(2), with a descriptor beside the octets.
ssize_t send_with_file(int socket, std::string_view octets, int file) {
  iovec part{const_cast<char*>(octets.data()), octets.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof file)]{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  auto* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof file);
  std::memcpy(CMSG_DATA(c), &file, sizeof file);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

} // namespace

expected<unit> line_channel::write_line(std::string line, steady_time deadline, int file) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    auto n = file >= 0 ? send_with_file(socket_.get(), rest, file)
                       : ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n > 0) {
      file = -1; // with the first octets
      rest.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return errc::link_closed;
    if (n < 0 && errno != EAGAIN) return error{errc::io_error, std::strerror(errno)};
    HANSE_CHECK(wait(POLLOUT, deadline));
  }
  return ok();
}

} // namespace hanse::app
