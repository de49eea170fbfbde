// Implements the fake node, and start_node with it: linked under the program's own main, it makes `hanse_fake`.
// Forwarding asks every peer in turn; there is no routing.
#include "fake/fake_node.hpp"

#include "hanse/app/control_client.hpp"
#include "hanse/app/text_file.hpp"

#include <algorithm>
#include <fstream>
#include <unistd.h>

namespace hanse::app {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string identity_of(const std::string& node, const std::string& engine) {
  auto seed = blake2b_256({as_byte_view(node), as_byte_view("/"), as_byte_view(engine)});
  return to_string(key_pair::from_seed(seed.octets).identity());
}

} // namespace

fake_node::fake_node(const node_config& config, const identity& id) : config_(config), identity_(to_string(id)) {
  for (const auto& e : config_.engines)
    engines_[e.name] = {e.name, e.type, identity_of(config_.name, e.name), json::object()};
  std::ifstream saved{config_.data_dir / "peers"};
  for (std::string who, socket; saved >> who >> socket;) peers_[who] = socket;
}

std::string fake_node::ticket() const {
  return "fake:" + identity_ + ":" + config_.control_socket.string() + "#" + std::string(500, 'x'); // long as real ones
}

void fake_node::save_peers() {
  std::string text;
  for (const auto& [who, socket] : peers_) text += who + " " + socket + "\n";
  (void)replace_file(config_.data_dir / "peers", text);
}

control_result fake_node::status() {
  std::lock_guard lock{mutex_};
  return json{{"name", config_.name},   {"identity", identity_},  {"addresses", {"fake://" + config_.name}},
              {"ticket", ticket()},     {"pid", ::getpid()},      {"engines", engines_.size()},
              {"peers", peers_.size()}, {"links", peers_.size()}, {"version", "fake"},
              {"uptime_ms", 1}};
}

control_result fake_node::peers() {
  std::map<std::string, std::string> known;
  {
    std::lock_guard lock{mutex_};
    known = peers_;
  }
  auto list = json::array();
  for (const auto& [who, socket] : known) {
    auto up = ask_node(socket, {{"command", "counters"}}, 5s).has_value();
    list.push_back({{"identity", who}, {"name", "peer"}, {"connected", up}, {"rtt_us", 1500}, {"trust", 128}});
  }
  return json{{"peers", list}};
}

json fake_node::describe(const engine& e) const {
  return {{"identity", e.identity},
          {"name", e.name},
          {"type", e.type},
          {"node", identity_},
          {"node_name", config_.name},
          {"local", true},
          {"state", "running"},
          {"protocols", {e.type + "/1.0"}},
          {"version", 1}};
}

control_result fake_node::engines() {
  std::lock_guard lock{mutex_};
  auto list = json::array();
  for (const auto& [name, e] : engines_) list.push_back(describe(e));
  return json{{"engines", list}};
}

control_result fake_node::add_ticket(const std::string& text) {
  auto colon = text.find(':', 5);
  if (!text.starts_with("fake:") || colon == std::string::npos) return error{errc::bad_value, "no ticket"};
  auto who = text.substr(5, colon - 5);
  auto socket = text.substr(colon + 1, text.find('#') - colon - 1);
  {
    std::lock_guard lock{mutex_};
    if (peers_.contains(who)) return json{{"identity", who}, {"name", "peer"}, {"fresh", false}};
    peers_[who] = socket;
    save_peers();
  }
  HANSE_CHECK(ask_node(socket, {{"command", "add"}, {"ticket", ticket()}}, 2s));
  return json{{"identity", who}, {"name", "peer"}, {"fresh", true}};
}

std::optional<fake_node::engine> fake_node::find(const std::string& name_or_identity) {
  std::lock_guard lock{mutex_};
  for (const auto& [name, e] : engines_)
    if (name == name_or_identity || e.identity == name_or_identity) return e;
  return std::nullopt;
}

/// The first peer's answer that is not "no route".
control_result fake_node::ask_all(const json& request) {
  std::map<std::string, std::string> known;
  {
    std::lock_guard lock{mutex_};
    known = peers_;
  }
  for (const auto& [who, socket] : known) {
    if (who == request.at("destination")) return ask_node(socket, request, 10s);
    auto engines = ask_node(socket, {{"command", "engines"}}, 5s);
    if (!engines) continue;
    for (const auto& e : engines->at("engines"))
      if (e.at("identity") == request.at("destination")) return ask_node(socket, request, 10s);
  }
  return error{errc::no_route, "nobody here knows where that is"};
}

control_result fake_node::send(const send_request& r) {
  auto body = json::parse(r.body);
  if (r.protocol.starts_with("fake-drop/")) {
    std::lock_guard lock{mutex_};
    ++drops_[body.at(0)];
    return json::object();
  }
  auto local = find(r.destination);
  if (!local)
    return ask_all({{"command", "send"},
                    {"destination", r.destination},
                    {"protocol", r.protocol},
                    {"body", body},
                    {"expect_reply", r.expect_reply}});
  if (r.protocol.find("/1") == std::string::npos) return error{errc::unsupported_version, "only 1.0 here"};
  HANSE_TRY(auto reply, handle(*local, body));
  json answer{{"id", "1"}, {"trace", std::string(32, 'a')}, {"destination", local->identity}, {"node", identity_}};
  if (r.expect_reply) answer["reply"] = reply;
  return answer;
}

