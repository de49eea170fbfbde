// Serves the dashboard on loopback, for the user who started it and nobody else: the address has a token that cannot be
// guessed, and requests for another host's name (a page elsewhere that rebinds its name to loopback) are refused.
// Reads only: nothing here changes a node. The HTTP is cpp-httplib's; the page is apps/hanse/dashboard, built in.
#pragma once

#include "hanse/app/watch/observer.hpp"

#include <memory>

namespace hanse {
class random_source;
}

namespace hanse::app {

/// Threads run from `start` to the destructor. docs/watching.md lists what can be asked.
class dashboard_server {
public:
  /// Listens on 127.0.0.1; port 0 takes a free one. `random` makes the token, and is not used after.
  /// Errors: `already_exists` (the port is in use), `permission_denied` (a port that is not for everybody), `io_error`.
  static expected<std::unique_ptr<dashboard_server>> start(std::vector<std::filesystem::path> sockets,
                                                           std::uint16_t port, random_source& random);

  /// http://127.0.0.1:PORT/TOKEN/
  std::string url() const;
  std::uint16_t port() const noexcept;
  const std::string& token() const noexcept;

  /// Ends the requests under way and waits for them: a second at most.
  ~dashboard_server();

  dashboard_server(const dashboard_server&) = delete;
  dashboard_server& operator=(const dashboard_server&) = delete;

private:
  struct impl;
  explicit dashboard_server(std::unique_ptr<impl> i);

  std::unique_ptr<impl> impl_;
};

} // namespace hanse::app
