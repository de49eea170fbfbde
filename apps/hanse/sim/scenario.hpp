// What a simulation is told: nodes, network, workload, faults, and what must hold. Plain data; docs/simulation.md.
// Not its JSON form (app/sim/scenario_file.hpp) and not the concrete schedule that follows from a seed (plan.hpp).
#pragma once

#include "hanse/transport/sim_network.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hanse::sim {

inline constexpr std::uint32_t nodes_max = 10'000;           ///< of one simulation; a guess
inline constexpr time_ms duration_max_ms = 24 * 3600 * 1000; ///< virtual; a guess
inline constexpr std::size_t rules_max = 256;                ///< groups, links, workloads, faults, each; a guess
inline constexpr std::size_t actions_max = 10'000'000;       ///< of one schedule; a guess

/// A closed range of whole numbers.
struct range {
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  friend bool operator==(const range&, const range&) = default;
};

/// Virtual milliseconds since the start of the run; `to_ms` 0: until the faulty phase ends.
struct period {
  time_ms from_ms = 0;
  time_ms to_ms = 0;
};

/// Nodes with one engine each. Node names are the group's name and a number: "core0", "core1", …
struct node_group {
  std::string name;
  std::uint32_t count = 1;
};

/// Conditions of the paths from the nodes of one group to those of another; "*" is every group. Later rules win.
struct link_rule {
  std::string from = "*";
  std::string to = "*";
  sim_path path;
};

/// What a rule of the workload makes nodes do.
enum class work_kind : std::uint8_t {
  unicast, ///< messages from engines of one group to engines of another
  put,     ///< a member writes one of a few registers of the domain
  promote, ///< an introducer gives a member another level
  expel,   ///< an introducer expels a member that is none, for good
  leave,   ///< a member leaves, and comes back after `away_ms`
  publish, ///< a member publishes in `topic`
};
inline constexpr std::size_t work_kind_count = 6;

/// Work of the nodes of one group. `to`, and what is said of messages, is for unicast; `to` also for promote and expel.
struct workload_rule {
  work_kind what = work_kind::unicast;
  std::string from = "*";
  std::string to = "*";
  std::uint32_t per_minute = 60;  ///< messages of each sender, at seeded times
  std::uint32_t destinations = 0; ///< each sender keeps to so many seeded receivers; 0: all
  range body_octets{8, 64};       ///< 8 at least: a message carries its number
  std::uint32_t ttl_ms = 60'000;
  std::uint32_t reliable_permille = 1000; ///< the others are unreliable tells
  std::uint32_t reply_permille = 0;       ///< deliveries that make the receiver send to a seeded engine: causal chains
  std::string topic;                      ///< publish: the name
  range away_ms{5'000, 15'000};           ///< leave; 0: for good
  period when;
};

