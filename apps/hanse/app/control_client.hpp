// Asks a running node something over its control socket: for the commands and the cluster runner.
// One connection per request; not for many requests a second.
#pragma once

#include "hanse/app/control_backend.hpp"
#include "hanse/app/line_channel.hpp"

#include <functional>

namespace hanse::app {

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
