// What a simulated run came to, for people and for machines; and what is left of one that failed.
// Not the run (hanse/sim/simulation.hpp) and not its trace (hanse/sim/trace.hpp).
#pragma once

#include "hanse/app/sim/scenario_file.hpp"
#include "hanse/sim/shrink.hpp"

#include <iosfwd>

namespace hanse::app {

/// One run and what it took outside.
struct sim_report {
  sim_file file; ///< with its seed
  sim::run_result result;
  double seconds = 0;

  double events_per_second() const { return seconds > 0 ? static_cast<double>(result.steps) / seconds : 0; }
  double virtual_per_second() const {
    return seconds > 0 ? static_cast<double>(result.virtual_ms) / 1000 / seconds : 0;
  }
};

/// The document of --report and --json; described in docs/simulation.md.
nlohmann::json to_json(const sim_report& report);

void print_report(std::ostream& out, const sim_report& report);

/// The seed, the step, the invariant, what happened, the shortest schedule, and the command that replays it.
void print_failure(std::ostream& out, const sim_file& file, const sim::shrunk& small,
                   const std::filesystem::path& written);

std::string to_hex(const digest& d);

} // namespace hanse::app
