// Connecting: what a caller waits for, and what ends its waiting. A listener with a full queue is one that never
// answers.
#include "hanse/actors/sockets.hpp"

#include <chrono>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <vector>

using namespace hanse;

namespace {

/// Listens on loopback and accepts nobody; more connections are made than it has room for.
struct silent_listener {
  socket_fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::vector<socket_fd> waiting;
  std::uint16_t port = 0;

  silent_listener() {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
    REQUIRE(::listen(listener.get(), 0) == 0);
    port = local_port(listener);
    a.sin_port = htons(port);
    for (int i = 0; i < 4; ++i) {
      waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)::connect(waiting.back().get(), reinterpret_cast<sockaddr*>(&a), sizeof a);
    }
  }
};

} // namespace

TEST_CASE("connecting to somebody who does not answer takes as long as is allowed") {
  silent_listener silent;
  CHECK(connect_tcp("127.0.0.1", silent.port, 120, [] { return false; }).code() == errc::timed_out);
}

TEST_CASE("connecting to somebody who does not answer ends when it is cancelled") {
  silent_listener silent;
  auto begin = std::chrono::steady_clock::now();
  int asked = 0;
  CHECK(connect_tcp("127.0.0.1", silent.port, 600'000, [&] { return ++asked == 3; }).code() == errc::cancelled);
  CHECK(asked == 3);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::minutes{1});
}
