// Connecting: what a caller waits for, and what ends its waiting. A listener with a full queue is one that never
// answers.
#include "hanse/actors/sockets.hpp"

#include "hanse/actors/socket_engine.hpp"

#include "two_nodes.hpp"

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

TEST_CASE_FIXTURE(node_fixture, "a socket that is paused and resumed at once is read again") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const socket_fd far{ends[1]};
  const auto sockets = spawn_socket_actor(system, transport_actor{});
  caf::scoped_actor link{system}; // in place of a link's actor
  constexpr std::uint64_t id = 1;
  compat::anon_send(sockets, connected_atom_v, id, ends[0], caf::actor_cast<caf::strong_actor_ptr>(link));
  link->receive([](connected_atom, const caf::strong_actor_ptr&) {});
  auto read = true;
  for (int round = 0; round < 50 && read; ++round) {
    CAPTURE(round);
    for (int k = 0; k < 1 + round % 3; ++k) {
      compat::anon_send(sockets, pause_atom_v, id);
      compat::anon_send(sockets, resume_atom_v, id);
    }
    CHECK(::write(far.get(), "x", 1) == 1);
    read = false;
    link->receive([&read](const caf::byte_buffer&) { read = true; }, caf::after(std::chrono::seconds{30}) >> [] {});
    CHECK(read);
  }
  compat::anon_send(sockets, closed_atom_v, id);
  compat::anon_send(sockets, stop_atom_v);
  link->wait_for(sockets);
}
