// See the header.
#include "hanse/app/cluster/topic_trial.hpp"

#include <algorithm>

namespace hanse::app {

using nlohmann::json;

json trial_event::to_body() const {
  auto list = json::array();
  for (const auto& [name, n] : after) list.push_back({name, n});
  return json::array({publisher, number, std::move(list)});
}

expected<trial_event> trial_event::from_body(const json& body) {
  try {
    trial_event e{body.at(0), body.at(1), {}};
    for (const auto& a : body.at(2)) e.after[a.at(0)] = a.at(1);
    return e;
  } catch (const json::exception&) {
    return error{errc::bad_value, "an event that no step has published: " + body.dump().substr(0, 80)};
  }
}

expected<unit> append(delivery_log& log, trial_event e) {
  const auto name = e.publisher + " " + std::to_string(e.number);
  auto& life = log.lives.back();
  const auto i = log.last.find(e.publisher);
  // The history of a second life may begin in the middle.
  if (i == log.last.end() && log.lives.size() == 1 && e.number != 1)
    return error{errc::bad_value, "event " + name + " came first"};
  if (i != log.last.end() && e.number != i->second + 1)
    return error{errc::bad_value, "event " + name + " came after number " + std::to_string(i->second)};
  for (const auto& before : life) {
    const auto named = before.after.find(e.publisher);
    if (named != before.after.end() && named->second >= e.number)
      return error{errc::bad_value, "event " + name + " came after " + before.publisher + " " +
                                        std::to_string(before.number) + ", which depends on it"};
  }
  log.last[e.publisher] = e.number;
  life.push_back(std::move(e));
  return ok();
}

std::string missing_of(const delivery_log& log, const event_numbers& published) {
  std::map<std::string, std::set<std::uint64_t>> there;
  for (const auto& life : log.lives)
    for (const auto& e : life) there[e.publisher].insert(e.number);
  std::string missing;
  for (const auto& [publisher, count] : published)
    if (const auto have = there[publisher].size(); have < count) {
      std::uint64_t first = 1;
      while (there[publisher].contains(first)) ++first;
      missing += (missing.empty() ? "" : ", ") + std::to_string(count - have) + " of " + publisher + " from number " +
                 std::to_string(first);
    }
  return missing;
}

log_summary summary_of(const delivery_log& log) {
  log_summary s;
  for (const auto& life : log.lives)
    for (const auto& e : life) {
      ++s.events;
      s.dependencies += e.after.size();
    }
  return s;
}

topic_trial::subscriber& topic_trial::at(const std::string& node) {
  std::lock_guard guard{mutex};
  auto& s = subscribers[node];
  if (!s) s = std::make_unique<subscriber>();
  return *s;
}

} // namespace hanse::app
