// What a scenario published to a topic, and what its nodes delivered: an oracle of causal order beside the protocol's.
// Each event names, for every publisher, the last event that its publisher's node had delivered before: none of these
// may come after it anywhere. Not the steps (topic_steps.cpp); it talks to nobody.
#pragma once

#include "hanse/crypto/error.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace hanse::app {

/// By publisher (a node's name): the number of an event, from 1.
using event_numbers = std::map<std::string, std::uint64_t>;

/// An event of the scenario's as it travels, a JSON list, and as it is delivered.
struct trial_event {
  std::string publisher;
  std::uint64_t number = 0;
  event_numbers after;

  nlohmann::json to_body() const;
  static expected<trial_event> from_body(const nlohmann::json& body); ///< Errors: `bad_value`
};

/// What one node delivered, in its order. A node that was restarted begins another life, with history.
struct delivery_log {
  std::vector<std::vector<trial_event>> lives{{}};
  event_numbers last; ///< of the present life
};

struct log_summary {
  std::uint64_t events = 0;       ///< in all lives
  std::uint64_t dependencies = 0; ///< on events of others that were checked
};

/// Appends to the present life, and checks: each publisher's events in their order, none left out, none twice, none
/// after one that names it. Errors: `bad_value`, which says what is wrong.
expected<unit> append(delivery_log& log, trial_event e);

/// What of `published` is in no life; empty: nothing is missing.
std::string missing_of(const delivery_log& log, const event_numbers& published);

log_summary summary_of(const delivery_log& log);

/// One topic of a scenario. Threads: one lock for what was published, one a node for its log.
struct topic_trial {
  struct subscriber {
    std::mutex mutex;
    std::uint64_t subscription = 0; ///< 0: none
    std::uint32_t starts = 0;       ///< of the node's process when it subscribed
    delivery_log log;
  };

  std::string identity;
  std::mutex mutex;
  event_numbers published;                                        ///< guarded by mutex
  std::map<std::string, std::unique_ptr<subscriber>> subscribers; ///< by node; the map is guarded by mutex

  subscriber& at(const std::string& node);
};

} // namespace hanse::app
