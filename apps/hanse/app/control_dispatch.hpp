// Takes a control request apart, checks it strictly, and calls the backend.
// Not the socket (control_server.hpp). A new command is one entry in the table of control_dispatch.cpp.
#pragma once

#include "hanse/app/control_backend.hpp"

#include <functional>
#include <string_view>

namespace hanse::app {

/// Answers one request line. `on_shutdown` is called for the command "shutdown", which has no part in the backend.
/// Errors beside the backend's: `bad_value` with what is wrong in the request.
control_result dispatch_control(control_backend& backend, std::string_view line,
                                const std::function<void()>& on_shutdown, const control_channel& channel = {});

} // namespace hanse::app
