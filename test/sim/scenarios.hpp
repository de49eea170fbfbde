// Scenarios that the tests of the simulator share.
#pragma once

#include "hanse/sim/simulation.hpp"

namespace hanse::test {

/// A few nodes that all know each other and send each other a message a second.
inline sim::scenario quiet(std::uint32_t nodes, time_ms duration_ms = 10'000) {
  sim::scenario s;
  s.name = "quiet";
  s.groups = {{"node", nodes}};
  s.workload = {{}};
  s.duration_ms = duration_ms;
  s.signatures = sim::signing_share::cheap;
  return s;
}

inline sim::fault_rule fault(sim::fault_kind what, std::uint32_t permille, std::uint32_t per_minute = 0,
                             sim::range length_ms = {100, 3000}) {
  sim::fault_rule f;
  f.what = what;
  f.permille = permille;
  f.per_minute = per_minute;
  f.length_ms = length_ms;
  return f;
}

inline std::string say(const sim::run_result& r) {
  if (!r.violation) return {};
  return std::string{sim::to_string(r.violation->what)} + " at " + std::to_string(r.violation->at_ms) + ": " +
         r.violation->text;
}

} // namespace hanse::test
