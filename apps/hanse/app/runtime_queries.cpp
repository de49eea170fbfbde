// What a running node answers to its control socket. Its life and its engines' are runtime_backend.cpp.
#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/router_engine.hpp"
#include "hanse/app/json_body.hpp"
#include "hanse/app/runtime_backend.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace hanse::app {

using nlohmann::json;

namespace {

json texts(const std::vector<protocol_id>& protocols) {
  auto result = json::array();
  for (auto& p : protocols) result.push_back(to_string(p));
  return result;
}

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json describe(const candidate_report& c, const std::string& name) {
  return {{"node", c.node ? json(to_string(c.node)) : json(nullptr)},
          {"name", name},
          {"destination", to_string(c.destination)},
          {"local", c.local},
          {"connected", c.connected},
          {"trust", c.trust},
          {"reputation", c.reputation},
          {"rtt_us", or_null(c.measured.rtt_us)},
          {"loss_ppm", or_null(c.measured.loss_ppm)},
          {"weight", c.weight},
          {"reason", c.reason},
          {"way", c.by},
          {"verdict", c.chosen                  ? "chosen"
                      : c.verdict == errc::none ? "possible"
                                                : std::string{to_string(c.verdict)}}};
}

/// What waits no longer need not live longer.
std::uint32_t ttl_of(std::chrono::milliseconds timeout) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(timeout.count(), 1, ttl_max_ms));
}

json constraints_of(const preference_request& wants) {
  auto out = json::object();
  if (!wants.within.empty()) out["within"] = wants.within;
  if (wants.local) out["local"] = true;
  if (wants.trust_min > 0) out["trust_min"] = wants.trust_min;
  if (wants.rtt_max_ms > 0) out["rtt_max_ms"] = wants.rtt_max_ms;
  if (wants.ordered) out["ordered"] = true;
  if (wants.unordered) out["unordered"] = true;
  if (wants.unreliable) out["unreliable"] = true;
  if (wants.any_security) out["security"] = "any";
  return out;
}

} // namespace

json identities(const std::vector<identity>& list) {
  auto all = json::array();
  for (const auto& id : list) all.push_back(to_string(id));
  return all;
}

bool is_identity_text(std::string_view text) {
  return text.starts_with("hk1") || text.starts_with("hg1");
}

expected<identity> one_called(const std::string& name, const std::vector<std::pair<std::string, identity>>& known,
                              const std::string& kind, const std::string& see) {
  std::optional<identity> found;
  for (const auto& [called, id] : known) {
    if (called != name) continue;
    if (found) return error{errc::bad_value, "several " + kind + "s are called " + name + "; name one by its identity"};
    found = id;
  }
  if (found) return *found;
  return error{errc::not_found, "no " + kind + " called " + name + " is known here; see `" + see + "`"};
}

control_result runtime_backend::status() {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto peers, node_->peers());
  HANSE_TRY(auto engines, node_->local_engines());
  auto addresses = json::array();
  for (auto& a : node_->advert().addresses) addresses.push_back(a.address);
  auto uptime = std::chrono::steady_clock::now() - started_;
  return json{{"name", config_.name},
              {"identity", to_string(node_->id())},
              {"addresses", addresses},
              {"ticket", node_->ticket()},
              {"version", HANSE_VERSION},
              {"pid", getpid()},
              {"uptime_ms", std::chrono::duration_cast<std::chrono::milliseconds>(uptime).count()},
              {"engines", engines.size()},
              {"peers", peers.size()},
              {"links", std::count_if(peers.begin(), peers.end(), [](auto& p) { return p.connected; })},
              {"control_socket", config_.control_socket.string()},
              {"data_dir", config_.data_dir.string()}};
}