control_result fake_node::handle(const engine& e, const json& body) {
  if (e.type == "echo") return body;
  if (e.type == "crash") ::_exit(42);
  if (e.type == "calculator") return json::array({body.at(1).get<int>() + body.at(2).get<int>()});
  if (e.type == "caller") {
    send_request r;
    r.destination = body.at(1);
    r.protocol = "calculator/1.0";
    r.body = json::array({"add", body.at(2), body.at(3)}).dump();
    r.expect_reply = true;
    HANSE_TRY(auto answer, send(r));
    return answer.at("reply");
  }
  if (e.type == "file_sender") return send_file(body.at(1), body.at(2));
  if (e.type == "file_receiver" && body.at(0) == "put") {
    auto copy = config_.data_dir / "received";
    std::filesystem::copy_file(body.at(1).get<std::string>(), copy, std::filesystem::copy_options::overwrite_existing);
    std::lock_guard lock{mutex_};
    engines_[e.name].state = {copy.string(), body.at(2), body.at(3), 1, true};
    return json::array();
  }
  if (e.type == "file_receiver") return e.state.is_array() ? e.state : json::array({"", "", 0, 0, false});
  return error{errc::schema_mismatch, e.type};
}

control_result fake_node::send_file(const std::string& path, const std::string& receiver) {
  HANSE_TRY(auto original, hash_file(path));
  auto hash = to_hex(original.hash.view());
  send_request r;
  r.destination = receiver;
  r.protocol = "file_receiver/1.0";
  r.body = json::array({"put", path, hash, original.size}).dump();
  r.expect_reply = true;
  HANSE_CHECK(send(r));
  return json::array({hash, original.size, 1});
}

control_result fake_node::ping(const ping_request& r) {
  if (r.destination != identity_ && !find(r.destination)) {
    json request{{"command", "ping"}, {"destination", r.destination}, {"timeout_ms", r.timeout.count()}};
    return ask_all(request);
  }
  return json{{"destination", r.destination}, {"node", identity_}, {"node_name", config_.name}, {"rtt_us", 700}};
}

control_result fake_node::why(const why_request& request) {
  return json{{"destination", request.destination},
              {"kind", "engine"},
              {"chosen", identity_},
              {"reason", "it is here"},
              {"candidates", {{{"node", identity_}, {"name", config_.name}, {"verdict", "chosen"}}}}};
}

control_result fake_node::trace(const std::string& trace_id) {
  return json{{"trace", trace_id},
              {"events", {{{"time_us", 1'700'000'000'000'000}, {"node", identity_}, {"event", "delivered"}}}}};
}

control_result fake_node::counters() {
  std::lock_guard lock{mutex_};
  return json{{"drops", drops_}, {"messages", {{"sent", 0}}}};
}

control_result fake_node::spawn_engine(const spawn_request& r) {
  std::lock_guard lock{mutex_};
  if (engines_.contains(r.name)) return error{errc::already_exists, r.name};
  engines_[r.name] = {r.name, r.type, identity_of(config_.name, r.name), json::object()};
  return describe(engines_[r.name]);
}

control_result fake_node::stop_engine(const std::string& name) {
  auto e = find(name);
  if (!e) return error{errc::not_found, name};
  std::lock_guard lock{mutex_};
  engines_.erase(e->name);
  return describe(*e);
}

control_result fake_node::export_engine(const std::string& name, const std::string& file) {
  auto e = find(name);
  if (!e) return error{errc::not_found, name};
  HANSE_CHECK(write_new_file(file, json{e->name, e->type, e->identity}.dump()));
  return stop_engine(name);
}

control_result fake_node::import_engine(const std::string& file) {
  HANSE_TRY(auto text, read_text_file(file, 4096));
  auto fields = json::parse(text);
  std::lock_guard lock{mutex_};
  auto& e = engines_[fields.at(0)];
  e = {fields.at(0), fields.at(1), fields.at(2), json::object()};
  std::filesystem::remove(file);
  return describe(e);
}

control_result fake_node::inject(const inject_request& r) {
  if (!config_.testing) return error{errc::permission_denied, "the configuration does not say \"testing\": true"};
  const std::map<std::string, std::string> reasons{
      {"broken_signature", "bad_signature"}, {"replay", "replayed"}, {"impostor", "not_hosted"}};
  auto reason = r.claim.empty() ? reasons.at(r.kind) : "bad_signature"; // nobody has the claimed engine's key
  for (std::uint32_t i = 0; i < r.count; ++i) {
    json request{{"command", "send"}, {"destination", r.target}, {"protocol", "fake-drop/1.0"}, {"body", {reason}}};
    HANSE_CHECK(ask_all(request));
  }
  return json{{"sent", r.count}};
}

expected<std::unique_ptr<control_backend>> start_node(const node_config& config, node_secrets secrets, node_events) {
  for (const auto& e : config.engines)
    if (e.type == "unknown") return error{errc::not_found, "no engine type is called \"unknown\""};
  return std::unique_ptr<control_backend>{std::make_unique<fake_node>(config, secrets.key.identity())};
}

} // namespace hanse::app
