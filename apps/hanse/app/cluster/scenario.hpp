// A cluster scenario: nodes, and steps that are done with them, read from JSON and checked. Described in
// docs/cluster.md. Not the running of it (cluster_run.hpp).
#pragma once

#include "hanse/app/cluster/link_shape.hpp"
#include "hanse/app/object_reader.hpp"
#include "hanse/domains/domain_config.hpp"

#include <chrono>
#include <nlohmann/json.hpp>
#include <variant>

namespace hanse::app {

using std::chrono::milliseconds;

inline constexpr std::size_t scenario_nodes_max = 256; ///< processes on one machine; a guess

/// Where a node listens unless the scenario says otherwise.
inline constexpr const char* loopback_listen = "tls://127.0.0.1:0";

struct scenario_node {
  std::string name;
  nlohmann::json config; ///< complete, relative to the node's own directory
};

/// "node2/calculator" (an engine, by the node that has it) or "node2" (the node itself).
struct endpoint {
  std::string node;
  std::string engine;

  std::string text() const { return engine.empty() ? node : node + "/" + engine; }
};

/// Exchanges tickets: mesh, line, star (the first is the centre), ring.
struct add_step {
  std::string shape;
  std::vector<std::string> nodes;
};

struct ping_step {
  std::string from;
  endpoint to;
  std::uint32_t count = 1;
};

/// Sends a message `count` times, and compares every reply.
struct call_step {
  endpoint from;
  endpoint to;
  std::string domain; ///< instead of `to`: any member of it
  std::string protocol;
  nlohmann::json body;
  std::optional<nlohmann::json> expect;
  std::string expect_error; ///< the name of an errc: the call has to fail with it
  std::uint32_t count = 1;
  bool reliable = false;
};

/// A file from a file_sender engine to a file_receiver engine; three hashes have to agree.
struct send_file_step {
  endpoint from;
  endpoint to;
  std::filesystem::path file;
  std::string sender_protocol;
  std::string receiver_protocol;
};

/// kill (SIGKILL), stop (SIGTERM), restart, pause (SIGSTOP), resume (SIGCONT).
struct process_step {
  std::string action;
  std::vector<std::string> nodes;
};

struct move_step {
  std::string engine;
  std::string from;
  std::string to;
};

/// spawn_engine and stop_engine.
struct engine_step {
  bool spawn = true;
  std::string node;
  std::string name;
  std::string type;
  nlohmann::json parameters;
  std::vector<std::string> serves; ///< domains
};

/// Has `from` send something bad to `to`, `count` times; `to` has to count that many drops for one of the reasons.
struct inject_step {
  std::string kind;
  std::string from;
  endpoint to;
  std::optional<endpoint> claim;
  std::uint32_t count = 1;
  std::vector<std::string> counted_as;
};

/// A value that a node reports, compared. `wait`: until it holds.
struct check_step {
  bool wait = false;
  std::string node;
  std::string of; ///< status, peers, engines or counters
  std::string value;
  std::string comparison; ///< equals, differs, at_least, at_most
  nlohmann::json than;
};

/// Makes a domain: an owner, a key, a signed advert with these nodes as introducers, files in the cluster's directory.
struct domain_create_step {
  std::string domain;
  bool psk = false;
  std::map<std::string, std::vector<std::string>> instances; ///< introducers by name; of the domain as a whole by ""
  protocol_stack stack;
};

/// Has nodes enter a domain, and waits for it (or for the refusal that is expected).
struct domain_join_step {
  std::string domain;
  std::vector<std::string> nodes;
  std::string instance;
  bool wrong_key = false;
  std::string expect_error;
};

/// One operation at one node: put, promote, expel, leave.
struct domain_do_step {
  std::string domain, node, action, member, key, value;
  std::uint32_t level = 10;
};

/// Waits until these nodes list `members` members and agree on the state.
struct domain_check_step {
  std::string domain;
  std::vector<std::string> nodes;
  std::uint32_t members = 0;
};

/// Makes a topic of a domain: a key, an advert that `node` is told.
struct topic_create_step {
  std::string topic, domain, node;
  std::vector<std::string> publishers; ///< nodes; empty: whom the domain permits
};

/// Has nodes subscribe, and waits until each has joined and knows of all the others.
struct topic_subscribe_step {
  std::string topic;
  std::vector<std::string> nodes;
};

/// Has a node publish `count` numbered events, one every `every_ms`; each names what was delivered there before.
struct topic_publish_step {
  std::string topic, node;
  std::uint32_t count = 1, every_ms = 0;
};

/// Waits until all that was published arrived at these nodes, and checks its order there (topic_trial.hpp).
struct topic_check_step {
  std::string topic;
  std::vector<std::string> nodes;
};

/// Puts a file, or generated octets, at a node, with replicas at other members of the domain.
struct content_put_step {
  std::string content, node, domain;
  std::filesystem::path file;  ///< empty: generated
  std::uint64_t mebibytes = 1; ///< of what is generated
  std::uint32_t replicas = 0;
};

/// Gets content and compares hashes. `kill`: so many of the nodes that keep it as replicas are killed meanwhile, and
/// started again afterwards.
struct content_get_step {
  std::string content;
  std::string node; ///< empty: the first one that neither put it nor keeps it
  std::uint32_t kill = 0;
};

/// What the links of these nodes are like from now on.
struct shape_step {
  std::vector<std::string> nodes;
  link_shape shape;
};

/// Cuts the network into groups: nothing passes between them, and nobody is told. Every node is in one of them.
struct partition_step {
  std::vector<std::vector<std::string>> groups;
};

/// Ends a partition.
struct heal_step {};

/// Calls at a steady pace from several nodes at once.
struct load_step {
  std::vector<endpoint> from;
  endpoint to;
  std::string domain; ///< instead of `to`: any member of it
  std::string protocol;
  nlohmann::json body;
  std::optional<nlohmann::json> expect;
  double per_second = 0;     ///< of each of `from`
  milliseconds length{5000}; ///< how long
  std::uint32_t at_once = 8; ///< calls of one of `from` that may be under way
  std::uint64_t failed_max = 0;
};

struct scenario_step;

/// Steps that run at once (parallel), or beside what follows (background, until joined).
struct group_step {
  bool background = false;
  bool repeat = false; ///< again and again until joined, at least once
  std::vector<scenario_step> steps;
};

/// Waits for background steps by name; without names, for all.
struct join_step {
  std::vector<std::string> names;
};

struct scenario_step {
  std::string name; ///< for people and for `join`
  std::string kind; ///< as in the file
  std::size_t line = 0;
  milliseconds timeout{30'000};
  std::variant<add_step, ping_step, call_step, send_file_step, process_step, move_step, engine_step, inject_step,
               check_step, domain_create_step, domain_join_step, domain_do_step, domain_check_step, topic_create_step,
               topic_subscribe_step, topic_publish_step, topic_check_step, content_put_step, content_get_step,
               shape_step, partition_step, heal_step, load_step, group_step, join_step>
      what;
};

/// What the nodes talk over: this machine's loopback; network namespaces; or these if they can be made.
enum class network_kind { loopback, namespaces, automatic };

struct scenario {
  std::filesystem::path file;
  std::string name;
  network_kind network = network_kind::loopback;
  link_shape link;                    ///< of every node, from the start
  milliseconds timeout{300'000};      ///< for all of it
  milliseconds ready_timeout{30'000}; ///< for a node to be ready
  std::vector<scenario_node> nodes;
  std::vector<scenario_step> steps;
};

/// Values for the scenario's variables, from the command line: they replace those of its "set".
using scenario_variables = std::map<std::string, std::string>;

/// Errors: `bad_config` with everything that is wrong, one a line with file, line and key path; `io_error`.
expected<scenario> load_scenario(const std::filesystem::path& file, const scenario_variables& variables);
expected<scenario> parse_scenario(std::string_view text, const std::filesystem::path& file,
                                  const scenario_variables& variables);

/// What steps may name, for checking them while they are read.
struct scenario_names {
  std::vector<std::string> nodes;
  std::vector<std::string> engines; ///< on whatever node
  std::vector<std::string> backgrounds;
  std::vector<std::string> domains;  ///< created by an earlier step
  std::vector<std::string> topics;   ///< likewise
  std::vector<std::string> contents; ///< likewise, put
  network_kind network = network_kind::loopback;
};

/// A problem at `key` unless `name` is one of `known`; suggests the closest.
void check_name(object_reader& in, const std::string& key, const char* what, const std::vector<std::string>& known,
                const std::string& name);

/// Reads one step (scenario_steps.cpp).
scenario_step read_step(object_reader& in, scenario_names& names);

/// Those about domains (scenario_domain_steps.cpp); false if `step.kind` is none of them.
bool read_domain_step(object_reader& in, scenario_names& names, scenario_step& step);
inline constexpr const char* domain_step_kinds[] = {"domain_check", "domain_create", "domain_do", "domain_join"};

/// Those about topics (scenario_topic_steps.cpp); false if `step.kind` is none of them.
bool read_topic_step(object_reader& in, scenario_names& names, scenario_step& step);
inline constexpr const char* topic_step_kinds[] = {"topic_check", "topic_create", "topic_publish", "topic_subscribe"};

/// Those about content (scenario_content_steps.cpp); false if `step.kind` is none of them.
bool read_content_step(object_reader& in, scenario_names& names, scenario_step& step);
inline constexpr const char* content_step_kinds[] = {"content_get", "content_put"};

/// Those about the network, and `load` (scenario_network_steps.cpp); false if `step.kind` is none of them.
bool read_network_step(object_reader& in, scenario_names& names, scenario_step& step);
inline constexpr const char* network_step_kinds[] = {"heal", "load", "partition", "shape_link"};

/// latency_ms, jitter_ms, loss_percent and rate_mbit of an object.
link_shape read_link_shape(object_reader& in);

/// Whether any of these steps is a shape_link.
bool shapes_links(const std::vector<scenario_step>& steps);

} // namespace hanse::app