control_result runtime_backend::peers() {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto peers, node_->peers());
  auto list = json::array();
  for (auto& p : peers) {
    auto addresses = json::array();
    for (auto& a : p.addresses) addresses.push_back(a.address);
    auto transport = p.addresses.empty() ? std::string{} : p.addresses.front().address;
    list.push_back({{"identity", to_string(p.id)},
                    {"name", p.name},
                    {"addresses", addresses},
                    {"connected", p.connected},
                    {"address", transport.empty() ? json(nullptr) : json(transport)},
                    {"transport", transport.empty() ? json(nullptr) : json(transport.substr(0, transport.find(':')))},
                    {"rtt_us", or_null(p.measured.rtt_us)},
                    {"loss", p.measured.loss_ppm ? json(*p.measured.loss_ppm / 1e6) : json(nullptr)},
                    {"throughput", or_null(p.measured.octets_per_second)},
                    {"trust", p.trust},
                    {"reputation", p.reputation},
                    {"permanent", p.pinned},
                    {"sent", p.load.octets_out},
                    {"received", p.load.octets_in},
                    {"messages_sent", p.load.messages_out},
                    {"messages_received", p.load.messages_in},
                    {"queued", p.load.queued_messages},
                    {"queued_octets", p.load.queued_octets},
                    {"measured_ms", p.load.measured_ms == 0 ? json(nullptr) : json(p.load.measured_ms)}});
  }
  return json{{"peers", list}};
}

control_result runtime_backend::engines() {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto known, node_->engines());
  HANSE_TRY(auto local, node_->local_engines());
  std::map<identity, engine_entry> here;
  for (auto& e : local) here.emplace(e.id, e);
  std::stable_sort(known.begin(), known.end(), [](auto& a, auto& b) { return a.local > b.local; });
  auto list = json::array();
  for (auto& e : known) {
    auto i = here.find(e.id);
    list.push_back({{"identity", to_string(e.id)},
                    {"name", e.name},
                    {"type", i == here.end() ? json(nullptr) : json(i->second.type)},
                    {"node", to_string(e.node)},
                    {"node_name", name_of(e.node)},
                    {"local", i != here.end()},
                    {"state", i != here.end() ? "running" : "advertised"},
                    {"protocols", texts(e.protocols)},
                    {"version", e.version}});
  }
  return json{{"engines", list}};
}

control_result runtime_backend::add_ticket(const std::string& ticket) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto before, node_->peers());
  HANSE_TRY(auto advert, node_->add(ticket));
  auto addresses = json::array();
  for (auto& a : advert.addresses) addresses.push_back(a.address);
  bool known = std::any_of(before.begin(), before.end(), [&](auto& p) { return p.id == advert.node; });
  return json{{"identity", to_string(advert.node)}, {"name", advert.name}, {"addresses", addresses}, {"fresh", !known}};
}

/// An identity, or the name of an engine (local ones first) or node, or NODE/ENGINE, or of a domain or topic.
expected<identity> runtime_backend::resolve(const std::string& text) {
  if (text.starts_with("hk1") || text.starts_with("hg1")) return identity::parse(text);
  HANSE_TRY(auto engines, node_->engines());
  std::stable_sort(engines.begin(), engines.end(), [](auto& a, auto& b) { return a.local > b.local; });
  const auto slash = text.find('/');
  const auto name = slash == text.npos ? text : text.substr(slash + 1);
  for (auto& e : engines)
    if (e.name == name && (slash == text.npos || name_of(e.node) == text.substr(0, slash))) return e.id;
  if (text == config_.name) return node_->id();
  HANSE_TRY(auto peers, node_->peers());
  for (auto& p : peers)
    if (p.name == text) return p.id;
  for (const auto& found : {resolve_domain(text), resolve_topic(text)})
    if (found || found.code() != errc::not_found) return found; // several of one name are told
  return error{errc::not_found, "no engine, node, domain or topic called " + text +
                                    " is known here; see `hanse engines` and `hanse peers`"};
}

