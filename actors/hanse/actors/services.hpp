// What the actors of one node share: its clock, counters, trace log, and log. Thread-safe, and no more than that:
// no business passes through here. Metrics go to CAF's registry, which exports them to Prometheus.
#pragma once

#include "hanse/actors/messages.hpp"

#include <caf/telemetry/counter.hpp>
#include <caf/telemetry/gauge.hpp>

#include <atomic>
#include <deque>
#include <map>
#include <mutex>

namespace hanse {

/// Severity of a log line; `quiet` is for configuration only.
enum class log_level : std::uint8_t { quiet, error, warning, info, debug, trace };

/// A line for the log: `event` in snake_case, then key=value pairs.
using log_fields = std::vector<std::pair<std::string_view, std::string>>;

/// Where log lines go; called from any thread. Default: logfmt to standard error.
using log_sink = std::function<void(log_level, std::string_view event, const log_fields&)>;

/// Writes logfmt lines to `stream` (time, level, event, fields), flushing each. The stream must outlive the sink.
log_sink make_logfmt_sink(std::FILE* stream);

inline constexpr std::size_t trace_events_max = 16384; ///< remembered per node; a guess, about 4 MiB

/// What a test replaces to run nodes under a seed, in virtual time, on CAF's testing scheduler
/// (test/actors/seeded_world.hpp). Empty members: the real ones.
struct node_environment {
  std::function<std::uint64_t()> now_us = {}; ///< never goes back; called from any thread
  std::shared_ptr<random_source> random = {}; ///< of this node alone
  std::function<void()> run_actors = {};      ///< called before a function of `node` waits for an answer
};

/// Counts what the node does. One increment is two relaxed atomic additions.
class node_counters {
public:
  node_counters(caf::actor_system& system, const identity& node);

  void drop(errc reason, std::uint64_t count = 1);
  std::map<std::string, std::uint64_t> drops() const; ///< by reason, non-zero ones

  std::uint64_t posted() const noexcept { return posted_.value.load(std::memory_order_relaxed); }

  /// One counter: ours for the control socket, CAF's for Prometheus.
  struct dual {
    std::atomic<std::uint64_t> value{0};
    caf::telemetry::int_counter* exported = nullptr;
    void inc(std::uint64_t n = 1) {
      value.fetch_add(n, std::memory_order_relaxed);
      exported->inc(static_cast<int64_t>(n));
    }
  };
  dual sent, received, delivered, batches_sent, batches_received, octets_sent, octets_received;
  dual relayed, bundles_sent, bundles_received; ///< passed on for others; of this node, by relay or courier
  caf::telemetry::int_gauge* links = nullptr;

private:
  dual posted_;
  std::array<std::atomic<std::uint64_t>, 256> drops_{};
  caf::telemetry::int_counter_family* drop_family_ = nullptr;
  std::string node_;
};

/// Shared by the actors of one node through `services_ptr`.
class node_services {
public:
  node_services(caf::actor_system& system, const identity& self, log_level level, log_sink sink,
                node_environment environment = {});

  /// Microseconds since the Unix epoch; steady within a life, wall clock at its start.
  std::uint64_t now_us() const;
  time_ms now_ms() const { return now_us() / 1000; }

  random_source& random() const noexcept { return *environment_.random; }

  /// A no-op outside of tests; see node_environment.
  void run_actors() const {
    if (environment_.run_actors) environment_.run_actors();
  }

  void log(log_level level, std::string_view event, const log_fields& fields = {}) const;
  bool logs(log_level level) const noexcept { return level <= level_; }

  /// Remembers a step of a traced message; a no-op for messages without a trace id.
  void trace(const envelope& e, std::string_view event, std::string detail = {});
  std::vector<trace_event> trace_of(const trace_id& id) const;

  /// The first remembered step of each of the `count` traces that began last here; newest first.
  std::vector<trace_event> newest_traces(std::size_t count) const;

  node_counters counters;
  const identity self;
  std::function<void(const error&)> on_fatal; ///< set before the actors start

private:
  node_environment environment_;
  std::uint64_t wall_start_us_;
  std::chrono::steady_clock::time_point steady_start_;
  log_level level_;
  log_sink sink_;
  mutable std::mutex trace_mutex_;
  std::deque<trace_event> traces_;
};

using services_ptr = std::shared_ptr<node_services>;

} // namespace hanse
