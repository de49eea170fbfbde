// What a run came to: a table for people, a JSON document for machines.
// Not the live view (timeline.hpp).
#pragma once

#include "hanse/app/cluster/cluster_run.hpp"

namespace hanse::app {

/// The document that `--report` and `--json` give; described in docs/cluster.md.
nlohmann::json to_json(const run_report& report);

/// The summary: every step with count, time and result; the logs of a failure; how to talk to nodes that are kept.
void print_summary(std::ostream& out, const run_report& report, const output_style& style);

} // namespace hanse::app