/// Errors: those of the domain's name.
expected<std::pair<routing_preferences, transport_preferences>>
runtime_backend::preferences(const preference_request& wants) {
  std::pair<routing_preferences, transport_preferences> p;
  if (wants.local) p.first.scope = scope_kind::local;
  if (!wants.within.empty()) {
    p.first.scope = scope_kind::domain;
    HANSE_TRY(p.first.domain, resolve_domain(wants.within));
  }
  p.first.trust_min = wants.trust_min;
  p.first.rtt_max_ms = wants.rtt_max_ms;
  p.second.ordered = wants.ordered;
  p.second.datagrams = wants.unordered && wants.unreliable;
  if (wants.any_security) p.second.security = security_kind::any;
  return p;
}

expected<engine_entry> runtime_backend::local_engine(const std::string& text) {
  HANSE_TRY(auto all, node_->local_engines());
  for (auto& e : all)
    if (e.name == text || to_string(e.id) == text) return std::move(e);
  return error{errc::not_found, "no engine " + text + " runs on this node; see `hanse engines`"};
}

std::string runtime_backend::name_of(const identity& id) {
  if (id == node_->id()) return config_.name;
  if (auto peers = node_->peers())
    for (auto& p : *peers)
      if (p.id == id) return p.name;
  return {};
}

expected<answer> runtime_backend::wait_for(post p, std::chrono::milliseconds timeout) {
  auto future = node_->send(std::move(p));
  if (future.wait_for(timeout) != std::future_status::ready)
    return error{errc::timed_out, "no answer within " + std::to_string(timeout.count()) + " ms"};
  auto a = future.get();
  if (a.fault && a.fault->code == errc::engine_error) return error{a.fault->code, to_string(to_caf(*a.fault))};
  if (a.fault) return error{a.fault->code, a.fault->detail};
  return a;
}

control_result runtime_backend::send(const send_request& request) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  post p;
  auto& m = p.message;
  HANSE_TRY(m.destination, resolve(request.destination));
  if (!request.from.empty()) {
    HANSE_TRY(auto from, local_engine(request.from));
    m.source = from.id;
  }
  HANSE_TRY(m.protocol, parse_protocol_id(request.protocol));
  HANSE_TRY(auto body, encode_json_body(request.body));
  m.body = shared_bytes{std::move(body)};
  m.kind = request.expect_reply ? message_kind::ask : message_kind::tell;
  m.ttl_ms = ttl_of(request.timeout);
  HANSE_TRY(std::tie(m.routing, m.transport), preferences(request.wants));
  system_random random;
  random.fill(m.trace.octets);
  p.reliable = request.reliable;
  auto trace = m.trace;
  auto destination = m.destination;
  auto began = std::chrono::steady_clock::now();
  HANSE_TRY(auto a, wait_for(std::move(p), request.timeout));
  auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  json result{{"id", std::to_string(a.id)},
              {"trace", to_string(trace)},
              {"destination", to_string(destination)},
              {"elapsed_us", elapsed.count()}};
  if (request.reliable) result["acknowledged"] = a.acknowledged || request.expect_reply;
  if (request.expect_reply) {
    HANSE_TRY(auto reply, decode_json_body(a.body.view()));
    result["reply"] = std::move(reply);
  }
  return result;
}

control_result runtime_backend::ping(const ping_request& request) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto destination, resolve(request.destination));
  auto target = destination;
  HANSE_TRY(auto engines, node_->engines());
  for (auto& e : engines)
    if (e.id == destination) target = e.node;
  post p;
  p.message.destination = target;
  p.message.kind = message_kind::ask;
  p.message.protocol = node_protocol();
  p.message.ttl_ms = ttl_of(request.timeout);
  p.message.body = shared_bytes{*encode_body(std::string{"ping"})};
  auto began = std::chrono::steady_clock::now();
  HANSE_TRY(auto a, wait_for(std::move(p), request.timeout));
  auto rtt = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began).count();
  return json{{"destination", to_string(destination)},
              {"node", to_string(target)},
              {"node_name", name_of(target)},
              {"rtt_us", rtt}};
}

