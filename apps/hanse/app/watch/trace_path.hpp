// What several nodes saw of traced messages, put together: the path of one, and which began last.
// Clocks of different machines differ: steps of two nodes may be out of order by that.
#pragma once

#include "hanse/app/control_client.hpp"

#include <nlohmann/json.hpp>

namespace hanse::app {

/// {trace, events (as of the control command `trace`, in order of time), nodes: [{socket, ok, events (count), error}]}.
nlohmann::json path_of_trace(const std::vector<std::filesystem::path>& sockets, const std::string& trace,
                             std::chrono::milliseconds wait, const stop_event* cancel = nullptr);

/// {traces (as of the control command `traces`, each once, newest first)}; nodes that do not answer are left out.
nlohmann::json newest_traces(const std::vector<std::filesystem::path>& sockets, std::chrono::milliseconds wait,
                             const stop_event* cancel = nullptr);

} // namespace hanse::app
