// Runs `ip` and `tc` of iproute2 and says what they said. Not what they are run for: cluster_network.hpp.
#pragma once

#include "hanse/app/cluster/child_process.hpp"

namespace hanse::app {

/// One thread at a time. The starter outlives it.
class iproute {
public:
  /// Errors: `not_found` if `ip` or `tc` is not installed, with what to do.
  /// `log` is a file for what they write to standard error.
  static expected<iproute> find(process_starter& starter, std::filesystem::path log);

  /// Standard output of `ip ARGUMENTS…`, or its complaint: `io_error`, also if it does not end within 10 s.
  expected<std::string> ip(std::vector<std::string> arguments);
  expected<std::string> tc(std::vector<std::string> arguments);

  /// Many lines at once, as `ip -batch` takes them, in the namespace (empty: this one). Stops at the first that
  /// fails, unless `all`.
  expected<unit> ip_batch(const std::string& network, const std::string& lines, bool all = false);

private:
  iproute(process_starter& starter, std::filesystem::path log) : starter_(starter), log_(std::move(log)) {}

  expected<std::string> run(std::vector<std::string> arguments);

  process_starter& starter_;
  std::filesystem::path log_, ip_, tc_;
};

} // namespace hanse::app
