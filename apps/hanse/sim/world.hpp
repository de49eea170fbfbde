// What the nodes of one run share: virtual time, the network, the faults of messages, the judge and the trace.
// Internal to the simulator. Not the loop (simulation.cpp) and not a node (sim_node.hpp).
#pragma once

#include "hanse/sim/agenda.hpp"
#include "hanse/sim/domain_setup.hpp"
#include "hanse/sim/invariants.hpp"
#include "hanse/sim/signing.hpp"
#include "hanse/sim/simulation.hpp"

#include "hanse/protocols/advert.hpp"

#include <map>
#include <memory>
#include <unordered_map>
#include <variant>

namespace hanse::sim {

class sim_node;

/// Faults of single messages on their way out: loss, duplicates, replays, reordering. They are put on signed payloads
/// above the link, since streams below it are reliable.
class message_chaos {
public:
  explicit message_chaos(std::uint64_t seed) : random_(seed) {}

  /// Precondition: `rule` is a loss, duplicate, replay or reorder.
  void add(const action& rule) { rules_.push_back(rule); }
  void clear() { rules_.clear(); }

  /// When copies of a payload go out, from now: {0} in the best case, nothing if it is lost.
  void delays(std::uint32_t from, std::uint32_t to, time_ms now, std::vector<time_ms>& out);

private:
  seeded_random random_;
  std::vector<action> rules_;
};

/// A message of the workload, by its number.
struct message_info {
  std::uint32_t from = 0, to = 0;
  std::uint32_t reply_permille = 0;
  std::uint32_t ttl_ms = 0;
  bool reliable = false;
  bool probe = false; ///< sent after the faults: has to arrive
};

/// An advert that was decoded, and so verified, once for all nodes.
using parsed_advert = std::variant<signed_node_advert, signed_engine_advert>;

struct run_counters {
  std::uint64_t sent = 0, refused = 0, delivered = 0, confirmed = 0, failed = 0, in_doubt = 0;
  std::uint64_t payloads = 0, octets = 0, payloads_lost = 0, payloads_repeated = 0, payloads_late = 0;
  std::uint64_t starts = 0, crashes = 0, commits = 0, disk_errors = 0, dials = 0, links = 0, links_lost = 0;
  std::uint64_t adverts_learned = 0, misdeeds = 0, pauses = 0, clock_jumps = 0, network_events = 0;
  std::uint64_t role_changes = 0, writes = 0, removals = 0, promotions = 0, operations_refused = 0;
  std::uint64_t events = 0, events_refused = 0, topic_joins = 0, gaps = 0, proofs = 0;
  std::map<errc, std::uint64_t> dropped;
};

struct world {
  world(const scenario& s, std::uint64_t seed, trace_log* log);
  ~world();

  void record(trace_kind what, std::uint32_t node, std::uint64_t x = 0, std::uint64_t y = 0, std::string text = {}) {
    trace_record r{now, what, node, x, y, {}};
    hash.add(r);
    if (!log) return;
    r.text = std::move(text);
    log->add(std::move(r));
  }
  void drop(std::uint32_t node, std::uint64_t message, errc why) {
    ++counters.dropped[why];
    record(trace_kind::drop, node, message, static_cast<std::uint64_t>(why));
  }

  /// A new message; the next number.
  std::uint64_t number(const message_info& m);

  /// The node whose node or engine identity it is; any_node if nobody's.
  std::uint32_t owner(const identity& id) const;

  /// Verifies and decodes, once per advert.
  expected<parsed_advert> parse(const bytes& wire);

  const scenario& what;
  const std::uint64_t seed;
  time_ms now = 0; ///< virtual, since the start
  bool healed = false;
  agenda events;
  sim_network net;
  signing_policy signing;
  message_chaos chaos;
  checker judge;
  std::unique_ptr<domain_setup> domain; ///< null where the scenario has none
  trace_hash hash;
  trace_log* log;
  run_counters counters;
  std::vector<std::unique_ptr<sim_node>> nodes;
  std::unordered_map<identity, std::uint32_t> owners;
  std::vector<message_info> messages{1}; ///< by number, from 1
  std::uint64_t probes_open = 0;

private:
  std::unordered_map<std::string, parsed_advert> adverts_;
};

/// What `network_host` gives is the name of node `index` in sim_network.
std::string network_host(std::uint32_t index);

} // namespace hanse::sim
