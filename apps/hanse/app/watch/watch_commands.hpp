// The commands that watch running nodes. They change nothing.
// Not part of command.hpp, which all commands include.
#pragma once

#include "hanse/app/command.hpp"

namespace hanse::app {

void add_top_command(CLI::App& program, command_context& context);
void add_dashboard_command(CLI::App& program, command_context& context);

} // namespace hanse::app