control_result runtime_backend::trust(const std::string& who, std::uint8_t trust) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto id, resolve(who));
  HANSE_CHECK(node_->set_trust(id, trust));
  return json{{"identity", to_string(id)}, {"trust", trust}};
}

control_result runtime_backend::why(const why_request& request) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto destination, resolve(request.destination));
  HANSE_TRY(const auto wants, preferences(request.wants));
  HANSE_TRY(auto why, node_->why(destination, wants.first, wants.second, ttl_of(request.timeout)));
  auto candidates = json::array();
  json chosen = nullptr;
  for (auto& c : why.candidates) {
    candidates.push_back(describe(c, name_of(c.node)));
    if (c.chosen && chosen.is_null()) chosen = to_string(c.node);
  }
  std::string reason = why.outcome.code == errc::none
                           ? std::to_string(candidates.size()) + " candidate(s); " + std::string{to_string(why.pattern)}
                           : to_string(why.outcome);
  return json{{"destination", to_string(destination)},
              {"kind", to_string(why.kind)},
              {"chosen", chosen},
              {"protocol", why.protocol},
              {"pattern", to_string(why.pattern)},
              {"reason", reason},
              {"constraints", constraints_of(request.wants)},
              {"candidates", candidates}};
}

control_result runtime_backend::trace(const std::string& text) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto id, parse_trace_id(text));
  auto events = json::array();
  for (auto& e : node_->services().trace_of(id))
    events.push_back({{"time_us", e.time_us},
                      {"node", to_string(node_->id())},
                      {"node_name", config_.name},
                      {"event", e.event},
                      {"source", to_string(e.source)},
                      {"destination", to_string(e.destination)},
                      {"id", std::to_string(e.id)},
                      {"detail", e.detail}});
  return json{{"trace", text}, {"events", events}};
}

control_result runtime_backend::traces() {
  lock guard{stopping_};
  HANSE_CHECK(running());
  auto list = json::array();
  for (auto& e : node_->services().newest_traces(traces_listed_max))
    list.push_back({{"trace", to_string(e.trace)},
                    {"time_us", e.time_us},
                    {"event", e.event},
                    {"source", to_string(e.source)},
                    {"destination", to_string(e.destination)}});
  return json{{"traces", list}};
}

control_result runtime_backend::counters() {
  lock guard{stopping_};
  HANSE_CHECK(running());
  auto& c = node_->services().counters;
  json drops = json::object();
  for (auto& [reason, count] : c.drops()) drops[reason] = count;
  return json{
      {"drops", drops},
      {"messages",
       {{"sent", c.sent.value.load()}, {"received", c.received.value.load()}, {"delivered", c.delivered.value.load()}}},
      {"bundles",
       {{"sent", c.bundles_sent.value.load()},
        {"received", c.bundles_received.value.load()},
        {"relayed", c.relayed.value.load()}}},
      {"batches", {{"sent", c.batches_sent.value.load()}, {"received", c.batches_received.value.load()}}},
      {"octets", {{"sent", c.octets_sent.value.load()}, {"received", c.octets_received.value.load()}}}};
}

control_result runtime_backend::inject(const inject_request& request) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  if (!config_.testing)
    return error{errc::permission_denied, "this node is not for testing; set \"testing\": true in its configuration"};
  if (request.kind == "unauthorised_event") {
    HANSE_TRY(const auto topic, resolve_topic(request.target));
    HANSE_CHECK(topics_->inject(topic, request.count));
    return json{{"sent", request.count}};
  }
  HANSE_TRY(auto target, resolve(request.target));
  identity claim;
  if (!request.claim.empty()) {
    HANSE_TRY(claim, resolve(request.claim));
  }
  node_->inject(target, request.kind, request.count, claim);
  return json{{"sent", request.count}};
}

} // namespace hanse::app
