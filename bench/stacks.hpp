// The two stacks under comparison behind one set of workloads. See end_to_end.cpp.
#pragma once

#include <map>
#include <string>

namespace bench {

/// What a client prints, one "name value" a line.
using figures = std::map<std::string, double>;

/// Runs one process of a pair. server: prints where it can be reached and waits for SIGTERM. client: runs `argument`'s
/// workload ("small ADDRESS", …) and prints its figures.
int run_role(const std::string& role, const std::string& stack, const std::string& argument);

} // namespace bench
