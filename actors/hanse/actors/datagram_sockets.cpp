// See datagram_sockets.hpp.
#include "hanse/actors/datagram_sockets.hpp"

#include "hanse/transport/address.hpp"
#include "hanse/transport/selection.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hanse {

namespace {

constexpr std::size_t read_max = 2048; // larger than any datagram that is taken: what is cut off is none

struct resolved {
  addrinfo* list = nullptr;
  ~resolved() {
    if (list) ::freeaddrinfo(list);
  }
};

expected<unit> resolve(const std::string& host, std::uint16_t port, int flags, resolved& out) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  if (const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &out.list); failed != 0)
    return error{errc::not_found, host + ": " + ::gai_strerror(failed)};
  return ok();
}

error failure(const std::string& what) {
  const int number = errno;
  const auto code = number == EADDRINUSE ? errc::already_exists
                    : number == EACCES   ? errc::permission_denied
                                         : errc::io_error;
  return {code, what + ": " + std::strerror(number)};
}

std::string numeric_host(const sockaddr* address, socklen_t size) {
  char host[NI_MAXHOST];
  if (::getnameinfo(address, size, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) return {};
  return host;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  if (bound.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

} // namespace

expected<std::unique_ptr<datagram_sockets>> datagram_sockets::open(const std::vector<std::string>& listen) {
  std::unique_ptr<datagram_sockets> made{new datagram_sockets};
  made->wake_ = socket_fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (made->wake_.get() < 0) return failure("eventfd");
  for (const auto& text : listen) {
    HANSE_TRY(auto address, parse_transport_address(text));
    if (address.scheme != "dtls") return error{errc::bad_config, text + " is no dtls:// address"};
    HANSE_CHECK(made->add(address.host, address.port));
    address.port = port_of(made->sockets_.back().fd.get());
    made->addresses_.push_back(to_string(address));
  }
  for (const auto* any : {"0.0.0.0", "::"}) { // for dialling; without IPv6 there is one socket less
    const int family = std::strchr(any, ':') ? AF_INET6 : AF_INET;
    const auto same = [family](const socket_entry& s) { return s.family == family; };
    if (std::none_of(made->sockets_.begin(), made->sockets_.end(), same)) (void)made->add(any, 0);
  }
  if (made->sockets_.empty()) return error{errc::io_error, "no UDP socket"};
  return made;
}

expected<unit> datagram_sockets::add(const std::string& host, std::uint16_t port) {
  resolved found;
  if (auto done = resolve(host, port, AI_PASSIVE, found); !done) return error{errc::bad_config, done.error().detail};
  const auto* first = found.list;
  for (const auto& s : sockets_)
    if (s.family == first->ai_family) return error{errc::bad_config, "one dtls:// address of each family"};
  socket_fd fd{::socket(first->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (fd.get() < 0) return failure("socket");
  const int yes = 1;
  if (first->ai_family == AF_INET6) (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (::bind(fd.get(), first->ai_addr, first->ai_addrlen) != 0)
    return failure("dtls://" + host + ":" + std::to_string(port));
  sockets_.push_back({first->ai_family, std::move(fd)});
  return ok();
}

datagram_sockets::~datagram_sockets() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  if (reader_.joinable()) reader_.join();
}

void datagram_sockets::read(taker take) {
  reader_ = std::thread{[this, take = std::move(take)] { run(take); }};
}

void datagram_sockets::run(const taker& take) {
  std::vector<pollfd> all{{wake_.get(), POLLIN, 0}};
  for (const auto& s : sockets_) all.push_back({s.fd.get(), POLLIN, 0});
  std::array<std::byte, read_max> buffer;
  for (;;) {
    if (::poll(all.data(), all.size(), -1) < 0 && errno != EINTR) return;
    if (all[0].revents != 0) return;
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (all[i].revents == 0) continue;
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const auto got =
          ::recvfrom(all[i].fd, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got <= 0) continue; // an ICMP error of an earlier datagram, or nothing
      const auto* address = reinterpret_cast<const std::byte*>(&from);
      (void)take(bytes(address, address + size), bytes(buffer.begin(), buffer.begin() + got));
    }
  }
}

bool datagram_sockets::send(byte_view to, byte_view datagram) {
  sockaddr_storage address{};
  if (to.size() > sizeof address) return false;
  std::memcpy(&address, to.data(), to.size());
  for (const auto& s : sockets_) {
    if (s.family != address.ss_family) continue;
    (void)::sendto(s.fd.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(to.size()));
    return true;
  }
  return false;
}

expected<std::vector<bytes>> resolve_datagram_host(const std::string& host, std::uint16_t port, bool private_allowed) {
  resolved found;
  HANSE_CHECK(resolve(host, port, 0, found));
  std::vector<bytes> out;
  error why{errc::not_found, host};
  for (const auto* a = found.list; a; a = a->ai_next) {
    if (auto fine = check_resolved(numeric_host(a->ai_addr, a->ai_addrlen), private_allowed); !fine) {
      why = fine.error();
      continue;
    }
    const auto* octets = reinterpret_cast<const std::byte*>(a->ai_addr);
    out.emplace_back(octets, octets + a->ai_addrlen);
  }
  if (out.empty()) return why;
  return out;
}

} // namespace hanse
