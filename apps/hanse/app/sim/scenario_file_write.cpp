// Scenarios of the simulator as JSON: the way out, for failures that are to be replayed. See scenario_file.hpp; the way
// in is scenario_file.cpp.
#include "hanse/app/sim/scenario_file.hpp"

namespace hanse::app {
namespace {

using nlohmann::ordered_json;
using namespace hanse::sim;

constexpr std::array<const char*, 3> signing_names{"cheap", "some", "real"};

ordered_json range_json(const range& r) {
  return ordered_json::array({r.min, r.max});
}

void put_period(ordered_json& out, const period& p) {
  if (p.from_ms != 0) out["from_ms"] = p.from_ms;
  if (p.to_ms != 0) out["to_ms"] = p.to_ms;
}

ordered_json to_json(const link_rule& l) {
  ordered_json out{{"from", l.from}, {"to", l.to}};
  out["latency_ms"] = range_json({l.path.latency_min, l.path.latency_max});
  if (l.path.spike_permille != 0) out["spike_permille"] = l.path.spike_permille;
  if (l.path.spike_ms != 0) out["spike_ms"] = l.path.spike_ms;
  if (l.path.split_permille != 0) out["split_permille"] = l.path.split_permille;
  if (l.path.octets_per_second != 0) out["octets_per_second"] = l.path.octets_per_second;
  return out;
}

ordered_json domain_work_json(const workload_rule& w) {
  ordered_json out{{"kind", std::string{to_string(w.what)}}, {"from", w.from}, {"per_minute", w.per_minute}};
  if (w.what == work_kind::promote || w.what == work_kind::expel) out["to"] = w.to;
  if (w.what == work_kind::leave) out["away_ms"] = range_json(w.away_ms);
  if (w.what == work_kind::publish) {
    out["topic"] = w.topic;
    out["body_octets"] = range_json(w.body_octets);
    out["reliable_permille"] = w.reliable_permille;
  }
  put_period(out, w.when);
  return out;
}

ordered_json to_json(const domain_rule& d) {
  ordered_json out{{"members", d.members}, {"introducers", d.introducers}, {"auth", d.psk ? "psk" : "none"}};
  out["enter_ms"] = range_json(d.enter_ms);
  out["dissemination"] = d.dissemination;
  if (!d.parameters.empty()) out["parameters"] = d.parameters;
  return out;
}

ordered_json to_json(const topic_rule& t) {
  return {{"name", t.name}, {"subscribers", t.subscribers}, {"history", t.history}};
}

ordered_json to_json(const workload_rule& w) {
  if (w.what != work_kind::unicast) return domain_work_json(w);
  ordered_json out{{"from", w.from}, {"to", w.to}, {"per_minute", w.per_minute}};
  if (w.destinations != 0) out["destinations"] = w.destinations;
  out["body_octets"] = range_json(w.body_octets);
  out["ttl_ms"] = w.ttl_ms;
  out["reliable_permille"] = w.reliable_permille;
  if (w.reply_permille != 0) out["reply_permille"] = w.reply_permille;
  put_period(out, w.when);
  return out;
}

ordered_json to_json(const fault_rule& f) {
  ordered_json out{{"kind", std::string{to_string(f.what)}}, {"from", f.from}, {"to", f.to}};
  if (f.permille != 0) out["permille"] = f.permille;
  if (f.per_minute != 0) out["per_minute"] = f.per_minute;
  if (!f.at_ms.empty()) out["at_ms"] = f.at_ms;
  out["length_ms"] = range_json(f.length_ms);
  if (f.what == fault_kind::partition) out["mode"] = std::string{to_string(f.mode)};
  if (f.what == fault_kind::byzantine) {
    out["behaviour"] = std::string{to_string(f.behaviour)};
    out["count"] = f.count;
  }
  put_period(out, f.when);
  return out;
}

ordered_json to_json(const action& a, const scenario& s) {
  ordered_json out{{"at_ms", a.at}, {"do", std::string{to_string(a.what)}}, {"node", node_name(s, a.a)}};
  if (has_target(a.what)) out["to"] = node_name(s, a.b);
  if (a.x != 0) out["x"] = a.x;
  if (a.y != 0) out["y"] = a.y;
  if (a.z != 0) out["z"] = a.z;
  if (a.flag) out["flag"] = true;
  return out;
}

template <class T>
ordered_json list_json(const std::vector<T>& items) {
  auto out = ordered_json::array();
  for (const auto& i : items) out.push_back(to_json(i));
  return out;
}

} // namespace

ordered_json to_json(const sim_file& file) {
  const auto& s = file.scenario;
  ordered_json out{{"name", s.name}};
  out["groups"] = ordered_json::array();
  for (const auto& g : s.groups) out["groups"].push_back({{"name", g.name}, {"count", g.count}});
  out["duration_ms"] = s.duration_ms;
  out["converge_ms"] = s.converge_ms;
  out["contacts"] = s.contacts;
  out["gossip"] = s.gossip;
  out["signatures"] = signing_names[static_cast<std::size_t>(s.signatures)];
  out["links"] = list_json(s.links);
  if (s.domain) out["domain"] = to_json(*s.domain);
  if (!s.topics.empty()) out["topics"] = list_json(s.topics);
  out["workload"] = list_json(s.workload);
  out["faults"] = list_json(s.faults);
  if (!s.expect.empty()) {
    out["expect"] = ordered_json::array();
    for (const auto i : s.expect) out["expect"].push_back(std::string{to_string(i)});
  }
  if (file.seed) out["seed"] = *file.seed;
  if (file.schedule) {
    out["schedule"] = ordered_json::array();
    for (const auto& a : *file.schedule) out["schedule"].push_back(to_json(a, s));
  }
  return out;
}

} // namespace hanse::app
