// The JSON form of a simulated scenario, read strictly and written. Described in docs/simulation.md.
// Not the scenarios of `hanse cluster run` (cluster/scenario.hpp), which are of real processes.
#pragma once

#include "hanse/app/json_document.hpp"
#include "hanse/sim/plan.hpp"

#include <nlohmann/json.hpp>
#include <optional>

namespace hanse::app {

inline constexpr std::size_t sim_file_size_max = 64 << 20; ///< octets: a file may carry a whole schedule

/// What a file says.
struct sim_file {
  sim::scenario scenario;
  std::optional<std::uint64_t> seed;                ///< of a run that is to be repeated
  std::optional<std::vector<sim::action>> schedule; ///< instead of the one that follows from the seed
};

/// Errors: `bad_config` naming every key that is wrong and what was expected, `not_found`, `too_long`, `io_error`.
expected<sim_file> load_sim_file(const std::filesystem::path& file);
expected<sim_file> parse_sim_file(std::string_view text, const std::filesystem::path& file);

/// What `parse_sim_file` reads back as an equal run.
nlohmann::ordered_json to_json(const sim_file& file);

/// The same scenario with `nodes` nodes, shared out as before, at least one a group.
/// Precondition: nodes >= s.groups.size().
sim::scenario with_nodes(sim::scenario s, std::uint32_t nodes);

} // namespace hanse::app
