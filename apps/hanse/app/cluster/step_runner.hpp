// Performs the steps of a scenario on a cluster and records what came of each.
// Not the order of things around them (cluster_run.hpp) and not how they are shown (timeline.hpp).
#pragma once

#include "hanse/app/cluster/cluster.hpp"
#include "hanse/app/cluster/topic_trial.hpp"
#include "hanse/crypto/hash.hpp"

#include <atomic>
#include <functional>

namespace hanse::app {

/// What a step did.
struct step_outcome {
  std::uint64_t count = 1;          ///< calls, files, drops, …
  std::string detail;               ///< for people, short
  bool skipped = false;             ///< nothing was done, as it cannot be done here: `detail` says why
  nlohmann::json figures = nullptr; ///< for machines, if there is more to tell
};

/// A step's line in the summary and the report.
struct step_record {
  enum class state { waiting, running, done, failed, skipped };

  std::string name;
  std::string kind;
  std::size_t line = 0;
  state status = state::waiting;
  std::uint64_t count = 0;
  std::uint64_t started_us = 0; ///< since the run began
  std::uint64_t elapsed_us = 0;
  std::string detail;
  std::string problem;
  nlohmann::json figures = nullptr;
  std::vector<std::string> involved; ///< nodes
};

/// Calls of one step so far, for the progress line: done of all.
using step_progress = std::function<void(std::uint64_t done, std::uint64_t all)>;

/// Does single steps (not groups and joins). Thread-safe; throws nothing.
class step_runner {
public:
  explicit step_runner(cluster& nodes) : cluster_(nodes) {}

  expected<step_outcome> perform(const scenario_step& step, step_scope& scope, const step_progress& progress);

private:
  struct work {
    step_scope& scope;
    const step_progress& progress;
  };
  using result = expected<step_outcome>;

  result run(const add_step& s, work& w);
  result run(const ping_step& s, work& w);
  result run(const call_step& s, work& w);
  result run(const send_file_step& s, work& w);
  result run(const process_step& s, work& w);
  result run(const move_step& s, work& w);
  result run(const engine_step& s, work& w);
  result run(const inject_step& s, work& w);
  result run(const check_step& s, work& w);
  result run(const domain_create_step& s, work& w); // domain_steps.cpp
  result run(const domain_join_step& s, work& w);
  result run(const domain_do_step& s, work& w);
  result run(const domain_check_step& s, work& w);
  result run(const topic_create_step& s, work& w); // topic_steps.cpp
  result run(const topic_subscribe_step& s, work& w);
  result run(const topic_publish_step& s, work& w);
  result run(const topic_check_step& s, work& w);
  result run(const content_put_step& s, work& w); // content_steps.cpp
  result run(const content_get_step& s, work& w);
  result run(const shape_step& s, work& w); // network_steps.cpp
  result run(const partition_step& s, work& w);
  result run(const heal_step& s, work& w);
  result run(const load_step& s, work& w); // load_step.cpp
  expected<std::shared_ptr<topic_trial>> trial(const std::string& topic);
  expected<unit> collect(topic_trial& t, const std::string& node, work& w);
  expected<unit> join_domain(const domain_join_step& s, const std::string& node, work& w);
  result run(const group_step& s, work& w);
  result run(const join_step& s, work& w);

  expected<std::string> receiver(const endpoint& to, const std::string& domain, work& w);
  control_result send(const endpoint& from, const std::string& to, const std::string& protocol, nlohmann::json body,
                      bool reliable, work& w);
  expected<unit> wait_linked(const std::string& node, const std::string& peer, work& w);
  expected<std::uint64_t> drops(const std::string& node, const std::vector<std::string>& reasons, work& w);
  /// Content that was put: what came of it, for those who get it.
  struct kept_content {
    std::string capability, domain, node;
    digest hash;
    std::uint64_t size = 0;
    std::vector<std::string> keepers; ///< nodes with a replica
  };
  expected<kept_content> content(const std::string& name);
  expected<unit> receive(const kept_content& c, int from, const std::filesystem::path& to, std::uint64_t half,
                         const std::function<expected<unit>()>& at_half, work& w);
  expected<std::string> await_file(const send_file_step& s, const std::string& hash, work& w);

  cluster& cluster_;
  std::mutex trials_mutex_;
  std::map<std::string, std::shared_ptr<topic_trial>> trials_; ///< by topic; guarded by trials_mutex_
  std::map<std::string, kept_content> contents_;               ///< by name; guarded by trials_mutex_
};

} // namespace hanse::app
