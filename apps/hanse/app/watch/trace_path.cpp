// Asks all nodes at once and merges by time.
// Answers are a node's: what has not the expected form counts as time 0, and is shown.
#include "hanse/app/watch/trace_path.hpp"

#include "hanse/app/control_wire.hpp"

#include <algorithm>
#include <future>
#include <map>

namespace hanse::app {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

std::vector<control_result> ask_all(const std::vector<std::filesystem::path>& sockets, const json& request,
                                    milliseconds wait, const stop_event* cancel) {
  std::vector<std::future<control_result>> asked;
  for (const auto& socket : sockets)
    asked.push_back(std::async(std::launch::async, [&] { return ask_node(socket, request, wait, cancel); }));
  std::vector<control_result> answers;
  for (auto& a : asked) answers.push_back(a.get());
  return answers;
}

std::uint64_t time_of(const json& e) {
  const auto i = e.find("time_us");
  return i != e.end() && i->is_number_unsigned() ? i->get<std::uint64_t>() : 0;
}

json list_at(const control_result& answer, const char* key) {
  if (!answer) return json::array();
  const auto i = answer->find(key);
  return i != answer->end() && i->is_array() ? *i : json::array();
}

json sorted(std::vector<json> entries, bool newest_first) {
  std::ranges::stable_sort(entries, [&](const json& a, const json& b) {
    return newest_first ? time_of(a) > time_of(b) : time_of(a) < time_of(b);
  });
  return json(std::move(entries));
}

} // namespace

json path_of_trace(const std::vector<std::filesystem::path>& sockets, const std::string& trace, milliseconds wait,
                   const stop_event* cancel) {
  const auto answers = ask_all(sockets, {{"command", "trace"}, {"id", trace}}, wait, cancel);
  std::vector<json> events;
  auto nodes = json::array();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto seen = list_at(answers[i], "events");
    nodes.push_back({{"socket", sockets[i].string()},
                     {"ok", answers[i].has_value()},
                     {"events", seen.size()},
                     {"error", answers[i] ? json(nullptr) : to_json(answers[i].error())}});
    events.insert(events.end(), seen.begin(), seen.end());
  }
  return {{"trace", trace}, {"events", sorted(std::move(events), false)}, {"nodes", nodes}};
}

json newest_traces(const std::vector<std::filesystem::path>& sockets, milliseconds wait, const stop_event* cancel) {
  std::map<std::string, json> first; // of each, the earliest step that any node saw
  for (const auto& answer : ask_all(sockets, {{"command", "traces"}}, wait, cancel))
    for (const auto& t : list_at(answer, "traces")) {
      auto [at, is_new] = first.try_emplace(t.value("trace", ""), t);
      if (!is_new && time_of(t) < time_of(at->second)) at->second = t;
    }
  std::vector<json> all;
  for (auto& [id, t] : first) all.push_back(std::move(t));
  auto list = sorted(std::move(all), true);
  if (list.size() > traces_listed_max) list.erase(list.begin() + traces_listed_max, list.end());
  return {{"traces", std::move(list)}};
}

} // namespace hanse::app