/// One domain that nodes enter.
struct domain_rule {
  std::string members = "*";                     ///< the group whose nodes enter
  std::uint32_t introducers = 2;                 ///< the first so many of them
  bool psk = true;                               ///< newcomers prove that they know a key
  range enter_ms{0, 3'000};                      ///< when each enters first
  std::string dissemination = "full-mesh/1";     ///< of topics
  std::map<std::string, std::string> parameters; ///< of that protocol
};

/// One topic of that domain. Nodes that publish there need not subscribe.
struct topic_rule {
  std::string name;
  std::string subscribers = "*"; ///< members of the domain only
  std::uint32_t history = 0;     ///< earlier events that subscribers ask for
};
inline constexpr std::size_t topics_max = 16; ///< of one scenario; a guess

enum class fault_kind : std::uint8_t {
  loss,       ///< messages vanish between two nodes
  duplicate,  ///< messages come twice
  replay,     ///< messages come again, up to two minutes later
  reorder,    ///< messages are held back for up to `length_ms`
  clog,       ///< one direction between two nodes stands still for `length_ms`
  partition,  ///< a seeded part of the nodes is cut off for `length_ms`
  pause,      ///< a node does nothing for `length_ms`
  clock_jump, ///< a node restarts with a clock that is wrong by up to `length_ms`, until the healed phase
  crash,      ///< a node stops at a durable step, and starts again after `length_ms` from what was durable
  disk_error, ///< a commit fails: the node stops, and starts again after `length_ms`
  byzantine,  ///< `count` nodes misbehave from the start; the domain's first introducer is never one of them
};

enum class partition_mode : std::uint8_t { symmetric, asymmetric, flapping };

enum class byzantine_behaviour : std::uint8_t {
  equivocate, ///< two signed versions of one advert, of one message
  withhold,   ///< takes everything and neither handles, acknowledges nor passes on
  replay,     ///< sends what it received or sent before again
  forge,      ///< messages and adverts in the name of others, with signatures that do not fit
  flood,      ///< as much as the links take
};

/// One kind of fault. Rates draw seeded times over the period; `at_ms` gives exact ones instead.
struct fault_rule {
  fault_kind what = fault_kind::loss;
  std::string from = "*";       ///< nodes it befalls, or that send
  std::string to = "*";         ///< nodes that receive; loss, duplicate, replay, reorder, clog
  std::uint32_t permille = 0;   ///< of messages; loss (at most 300), duplicate, replay, reorder (at most 500)
  std::uint32_t per_minute = 0; ///< occurrences over all nodes; the others
  std::vector<time_ms> at_ms;   ///< occurrences at exact times
  range length_ms{100, 3000};   ///< of an occurrence
  partition_mode mode = partition_mode::symmetric;
  byzantine_behaviour behaviour = byzantine_behaviour::withhold;
  std::uint32_t count = 1; ///< byzantine nodes
  period when;
};

/// Names of what must hold; see invariants.hpp. All are checked unless a scenario names fewer.
enum class invariant : std::uint8_t {
  causal_order,
  at_most_once,
  no_acknowledged_loss,
  one_outcome,
  authentic,
  adverts_monotonic,
  bounded,
  converges,
  members_agree,
  values_kept,
  no_false_proof,
  event_order,
  event_once,
  no_event_lost,
};
inline constexpr std::size_t invariant_count = 14;

std::string_view to_string(work_kind k) noexcept;
std::string_view to_string(fault_kind k) noexcept;
std::string_view to_string(partition_mode m) noexcept;
std::string_view to_string(byzantine_behaviour b) noexcept;
std::string_view to_string(invariant i) noexcept;

/// Whether signatures are Ed25519 or stand-ins: the simulator's choice, unknown to the machines.
enum class signing_share : std::uint8_t {
  cheap, ///< never real
  some,  ///< real on every eighth seed
  real,
};

struct scenario {
  std::string name;
  std::vector<node_group> groups;
  std::vector<link_rule> links;
  std::vector<workload_rule> workload;
  std::vector<fault_rule> faults;
  std::optional<domain_rule> domain;
  std::vector<topic_rule> topics; ///< need a domain
  std::vector<invariant> expect;  ///< empty: all
  time_ms duration_ms = 20'000;   ///< of the phase with workload and faults
  time_ms converge_ms = 120'000;  ///< the healed phase: by its end everything must have settled
  std::uint32_t contacts = 0;     ///< tickets that each node has of others at the start; 0: of all
  bool gossip = true;             ///< adverts of others are passed on; false: nodes know their contacts only
  signing_share signatures = signing_share::some;

  std::uint32_t node_count() const noexcept;
};

/// What cannot work, with the place in the scenario: "faults[2].permille: expected 0..300". Empty: nothing is wrong.
std::vector<std::string> problems_of(const scenario& s);

/// A small scenario with a seeded choice of faults: what `sim soak` and the test matrix run.
scenario random_scenario(std::uint64_t seed);

} // namespace hanse::sim
