// Makes the schedule of a failing run short: removes what the failure does not need, by delta debugging.
// Not random search: deterministic, bounded. Source: Zeller & Hildebrandt, "Simplifying and Isolating
// Failure-Inducing Input" (IEEE TSE 2002), algorithm ddmin.
#pragma once

#include "hanse/sim/simulation.hpp"

namespace hanse::sim {

struct shrink_options {
  std::uint32_t runs_max = 400;    ///< of the simulation
  std::function<bool()> stop = {}; ///< asked before every run; true ends it with what was found so far
};

struct shrunk {
  std::vector<action> schedule; ///< fails with the same invariant
  run_result result;            ///< of that schedule
  std::uint32_t runs = 0;
};

/// Precondition: `run(s, seed, schedule)` violates an invariant.
shrunk shrink(const scenario& s, std::uint64_t seed, std::vector<action> schedule, const shrink_options& options = {});

/// The algorithm alone: a part of `schedule` that still fails. `fails` is called at most `runs_max` times; first
/// without all actions of one kind, and of one node, then without ever smaller parts.
/// Precondition: fails(schedule).
std::vector<action> minimize(std::vector<action> schedule, std::uint32_t runs_max,
                             const std::function<bool(const std::vector<action>&)>& fails);

} // namespace hanse::sim
