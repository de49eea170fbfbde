// Serves a node's control socket: one thread accepts, one short-lived thread per client answers.
// Not the commands (control_dispatch.hpp) and nothing of CAF. Bounded: clients, line lengths, idle time.
#pragma once

#include "hanse/app/control_backend.hpp"
#include "hanse/app/line_channel.hpp"

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <thread>

namespace hanse::app {

/// Threads run from `start` to the destructor.
class control_server {
public:
  /// Listens at `socket`. `backend` has to outlive the server; `on_shutdown` is called from a client's thread when
  /// someone asks the node to stop, and must not block. Errors: those of `listen_local`.
  static expected<std::unique_ptr<control_server>> start(const std::filesystem::path& socket, control_backend& backend,
                                                         std::function<void()> on_shutdown);

  /// Takes no more requests; those under way get their answer. Does not wait.
  void stop() noexcept { stop_.set(); }

  /// Stops, waits for the requests under way and removes the socket.
  ~control_server();

  control_server(const control_server&) = delete;
  control_server& operator=(const control_server&) = delete;

private:
  struct client {
    std::thread thread;
    std::atomic<bool> finished = false;
  };

  control_server(std::filesystem::path socket, control_backend& backend, std::function<void()> on_shutdown)
      : path_(std::move(socket)), backend_(backend), on_shutdown_(std::move(on_shutdown)) {}

  void accept_clients();
  void accept_one();
  void serve(unique_fd socket);

  std::filesystem::path path_;
  control_backend& backend_;
  std::function<void()> on_shutdown_;
  unique_fd listener_;
  stop_event stop_;
  std::list<client> clients_; ///< touched by the accepting thread only
  std::thread acceptor_;
};

} // namespace hanse::app
