// See scenario_file.hpp. Ranges of values are scenario.cpp's to judge (problems_of); here it is keys and types.
#include "hanse/app/sim/scenario_file.hpp"

#include "hanse/app/object_reader.hpp"
#include "hanse/app/text_file.hpp"

#include <algorithm>

namespace hanse::app {
namespace {

using nlohmann::json;
using namespace hanse::sim;

constexpr std::uint64_t any_number = UINT64_MAX >> 1;

template <class T>
std::vector<std::string> names_of(std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.emplace_back(to_string(static_cast<T>(i)));
  return out;
}
const auto work_names = names_of<work_kind>(work_kind_count);
const auto fault_names = names_of<fault_kind>(11);
const auto mode_names = names_of<partition_mode>(3);
const auto behaviour_names = names_of<byzantine_behaviour>(5);
const auto invariant_names = names_of<invariant>(invariant_count);
const auto action_names = names_of<action_kind>(action_kind_count);
const std::vector<std::string> signing_names{"cheap", "some", "real"};

template <class T>
T value_of(const std::string& name, const std::vector<std::string>& names) {
  return static_cast<T>(std::find(names.begin(), names.end(), name) - names.begin());
}

void read_u32(object_reader& in, const std::string& key, std::uint32_t& value) {
  value = static_cast<std::uint32_t>(in.number(key, 0, UINT32_MAX, value));
}

void read_u64(object_reader& in, const std::string& key, std::uint64_t& value) {
  value = in.number(key, 0, any_number, value);
}

/// [least, most], or one number for both.
void read_range(object_reader& in, const std::string& key, range& value) {
  const auto* found = in.find(key);
  if (!found) return;
  if (found->is_number_unsigned()) {
    value.min = value.max = found->get<std::uint64_t>();
    return;
  }
  const bool two =
      found->is_array() && found->size() == 2 && (*found)[0].is_number_unsigned() && (*found)[1].is_number_unsigned();
  if (!two) return in.problem(key, "expected a whole number, or two of them, [least, most]; found " + describe(*found));
  value = {(*found)[0].get<std::uint64_t>(), (*found)[1].get<std::uint64_t>()};
}

void read_times(object_reader& in, const std::string& key, std::vector<time_ms>& times) {
  const auto* found = in.find(key);
  if (!found) return;
  const auto is_time = [](const json& v) { return v.is_number_unsigned(); };
  if (!found->is_array() || !std::all_of(found->begin(), found->end(), is_time))
    return in.problem(key, "expected a list of times in milliseconds; found " + describe(*found));
  for (const auto& v : *found) times.push_back(v.get<time_ms>());
}

void read_ends(object_reader& in, std::string& from, std::string& to) {
  from = in.text("from", from);
  to = in.text("to", to);
}

void read_period(object_reader& in, period& p) {
  read_u64(in, "from_ms", p.from_ms);
  read_u64(in, "to_ms", p.to_ms);
}

link_rule read_link(object_reader& in) {
  link_rule l;
  read_ends(in, l.from, l.to);
  range latency{l.path.latency_min, l.path.latency_max};
  read_range(in, "latency_ms", latency);
  l.path.latency_min = latency.min;
  l.path.latency_max = latency.max;
  read_u32(in, "spike_permille", l.path.spike_permille);
  read_u64(in, "spike_ms", l.path.spike_ms);
  read_u32(in, "split_permille", l.path.split_permille);
  read_u64(in, "octets_per_second", l.path.octets_per_second);
  return l;
}

/// Membership changes less often than messages are sent.
std::uint32_t usual_rate(work_kind k) {
  return k == work_kind::unicast || k == work_kind::publish ? workload_rule{}.per_minute : k == work_kind::put ? 20 : 2;
}

/// The keys that make sense for its kind; others are unknown.
workload_rule read_workload(object_reader& in) {
  workload_rule w;
  w.what = value_of<work_kind>(in.choice("kind", work_names), work_names);
  w.per_minute = usual_rate(w.what);
  w.from = in.text("from", w.from);
  read_u32(in, "per_minute", w.per_minute);
  read_period(in, w.when);
  if (w.what == work_kind::promote || w.what == work_kind::expel) w.to = in.text("to", w.to);
  if (w.what == work_kind::leave) read_range(in, "away_ms", w.away_ms);
  if (w.what == work_kind::publish) {
    w.topic = in.required_text("topic");
    read_range(in, "body_octets", w.body_octets);
    read_u32(in, "reliable_permille", w.reliable_permille);
  }
  if (w.what != work_kind::unicast) return w;
  w.to = in.text("to", w.to);
  read_u32(in, "per_minute", w.per_minute);
  read_u32(in, "destinations", w.destinations);
  read_range(in, "body_octets", w.body_octets);
  read_u32(in, "ttl_ms", w.ttl_ms);
  read_u32(in, "reliable_permille", w.reliable_permille);
  read_u32(in, "reply_permille", w.reply_permille);
  return w;
}

/// Numbers are taken as texts: that is what a DomainAdvert has.
void read_parameters(object_reader& in, std::map<std::string, std::string>& parameters) {
  const auto* found = in.find("parameters");
  if (!found) return;
  const auto is_value = [](const json& v) { return v.is_string() || v.is_number_unsigned(); };
  if (!found->is_object() || !std::all_of(found->begin(), found->end(), is_value))
    return in.problem("parameters", "expected texts or whole numbers by name; found " + describe(*found));
  for (const auto& [name, v] : found->items())
    parameters[name] = v.is_string() ? v.get<std::string>() : std::to_string(v.get<std::uint64_t>());
}

domain_rule read_domain(object_reader& in) {
  domain_rule d;
  d.members = in.text("members", d.members);
  read_u32(in, "introducers", d.introducers);
  d.psk = in.choice("auth", {"psk", "none"}) == "psk";
  read_range(in, "enter_ms", d.enter_ms);
  d.dissemination = in.text("dissemination", d.dissemination);
  read_parameters(in, d.parameters);
  return d;
}

topic_rule read_topic(object_reader& in) {
  topic_rule t;
  t.name = in.required_text("name");
  t.subscribers = in.text("subscribers", t.subscribers);
  read_u32(in, "history", t.history);
  return t;
}

fault_rule read_fault(object_reader& in) {
  fault_rule f;
  f.what = value_of<fault_kind>(in.required_choice("kind", fault_names), fault_names);
  read_ends(in, f.from, f.to);
  read_u32(in, "permille", f.permille);
  read_u32(in, "per_minute", f.per_minute);
  read_times(in, "at_ms", f.at_ms);
  read_range(in, "length_ms", f.length_ms);
  if (f.what == fault_kind::partition) f.mode = value_of<partition_mode>(in.choice("mode", mode_names), mode_names);
  if (f.what == fault_kind::byzantine) {
    f.behaviour = value_of<byzantine_behaviour>(in.required_choice("behaviour", behaviour_names), behaviour_names);
    read_u32(in, "count", f.count);
  }
  read_period(in, f.when);
  return f;
}

void read_groups(object_reader& in, scenario& s) {
  if (in.has("nodes") && in.has("groups")) in.problem("nodes", "expected either \"nodes\" or \"groups\"");
  if (in.has("nodes")) s.groups = {{"node", static_cast<std::uint32_t>(in.number("nodes", 1, nodes_max, 1))}};
  in.each("groups", [&s](object_reader& g) {
    node_group group;
    group.name = g.required_text("name");
    read_u32(g, "count", group.count);
    s.groups.push_back(std::move(group));
  });
}

void read_expect(object_reader& in, scenario& s) {
  for (const auto& name : in.texts("expect")) {
    if (std::find(invariant_names.begin(), invariant_names.end(), name) == invariant_names.end()) {
      std::string all;
      for (const auto& n : invariant_names) all += (all.empty() ? "\"" : ", \"") + n + "\"";
      in.problem("expect", "expected names of invariants (" + all + "), found \"" + name + "\"");
      continue;
    }
    s.expect.push_back(value_of<invariant>(name, invariant_names));
  }
}

/// Nodes of a schedule by name.
class node_names {
public:
  explicit node_names(const scenario& s) {
    for (std::uint32_t i = 0; i < std::min(s.node_count(), nodes_max); ++i) numbers_[node_name(s, i)] = i;
  }

