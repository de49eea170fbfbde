// Asks a running node something over its control socket: for the commands and the cluster runner.
// `ask_node` makes a connection per request; a `control_session` keeps one.
#pragma once

#include "hanse/app/control_backend.hpp"
#include "hanse/app/line_channel.hpp"

#include <functional>

namespace hanse::app {

/// One connection for several requests, one after the other. One thread at a time.
class control_session {
public:
  /// `cancel` may be null and has to outlive the session. Errors: `not_found`, `unreachable` (no node there),
  /// `permission_denied`, `too_long`, `io_error`.
  static expected<control_session> open(const std::filesystem::path& socket, const stop_event* cancel = nullptr);

  /// Sends `request` and waits for the last line of the answer. Errors: the node's own; `timed_out` (what comes late
  /// would be taken for the next answer: ask no more then), `link_closed`, `cancelled`.
  control_result ask(const nlohmann::json& request, std::chrono::milliseconds timeout);

  /// The same with an open file for the node (-1: none), and with `on_progress` for the lines before the answer; each
  /// of them begins the time of `silence` anew.
  control_result ask(const nlohmann::json& request, int file,
                     const std::function<void(const nlohmann::json&)>& on_progress, std::chrono::milliseconds silence);

private:
  explicit control_session(line_channel channel) : channel_(std::move(channel)) {}

  line_channel channel_;
};

/// Sends `request` and waits for the last line of the answer. `cancel` may be null.
/// Errors: the node's own; `not_found`, `unreachable` (no node there), `timed_out`, `link_closed`, `cancelled`.
control_result ask_node(const std::filesystem::path& socket, const nlohmann::json& request,
                        std::chrono::milliseconds timeout, const stop_event* cancel = nullptr);

/// The same with an open file for the node to read from or write to, until the node answers; `on_progress` gets the
/// lines before the answer. Gives up when nothing comes for `silence`. Errors: the same.
control_result ask_node_with_file(const std::filesystem::path& socket, const nlohmann::json& request, int file,
                                  const std::function<void(const nlohmann::json&)>& on_progress,
                                  std::chrono::milliseconds silence, const stop_event* cancel = nullptr);

/// The socket that a command talks to: `given`, else HANSE_SOCKET, else that of the default node directory.
std::filesystem::path choose_socket(const std::string& given);

/// $XDG_CONFIG_HOME/hanse or ~/.config/hanse: where `hanse node init` and `hanse node run` look without an argument.
std::filesystem::path default_node_directory();

} // namespace hanse::app
