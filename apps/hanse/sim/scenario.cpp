// See scenario.hpp: names of its enumerations, and what is wrong with a scenario.
#include "hanse/sim/scenario.hpp"

#include "hanse/protocols/dissemination.hpp"
#include "hanse/protocols/topic_event.hpp"

#include <algorithm>

namespace hanse::sim {

namespace {

constexpr std::array<std::string_view, 11> fault_names{"loss",  "duplicate",  "replay",   "reorder",
                                                       "clog",  "partition",  "pause",    "clock_jump",
                                                       "crash", "disk_error", "byzantine"};
constexpr std::array<std::string_view, 3> mode_names{"symmetric", "asymmetric", "flapping"};
constexpr std::array<std::string_view, 5> behaviour_names{"equivocate", "withhold", "replay", "forge", "flood"};
constexpr std::array<std::string_view, work_kind_count> work_names{"unicast", "put",   "promote",
                                                                   "expel",   "leave", "publish"};
constexpr std::array<std::string_view, invariant_count> invariant_names{
    "causal_order", "at_most_once", "no_acknowledged_loss", "one_outcome", "authentic",      "adverts_monotonic",
    "bounded",      "converges",    "members_agree",        "values_kept", "no_false_proof", "event_order",
    "event_once",   "no_event_lost"};

constexpr std::uint32_t per_minute_max = 60'000; // a guess: one a millisecond
constexpr std::size_t group_name_max = 32;       // characters
constexpr std::size_t times_max = 10'000;        // of "at_ms"; a guess

/// Collects problems under the path of what is looked at.
class inspector {
public:
  explicit inspector(const scenario& s) : scenario_(s) {}

  std::vector<std::string> run() {
    groups();
    between("duration_ms", scenario_.duration_ms, 1, duration_max_ms);
    between("converge_ms", scenario_.converge_ms, 1, duration_max_ms);
    if (scenario_.node_count() > 1 && scenario_.contacts > 0)
      between("contacts", scenario_.contacts, 0, scenario_.node_count() - 1);
    list("links", scenario_.links, [this](const link_rule& l) { link(l); });
    if (scenario_.domain) domain(*scenario_.domain);
    if (scenario_.topics.size() > topics_max)
      problem("topics", "expected at most " + std::to_string(topics_max) + " topics");
    list("topics", scenario_.topics, [this](const topic_rule& t) { topic(t); });
    list("workload", scenario_.workload, [this](const workload_rule& w) { work(w); });
    list("faults", scenario_.faults, [this](const fault_rule& f) { fault(f); });
    if (problems_.empty() && expected_sends() > actions_max)
      problems_.push_back("workload: about " + std::to_string(expected_sends()) + " messages, expected at most " +
                          std::to_string(actions_max));
    return std::move(problems_);
  }

private:
  void problem(const std::string& key, const std::string& what) { problems_.push_back(path_ + key + ": " + what); }

  void between(const std::string& key, std::uint64_t value, std::uint64_t min, std::uint64_t max) {
    if (value < min || value > max)
      problem(key, "expected " + std::to_string(min) + ".." + std::to_string(max) + ", found " + std::to_string(value));
  }

  void ordered(const std::string& key, const range& r, std::uint64_t min, std::uint64_t max) {
    between(key + ".min", r.min, min, max);
    between(key + ".max", r.max, min, max);
    if (r.min > r.max) problem(key, "expected a minimum that is no larger than the maximum");
  }

  template <class T, class F>
  void list(const std::string& key, const std::vector<T>& items, F inspect) {
    if (items.size() > rules_max)
      return problem(key, "expected at most " + std::to_string(rules_max) + " entries, found " +
                              std::to_string(items.size()));
    for (std::size_t i = 0; i < items.size(); ++i) {
      path_ = key + "[" + std::to_string(i) + "].";
      inspect(items[i]);
    }
    path_.clear();
  }

  void groups() {
    if (scenario_.groups.empty()) problem("groups", "expected at least one group of nodes");
    for (std::size_t i = 0; i < scenario_.groups.size(); ++i) {
      const auto& g = scenario_.groups[i];
      path_ = "groups[" + std::to_string(i) + "].";
      if (g.name.empty() || g.name.size() > group_name_max || g.name == "*")
        problem("name", "expected a name of 1.." + std::to_string(group_name_max) + " characters other than \"*\"");
      for (std::size_t j = 0; j < i; ++j)
        if (scenario_.groups[j].name == g.name) problem("name", "\"" + g.name + "\" is there twice");
      between("count", g.count, 1, nodes_max);
    }
    path_.clear();
    std::uint64_t nodes = 0; // in 64 bits: node_count() would wrap around
    for (const auto& g : scenario_.groups) nodes += g.count;
    if (nodes > nodes_max) between("groups", nodes, 1, nodes_max);
  }

  void known(const std::string& key, const std::string& group) {
    if (group == "*") return;
    std::string names;
    for (const auto& g : scenario_.groups) {
      if (g.name == group) return;
      names += ", \"" + g.name + "\"";
    }
    problem(key, "expected \"*\"" + names + ", found \"" + group + "\"");
  }