  std::uint32_t read(object_reader& in, const std::string& key, bool required) const {
    if (!required && !in.has(key)) return 0;
    const auto name = in.required_text(key);
    if (name == "any") return any_node;
    const auto it = numbers_.find(name);
    if (it != numbers_.end()) return it->second;
    in.problem(key, "expected the name of a node, such as \"" + (numbers_.empty() ? "node0" : numbers_.begin()->first) +
                        "\", found \"" + name + "\"");
    return 0;
  }

private:
  std::map<std::string, std::uint32_t> numbers_;
};

action read_action(object_reader& in, const node_names& names) {
  action a;
  read_u64(in, "at_ms", a.at);
  a.what = value_of<action_kind>(in.required_choice("do", action_names), action_names);
  a.a = names.read(in, "node", true);
  a.b = names.read(in, "to", false);
  read_u64(in, "x", a.x);
  read_u64(in, "y", a.y);
  read_u64(in, "z", a.z);
  a.flag = in.flag("flag");
  return a;
}

/// "faults[2].permille: expected …" as a problem with its line.
void add_problems(problem_list& problems, const scenario& s) {
  for (const auto& text : problems_of(s)) {
    const auto colon = text.find(": ");
    problems.add(text.substr(0, colon), text.substr(colon + 2));
  }
}

} // namespace

expected<sim_file> load_sim_file(const std::filesystem::path& file) {
  HANSE_TRY(const auto text, read_text_file(file, sim_file_size_max));
  return parse_sim_file(text, file);
}

expected<sim_file> parse_sim_file(std::string_view text, const std::filesystem::path& file) {
  HANSE_TRY(const auto document, json_document::parse(text, file, sim_file_size_max));
  problem_list problems{document};
  object_reader in{problems, document.root(), ""};
  sim_file out;
  auto& s = out.scenario;
  s.name = in.text("name", file.stem().string());
  (void)in.text("about"); // for people
  read_groups(in, s);
  in.each("links", [&s](object_reader& l) { s.links.push_back(read_link(l)); });
  in.object("domain", [&s](object_reader& d) { s.domain = read_domain(d); });
  in.each("topics", [&s](object_reader& t) { s.topics.push_back(read_topic(t)); });
  in.each("workload", [&s](object_reader& w) { s.workload.push_back(read_workload(w)); });
  in.each("faults", [&s](object_reader& f) { s.faults.push_back(read_fault(f)); });
  read_expect(in, s);
  read_u64(in, "duration_ms", s.duration_ms);
  read_u64(in, "converge_ms", s.converge_ms);
  read_u32(in, "contacts", s.contacts);
  s.gossip = in.flag("gossip", s.gossip);
  if (in.has("signatures"))
    s.signatures = value_of<signing_share>(in.choice("signatures", signing_names), signing_names);
  if (in.has("seed")) out.seed = in.number("seed", 0, any_number, 0);
  if (problems.empty()) add_problems(problems, s);
  if (in.has("schedule") && problems.empty()) {
    const node_names names{s};
    out.schedule.emplace();
    in.each("schedule", [&](object_reader& a) { out.schedule->push_back(read_action(a, names)); });
    std::stable_sort(out.schedule->begin(), out.schedule->end(),
                     [](const action& a, const action& b) { return a.at < b.at; });
  } else {
    (void)in.find("schedule");
  }
  in.finish();
  if (!problems.empty()) return problems.to_error();
  return out;
}

scenario with_nodes(scenario s, std::uint32_t nodes) {
  const auto before = std::max<std::uint64_t>(s.node_count(), 1);
  std::uint32_t given = 0;
  for (auto& g : s.groups) {
    g.count = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::uint64_t{g.count} * nodes / before));
    given += g.count;
  }
  auto largest = std::max_element(s.groups.begin(), s.groups.end(),
                                  [](const auto& a, const auto& b) { return a.count < b.count; });
  for (; given > nodes && largest->count > 1; --given) {
    --largest->count;
    largest = std::max_element(s.groups.begin(), s.groups.end(),
                               [](const auto& a, const auto& b) { return a.count < b.count; });
  }
  largest->count += nodes - std::min(given, nodes);
  if (s.contacts >= nodes) s.contacts = 0; // all
  if (s.domain) {
    const auto inside = static_cast<std::uint32_t>(domain_nodes(s).size());
    s.domain->introducers = std::min(s.domain->introducers, std::max(inside, 1U));
  }
  return s;
}

} // namespace hanse::app
