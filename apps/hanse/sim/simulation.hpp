// A deterministic run of many nodes of production machines in virtual time, on one thread. Design section 13.
// Start here. Not CAF: nodes are sim_node.hpp; actors run under CAF's own deterministic scheduler (test/actors).
//
//   auto s = random_scenario(7);
//   auto result = run(s, 7);                  // the same scenario and seed: the same trace_hash, everywhere
//   if (result.violation) … shrink(s, 7) …    // shrink.hpp
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/sim/plan.hpp"
#include "hanse/sim/trace.hpp"

#include <map>
#include <optional>

namespace hanse::sim {

/// The first thing that did not hold.
struct violation {
  invariant what{};
  std::uint64_t step = 0; ///< events handled before it
  time_ms at_ms = 0;      ///< virtual, since the start
  std::string text;
};

struct run_result {
  std::optional<sim::violation> violation;
  digest trace_hash;        ///< of every event of the run
  std::uint64_t steps = 0;  ///< events handled
  time_ms virtual_ms = 0;   ///< how long the run took inside
  time_ms converged_ms = 0; ///< from the end of the faults until everything had settled
  bool real_signatures = false;
  bool interrupted = false;                      ///< `stop` said so
  std::map<std::string, std::uint64_t> counters; ///< "sent", "delivered", "confirmed", "crashes", "drop.expired", …
};

struct run_options {
  trace_log* log = nullptr;        ///< gets every event, for people and viewers; slows down and takes memory
  std::function<bool()> stop = {}; ///< asked now and then; true ends the run early
};

/// Runs `schedule`, by default that of `plan(s, seed)`. Throws nothing; ends by itself.
run_result run(const scenario& s, std::uint64_t seed, const run_options& options = {});
run_result run(const scenario& s, std::uint64_t seed, const std::vector<action>& schedule,
               const run_options& options = {});

} // namespace hanse::sim
