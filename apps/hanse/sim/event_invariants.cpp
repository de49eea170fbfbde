// See event_invariants.hpp.
#include "hanse/sim/event_invariants.hpp"

namespace hanse::sim {

event_checker::event_checker(checker& judge, std::uint32_t nodes, std::size_t topics) : judge_(judge), nodes_(nodes) {
  for (auto& n : nodes_) {
    n.views.resize(topics);
    n.publishes.assign(topics, no_process);
  }
}

std::uint32_t event_checker::process_of(std::uint32_t node, std::size_t topic) {
  auto& p = nodes_[node].publishes[topic];
  if (p == no_process) {
    p = static_cast<std::uint32_t>(processes_.size());
    processes_.push_back({node, topic});
  }
  return p;
}

void event_checker::subscribed(std::uint32_t node, std::size_t topic) {
  nodes_[node].views[topic] = {};
  nodes_[node].views[topic].open = true;
}

void event_checker::joined(std::uint32_t node, std::size_t topic) {
  auto& v = nodes_[node].views[topic];
  v.has_joined = true;
  for (std::uint32_t p = 0; p < processes_.size(); ++p) at(v.due, p) = processes_[p].total;
}

void event_checker::ended(std::uint32_t node) {
  auto& n = nodes_[node];
  for (auto& v : n.views) v = {};
  for (auto& p : n.publishes) {
    if (p != no_process) processes_[p].over = true;
    p = no_process;
  }
}

void event_checker::removed(std::uint32_t node) {
  for (auto& p : processes_)
    if (p.node == node) p.void_of_debt = true;
}

void event_checker::published(std::uint32_t node, std::size_t topic, bool ordered, std::uint64_t body) {
  event e;
  e.node = node;
  e.topic = topic;
  e.body = body;
  e.ordered = ordered;
  if (ordered) {
    e.process = process_of(node, topic);
    e.past = nodes_[node].views[topic].got;
    e.index = ++processes_[e.process].total;
    at(e.past, e.process) = e.index - 1;
    processes_[e.process].events.push_back(events_.size());
  }
  events_.push_back(std::move(e));
}

void event_checker::delivered(std::uint32_t node, std::size_t topic, std::uint64_t number, std::uint32_t from,
                              std::uint64_t body) {
  ++deliveries_;
  if (nodes_[node].exempt || (from < nodes_.size() && nodes_[from].exempt)) return;
  const auto name = "node " + std::to_string(node) + ", event " + std::to_string(number);
  if (number == 0 || number >= events_.size() || events_[number].node != from || events_[number].topic != topic ||
      events_[number].body != body)
    return judge_.violate(invariant::authentic, name + ": delivered what was never published so");
  auto& v = nodes_[node].views[topic];
  if (!v.seen.insert(number).second) return judge_.violate(invariant::event_once, name + ": delivered twice");
  if (const auto& e = events_[number]; e.ordered) in_order(v, name, e);
}

void event_checker::in_order(view& v, const std::string& name, const event& e) {
  const auto wrong = [&](const std::string& text) { judge_.violate(invariant::event_order, name + ": " + text); };
  const auto owner = [&](std::uint32_t p) { return "of node " + std::to_string(processes_[p].node); };
  const auto have = value(v.got, e.process);
  const bool begins = value(v.since, e.process) == 0;
  const auto excused = value(v.excused, e.process);
  if (!begins && e.index <= have)
    wrong("comes after a later one of its publisher");
  else if (!begins && e.index - have - 1 > excused)
    wrong("comes right after number " + std::to_string(have) + " of its publisher, but is " + std::to_string(e.index));
  if (begins && e.index <= value(v.implied, e.process)) wrong("comes after what depends on it");
  if (begins && v.has_joined && e.index > value(v.due, e.process) + 1 + excused)
    wrong("is not the first of its publisher since the subscription");
  if (begins) at(v.since, e.process) = e.index;
  at(v.got, e.process) = std::max(have, e.index);
  const auto past = owed_before(v, e);
  for (std::uint32_t p = 0; p < past.size(); ++p) {
    if (p == e.process || past[p] == 0) continue;
    auto& implied = at(v.implied, p);
    implied = std::max(implied, past[p]);
    const bool is_owed = v.has_joined && past[p] > value(v.due, p);
    if ((value(v.since, p) != 0 || is_owed) && value(v.got, p) < past[p])
      wrong("comes before number " + std::to_string(past[p]) + " " + owner(p) + ", which it depends on");
  }
}

/// What has to come before `e` at a subscriber: its past, without what is not judged, and without what it depends on
/// only through events that this subscriber will not get.
event_checker::vector_clock event_checker::owed_before(const view& v, const event& e) const {
  auto past = e.past;
  for (std::uint32_t q = 0; q < e.past.size(); ++q) {
    if (q == e.process || e.past[q] == 0) continue;
    const bool is_lost = processes_[q].void_of_debt || value(v.excused, q) > 0 || !is_judged(q);
    if (!is_lost || value(v.got, q) >= e.past[q]) continue;
    past[q] = 0;
    const auto& through = events_[processes_[q].events[e.past[q] - 1]].past;
    for (std::uint32_t p = 0; p < past.size(); ++p)
      if (value(through, p) >= past[p]) past[p] = 0;
  }
  return past;
}

void event_checker::gap(std::uint32_t node, std::size_t topic, std::uint32_t from, std::uint64_t count) {
  // Places of all lives of that publisher: the checker does not know which life the report means.
  for (std::uint32_t p = 0; p < processes_.size(); ++p)
    if (processes_[p].node == from && processes_[p].topic == topic)
      at(nodes_[node].views[topic].excused, p) += static_cast<std::uint32_t>(count);
}

void event_checker::forked(std::uint32_t by, std::uint32_t publisher) {
  if (publisher >= nodes_.size() || nodes_[publisher].exempt || nodes_[by].exempt) return;
  judge_.violate(invariant::no_false_proof, "node " + std::to_string(by) + " holds node " + std::to_string(publisher) +
                                                ", which is honest, to have forked a topic");
}

/// Up to which event of a process somebody could still tell a node that has the first `have`.
std::uint32_t event_checker::obtainable(std::uint32_t process, std::uint32_t have) const {
  const auto& p = processes_[process];
  if (!p.over) return p.total;
  std::uint32_t best = have;
  for (const auto& n : nodes_) {
    const auto& v = n.views[p.topic];
    if (n.exempt || !v.open) continue;
    const auto since = value(v.since, process);
    if (since != 0 && since <= have + 1) best = std::max(best, value(v.got, process));
  }
  return best;
}

std::string event_checker::missing(std::uint32_t node) const {
  for (std::size_t t = 0; t < nodes_[node].views.size(); ++t) {
    const auto& v = nodes_[node].views[t];
    if (!v.open) continue;
    const auto name = "node " + std::to_string(node) + ", topic " + std::to_string(t) + ": ";
    if (!v.has_joined) return name + "has not joined";
    for (std::uint32_t p = 0; p < processes_.size(); ++p) {
      if (processes_[p].topic != t || processes_[p].void_of_debt || !is_judged(p)) continue;
      const auto have = value(v.since, p) != 0 ? value(v.got, p) : value(v.due, p);
      const auto most = obtainable(p, have);
      if (have + value(v.excused, p) < most)
        return name + "has " + std::to_string(have) + " of " + std::to_string(most) + " events of node " +
               std::to_string(processes_[p].node);
    }
  }
  return {};
}

} // namespace hanse::sim
