// A run as JUnit XML, which test servers read: the scenario is a suite, each step a case.
// Not the JSON report (cluster_report.hpp). Form: the Jenkins xUnit plug-in's schema, the part that all readers know.
#pragma once

#include "hanse/app/cluster/cluster_run.hpp"

namespace hanse::app {

/// `now_ms`, since 1970: the run ended then. A failed step is a `failure` with the end of its nodes' logs; what was not
/// reached is `skipped`; what went wrong beside the steps is an `error`.
std::string to_junit(const run_report& report, std::uint64_t now_ms);

} // namespace hanse::app
