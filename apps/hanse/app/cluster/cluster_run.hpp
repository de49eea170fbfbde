// Runs a scenario from start to end: nodes up, steps in order, background steps beside them, everything down again.
// Not single steps (step_runner.hpp) and not the output (timeline.hpp, cluster_report.hpp).
#pragma once

#include "hanse/app/cluster/timeline.hpp"

#include <list>

namespace hanse::app {

/// The last lines of a node's log, for a failure.
struct log_excerpt {
  std::string node;
  std::filesystem::path file;
  std::string text;
};

/// What came of a run.
struct run_report {
  std::string scenario;
  bool ok = false;
  bool interrupted = false;
  bool kept = false;   ///< nodes are left running
  std::string problem; ///< of the run, if it is not that of a step
  std::uint64_t elapsed_us = 0;
  std::filesystem::path directory;
  network_summary network;
  std::vector<step_record> steps;
  std::vector<node_summary> nodes;
  std::vector<log_excerpt> logs; ///< of the nodes that the failed step had to do with
};

/// One run. `abort` ends it early: Ctrl-C sets it, a failure does too.
class cluster_run {
public:
  cluster_run(const scenario& plan, cluster_options options, timeline& shown, stop_event& abort);
  ~cluster_run();

  /// Blocks until all is over. Whatever happened, no process that was started is alive after, unless it is kept.
  run_report run();

private:
  struct background;

  expected<unit> bring_up();
  expected<unit> run_steps();
  expected<unit> run_step(const scenario_step& step, step_record& record);
  expected<step_outcome> perform(const scenario_step& step, step_scope& scope);
  expected<step_outcome> run_parallel(const group_step& group, step_scope& scope);
  void start_background(const scenario_step& step, step_record& record);
  void work(background& b);
  expected<step_outcome> join(const std::vector<std::string>& names, step_scope& scope);
  expected<unit> join_one(background& b, step_scope& scope);
  expected<unit> check_backgrounds();
  void finish(step_record& record, const expected<step_outcome>& outcome, const step_scope& scope);
  std::uint64_t since_start() const;
  void conclude(run_report& report);

  const scenario& plan_;
  const bool keep_;
  timeline& shown_;
  stop_event& abort_;
  cluster cluster_;
  step_runner runner_{cluster_};
  steady_time start_;
  steady_time deadline_;
  std::vector<step_record> records_;  ///< one for starting the nodes, one for each step; never resized while running
  std::list<background> backgrounds_; ///< touched by the running thread only; their members say what is shared
};

} // namespace hanse::app
