// Schedules for people: names of actions and nodes, and a line for each action. See plan.hpp.
// Not how a schedule is made (plan.cpp).
#include "hanse/sim/plan.hpp"

#include <array>

namespace hanse::sim {

namespace {

constexpr std::array<std::string_view, action_kind_count> action_names{
    "send",  "loss",       "duplicate", "replay", "reorder", "clog", "block",   "pause", "clock_jump",
    "crash", "disk_error", "byzantine", "enter",  "leave",   "put",  "promote", "expel", "publish"};

std::string milliseconds(std::uint64_t n) {
  return std::to_string(n) + " ms";
}

} // namespace

std::string_view to_string(action_kind k) noexcept {
  return action_names[static_cast<std::size_t>(k)];
}

bool has_target(action_kind k) noexcept {
  return k <= action_kind::block || k == action_kind::promote || k == action_kind::expel;
}

std::string node_name(const scenario& s, std::uint32_t index) {
  if (index == any_node) return "any";
  for (const auto& g : s.groups) {
    if (index < g.count) return g.name + std::to_string(index);
    index -= g.count;
  }
  return "unknown";
}

bool in_group(const scenario& s, std::uint32_t index, std::string_view group) {
  if (group == "*") return true;
  for (const auto& g : s.groups) {
    if (index < g.count) return g.name == group;
    index -= g.count;
  }
  return false;
}

std::string describe(const action& a, const scenario& s) {
  const auto from = node_name(s, a.a), to = node_name(s, a.b);
  const auto pair = from + " to " + to;
  auto out = std::to_string(a.at) + " " + std::string{to_string(a.what)} + " ";
  switch (a.what) {
  case action_kind::send:
    return out + pair + ", " + std::to_string(a.x) + " octets, ttl " + milliseconds(a.y) +
           (a.flag ? ", reliable" : ", unreliable") + (a.z > 0 ? ", replies " + std::to_string(a.z) + " permille" : "");
  case action_kind::loss:
  case action_kind::duplicate:
    return out + pair + ", " + std::to_string(a.x) + " permille until " + milliseconds(a.y);
  case action_kind::replay:
  case action_kind::reorder:
    return out + pair + ", " + std::to_string(a.x) + " permille by up to " + milliseconds(a.z) + " until " +
           milliseconds(a.y);
  case action_kind::clog:
    return out + pair + " until " + milliseconds(a.y);
  case action_kind::block:
    return out + pair + (a.flag ? ", one way," : "") + " until " + milliseconds(a.y);
  case action_kind::pause:
    return out + from + " until " + milliseconds(a.y);
  case action_kind::clock_jump: {
    const bool ahead = a.x >= clock_jump_max_ms;
    return out + from + " by " + (ahead ? "+" : "-") +
           milliseconds(ahead ? a.x - clock_jump_max_ms : clock_jump_max_ms - a.x);
  }
  case action_kind::crash:
    return out + from + " after " + std::to_string(a.x) + " commits" + (a.flag ? ", the last one done" : "") +
           ", down " + milliseconds(a.y);
  case action_kind::disk_error:
    return out + from + " at the next commit, down " + milliseconds(a.y);
  case action_kind::byzantine:
    return out + from + ": " + std::string{to_string(static_cast<byzantine_behaviour>(a.x))};
  case action_kind::enter:
    return out + from;
  case action_kind::leave:
    return out + from + (a.y > 0 ? " for " + milliseconds(a.y) : " for good");
  case action_kind::put:
    return out + from + " in register k" + std::to_string(a.x);
  case action_kind::promote:
    return out + from + " gives " + to + " level " + std::to_string(a.x);
  case action_kind::expel:
    return out + from + " expels " + to;
  case action_kind::publish:
    return out + from + " in " + (a.x < s.topics.size() ? s.topics[a.x].name : "a topic that is none") + ", " +
           std::to_string(a.y) + " octets" + (a.flag ? "" : ", at best effort");
  }
  return out;
}

} // namespace hanse::sim
