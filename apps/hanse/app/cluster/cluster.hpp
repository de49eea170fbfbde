// The node processes of a scenario: their directories, starting, stopping, killing, and asking them.
// Not the steps (step_runner.hpp). Nothing that is started here is alive after the destructor, unless it is kept.
#pragma once

#include "hanse/app/cluster/child_process.hpp"
#include "hanse/app/cluster/cluster_network.hpp"
#include "hanse/app/cluster/scenario.hpp"
#include "hanse/app/control_backend.hpp"

#include <set>

namespace hanse::app {

struct cluster_options {
  std::filesystem::path program;   ///< what runs a node: PROGRAM node run --json CONFIG
  std::filesystem::path directory; ///< ours alone; every node has a directory in it
  bool keep = false;               ///< nodes may outlive this process
};

/// How far a step may go, and whom it had to do with (for the logs to show when it fails). Thread-safe.
class step_scope {
public:
  step_scope(steady_time deadline, const stop_event& abort) : deadline(deadline), abort(abort) {}

  const steady_time deadline;
  const stop_event& abort;

  void involve(const std::string& node);
  std::set<std::string> involved() const;

  /// Milliseconds that are left, at least 1.
  milliseconds left() const;

  /// A short pause between two looks at something. Errors: `cancelled`, `timed_out`.
  expected<unit> pause() const;

private:
  mutable std::mutex mutex_;
  std::set<std::string> involved_; ///< guarded by mutex_
};

/// A node as the summary and `--keep` tell of it.
struct node_summary {
  std::string name;
  std::string identity;
  std::filesystem::path directory;
  std::filesystem::path socket;
  pid_t pid = 0;
  std::uint32_t starts = 0;
  bool running = false;
  bool paused = false; ///< by a step: it answers nothing
};

/// A domain that a step has made.
struct cluster_domain {
  std::string identity;
  std::string ticket;
  std::string key_file, wrong_key_file; ///< with psk
};

/// What the nodes talk over, for the output and the report.
struct network_summary {
  std::string kind = "loopback"; ///< or namespaces
  std::string links;             ///< of namespaces: "veth" (plain or with netem), "emulated"
  std::string note;              ///< what is not as the scenario wants it, and why
  std::string removal;           ///< how to remove it, if it is kept
};

/// Thread-safe: steps may run at once.
class cluster {
public:
  cluster(const scenario& plan, cluster_options options);

  /// Stops what still runs: SIGTERM, after 5 s SIGKILL, and waits for all.
  ~cluster();

  /// Makes the network, and every node's directory, key and configuration. Errors: `io_error`, …
  expected<unit> prepare();

  /// Starts all nodes at once and waits until they are ready. Error: who is not, and why.
  expected<unit> start_all(step_scope& scope);

  expected<unit> start(const std::string& node, step_scope& scope);
  expected<unit> kill(const std::string& node, step_scope& scope);
  expected<unit> stop(const std::string& node, step_scope& scope);
  expected<unit> pause(const std::string& node, step_scope& scope);
  expected<unit> resume(const std::string& node, step_scope& scope);

  /// Asks a node over its control socket, at most until the step's deadline.
  control_result ask(const std::string& node, const nlohmann::json& request, step_scope& scope);

  /// The control socket of a node, for what `ask` does not do.
  std::filesystem::path socket_of(const std::string& node) const;

  /// The identity of a node or engine as text. Asked for once: it stays the same wherever the engine moves.
  expected<std::string> identity_of(const endpoint& e, step_scope& scope);

  void add_domain(const std::string& name, cluster_domain d);
  expected<cluster_domain> domain(const std::string& name);

  /// Remembers that an engine is found at another node too.
  void moved(const std::string& engine, const std::string& from, const std::string& to);

  /// Fills ${identity:NODE/ENGINE}, ${domain:NAME} and ${dir} in the texts of `value`.
  expected<nlohmann::json> fill(const nlohmann::json& value, step_scope& scope);

  /// The ticket that a node printed when it was ready.
  expected<std::string> ticket_of(const std::string& node);

  /// Whether a node ended that nobody ended on purpose. After a failure `grace` gives it time to be seen.
  expected<unit> check_alive(milliseconds grace);

  /// The end of a node's log.
  std::string log_tail(const std::string& node, std::size_t lines) const;

  /// A node's own directory, which its process runs in.
  std::filesystem::path directory_of(const std::string& node) const;

  std::vector<node_summary> nodes() const;
  const std::filesystem::path& directory() const noexcept { return options_.directory; }

  /// The namespaces; null: there are none, and the summary's note says why. Between `prepare` and `stop_all`.
  cluster_network* network() const noexcept { return network_.get(); }
  const network_summary& network_facts() const noexcept { return network_facts_; }

  void stop_all();
  void keep_running();

private:
  struct node;

  node& find(const std::string& name) const;
  expected<unit> make_network();
  expected<unit> launch(node& n);
  expected<unit> await_ready(node& n, step_scope& scope);
  expected<unit> await_end(node& n, step_scope& scope, const char* what);
  expected<std::string> look_up(const endpoint& e, step_scope& scope);

  const scenario& plan_;
  cluster_options options_;
  process_starter starter_;                  ///< before the nodes: outlives them
  std::unique_ptr<cluster_network> network_; ///< likewise
  network_summary network_facts_;            ///< fixed once prepared
  std::vector<std::unique_ptr<node>> nodes_;
  std::mutex identities_mutex_;
  std::map<std::string, std::string> identities_; ///< by endpoint text; guarded by identities_mutex_
  std::map<std::string, cluster_domain> domains_; ///< guarded by identities_mutex_
};

} // namespace hanse::app