  void when(const period& p) {
    between("from_ms", p.from_ms, 0, duration_max_ms);
    between("to_ms", p.to_ms, 0, duration_max_ms);
    if (p.to_ms != 0 && p.from_ms > p.to_ms) problem("to_ms", "expected a time after from_ms");
  }

  void link(const link_rule& l) {
    known("from", l.from);
    known("to", l.to);
    ordered("latency_ms", {l.path.latency_min, l.path.latency_max}, 0, 60'000);
    between("spike_permille", l.path.spike_permille, 0, 1000);
    between("spike_ms", l.path.spike_ms, 0, 60'000);
    between("split_permille", l.path.split_permille, 0, 1000);
  }

  void work(const workload_rule& w) {
    known("from", w.from);
    known("to", w.to);
    between("per_minute", w.per_minute, 0, per_minute_max);
    ordered("body_octets", w.body_octets, 8, w.what == work_kind::publish ? event_body_max : body_size_max);
    if (w.what != work_kind::unicast && !scenario_.domain)
      problem("kind", "expected a \"domain\" in the scenario, for \"" + std::string{to_string(w.what)} + "\"");
    if (w.what == work_kind::publish && !topic_named(w.topic))
      problem("topic", "expected one of " + topic_names() + ", found \"" + w.topic + "\"");
    ordered("away_ms", w.away_ms, 0, duration_max_ms);
    between("ttl_ms", w.ttl_ms, 1, ttl_max_ms);
    between("reliable_permille", w.reliable_permille, 0, 1000);
    between("reply_permille", w.reply_permille, 0, 1000);
    when(w.when);
  }

  bool topic_named(const std::string& name) const {
    return std::any_of(scenario_.topics.begin(), scenario_.topics.end(), [&](auto& t) { return t.name == name; });
  }

  std::string topic_names() const {
    std::string out;
    for (const auto& t : scenario_.topics) out += (out.empty() ? "\"" : ", \"") + t.name + "\"";
    return out.empty() ? "the scenario's \"topics\", of which there are none" : out;
  }

  void domain(const domain_rule& d) {
    path_ = "domain.";
    known("members", d.members);
    std::uint64_t members = 0;
    for (const auto& g : scenario_.groups)
      if (d.members == "*" || d.members == g.name) members += g.count;
    between("introducers", d.introducers, 1, std::min<std::uint64_t>(std::max<std::uint64_t>(members, 1), 8));
    ordered("enter_ms", d.enter_ms, 0, scenario_.duration_ms);
    if (const auto fine = dissemination_registry::builtin().check(d.dissemination, d.parameters); !fine)
      problem(fine.code() == errc::bad_config ? "parameters" : "dissemination",
              "expected what a domain may name; " + hanse::to_string(fine.error()));
    path_.clear();
  }

  void topic(const topic_rule& t) {
    if (!scenario_.domain) problem("name", "expected a \"domain\" in the scenario: topics belong to one");
    if (t.name.empty() || t.name.size() > group_name_max)
      problem("name", "expected a name of 1.." + std::to_string(group_name_max) + " characters");
    if (std::count_if(scenario_.topics.begin(), scenario_.topics.end(), [&](auto& o) { return o.name == t.name; }) > 1)
      problem("name", "\"" + t.name + "\" is there twice");
    known("subscribers", t.subscribers);
    between("history", t.history, 0, 1024);
  }

  void fault(const fault_rule& f) {
    known("from", f.from);
    known("to", f.to);
    between("permille", f.permille, 0, f.what == fault_kind::loss ? 300 : 500);
    between("per_minute", f.per_minute, 0, per_minute_max);
    ordered("length_ms", f.length_ms, 0, duration_max_ms);
    if (f.what == fault_kind::byzantine) between("count", f.count, 1, nodes_max);
    if (f.at_ms.size() > times_max) problem("at_ms", "expected at most " + std::to_string(times_max) + " times");
    for (std::size_t i = 0; i < f.at_ms.size(); ++i)
      between("at_ms[" + std::to_string(i) + "]", f.at_ms[i], 0, scenario_.duration_ms);
    when(f.when);
  }

  std::uint64_t expected_sends() const {
    std::uint64_t total = 0;
    for (const auto& w : scenario_.workload)
      total += std::uint64_t{w.per_minute} * scenario_.duration_ms / 60'000 * scenario_.node_count();
    return total;
  }

  const scenario& scenario_;
  std::string path_;
  std::vector<std::string> problems_;
};

} // namespace

std::string_view to_string(work_kind k) noexcept {
  return work_names[static_cast<std::size_t>(k)];
}

std::string_view to_string(fault_kind k) noexcept {
  return fault_names[static_cast<std::size_t>(k)];
}

std::string_view to_string(partition_mode m) noexcept {
  return mode_names[static_cast<std::size_t>(m)];
}

std::string_view to_string(byzantine_behaviour b) noexcept {
  return behaviour_names[static_cast<std::size_t>(b)];
}

std::string_view to_string(invariant i) noexcept {
  return invariant_names[static_cast<std::size_t>(i)];
}

std::uint32_t scenario::node_count() const noexcept {
  std::uint32_t n = 0;
  for (const auto& g : groups) n += g.count;
  return n;
}

std::vector<std::string> problems_of(const scenario& s) {
  return inspector{s}.run();
}

} // namespace hanse::sim
