// UDP sockets for dtls://: opening, sending, and a thread that reads. CAF 0.18's own datagram servants make an actor of
// every sender, which strangers could exhaust; here nothing is kept of one. Not sessions (datagram_engine.hpp).
#pragma once

#include "hanse/actors/sockets.hpp"
#include "hanse/crypto/bytes.hpp"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace hanse {

inline constexpr std::size_t datagram_backlog_max =
    1'024; ///< datagrams read and not handled: more are dropped; a guess

/// One socket for each family of addresses, IPv4 and IPv6. `send` may be called while the thread reads.
class datagram_sockets {
public:
  /// Takes what was read: who sent it (an address as the operating system has it), and the datagram. In the reading
  /// thread. False: drop it.
  using taker = std::function<bool(bytes from, bytes datagram)>;

  /// Binds to "dtls://HOST:PORT", at most one of each family; without one, to any free port, for dialling alone.
  /// Errors: `bad_config`, `already_exists` (port in use), `permission_denied`, `io_error`.
  static expected<std::unique_ptr<datagram_sockets>> open(const std::vector<std::string>& listen);

  ~datagram_sockets(); ///< ends the thread
  datagram_sockets(const datagram_sockets&) = delete;
  datagram_sockets& operator=(const datagram_sockets&) = delete;

  /// What it listens on, with the actual ports.
  const std::vector<std::string>& addresses() const noexcept { return addresses_; }

  /// Starts the thread. Once.
  void read(taker take);

  /// May lose the datagram, as the network may. False: there is no socket for that family.
  bool send(byte_view to, byte_view datagram);

private:
  datagram_sockets() = default;
  expected<unit> add(const std::string& host, std::uint16_t port);
  void run(const taker& take);

  struct socket_entry {
    int family = 0;
    socket_fd fd;
  };
  std::vector<socket_entry> sockets_;
  std::vector<std::string> addresses_;
  socket_fd wake_;
  std::thread reader_;
};

/// The addresses that a host has, as `send` takes them; waits for the name service. A name must not lead to a private
/// address unless `private_allowed`. Errors: `not_found`, those of check_resolved (transport/selection.hpp).
expected<std::vector<bytes>> resolve_datagram_host(const std::string& host, std::uint16_t port, bool private_allowed);

} // namespace hanse
