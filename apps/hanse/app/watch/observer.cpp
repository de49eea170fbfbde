// Asks each node in a thread of its own: one that hangs delays a look by its `wait`, and no more.
// Counters of a link are taken against the node's own time of measuring, or a rate would jump with the beat of the two.
#include "hanse/app/watch/observer.hpp"

#include "hanse/app/command.hpp"

#include <algorithm>
#include <future>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// What is asked of a node in a look, and where the answer goes; a node may not know the later ones.
constexpr std::pair<const char*, const char*> questions[] = {
    {"status", "status"},     {"peers", "peers"},     {"counters", "counters"}, {"domain_status", "domains"},
    {"topic_list", "topics"}, {"engines", "engines"}, {"block_stat", "blocks"}};

json list_at(const json& object, const char* key) {
  const auto i = object.find(key);
  return i != object.end() && i->is_array() ? *i : json::array();
}

std::uint64_t number_at(const json& object, const char* key) {
  const auto i = object.find(key);
  return i != object.end() && i->is_number_unsigned() ? i->get<std::uint64_t>() : 0;
}

/// Copies what is there of `keys`.
json part_of(const json& object, std::initializer_list<const char*> keys) {
  json part = json::object();
  for (const auto* key : keys)
    if (const auto i = object.find(key); i != object.end()) part[key] = *i;
  return part;
}

/// Everything that one node answers: {question: answer}, or the error that ended it.
control_result interview(const fs::path& socket, milliseconds wait, const stop_event* cancel) {
  const auto end = steady_clock::now() + wait;
  const auto left = [&] {
    return std::max(milliseconds{1}, std::chrono::ceil<milliseconds>(end - steady_clock::now()));
  };
  HANSE_TRY(auto session, control_session::open(socket, cancel));
  json answers = json::object();
  for (const auto& [command, key] : questions) {
    auto answer = session.ask({{"command", command}}, left());
    const auto fatal = !answer && (answer.error() == errc::timed_out || answer.error() == errc::link_closed ||
                                   answer.error() == errc::cancelled || answers.empty());
    if (fatal) return answer.error();
    if (answer) answers[key] = *std::move(answer);
  }
  auto members = json::object();
  for (const auto& d : list_at(answers.value("domains", json::object()), "domains")) {
    if (d.value("role", "") != "member" || members.size() == watched_domains_max) continue;
    auto answer = session.ask({{"command", "domain_members"}, {"domain", d.at("domain")}}, left());
    if (answer) members[d.at("domain").get<std::string>()] = list_at(*answer, "members");
    if (!answer && answer.error() == errc::timed_out) return answer.error();
  }
  answers["members"] = std::move(members);
  return answers;
}

json domains(const json& answers) {
  auto list = json::array();
  const auto& members = answers.at("members");
  for (const auto& d : list_at(answers.value("domains", json::object()), "domains")) {
    auto one = part_of(d, {"domain", "name", "role", "instance", "level", "introduces", "may_write", "members",
                           "blocks", "pending", "byzantine", "state", "protocols", "why"});
    const auto known = members.find(d.value("domain", ""));
    one["list"] = known == members.end() ? json::array() : *known;
    one["online"] = std::ranges::count_if(one["list"], [](const json& m) { return m.value("online", false); });
    list.push_back(std::move(one));
  }
  return list;
}

json local_engines(const json& answers) {
  auto list = json::array();
  for (const auto& e : list_at(answers.value("engines", json::object()), "engines"))
    if (e.value("local", false)) list.push_back(part_of(e, {"name", "type", "identity", "protocols"}));
  return list;
}

} // namespace

observer::observer(std::vector<fs::path> sockets) : sockets_(std::move(sockets)), memories_(sockets_.size()) {}

/// {total, per_s}. Without news since the last look the rate stays what it was.
json observer::count(node_memory& memory, const std::string& path, const json& value, double at_s) {
  if (!value.is_number_unsigned()) return {{"total", nullptr}, {"per_s", nullptr}};
  const auto total = value.get<std::uint64_t>();
  auto [at, is_new] = memory.counters.try_emplace(path, sample{at_s, total, {}});
  auto& s = at->second;
  if (!is_new && at_s > s.at_s) {
    const auto per_s = static_cast<double>(total - std::min(total, s.total)) / (at_s - s.at_s);
    s = {at_s, total, total < s.total ? std::optional<double>{} : per_s}; // fewer than before: another life of the link
  }
  return {{"total", total}, {"per_s", s.per_s ? json(*s.per_s) : json(nullptr)}};
}

json observer::links(node_memory& memory, const json& peers) {
  auto list = json::array();
  for (const auto& p : list_at(peers, "peers")) {
    auto one = part_of(p, {"name", "connected", "address", "transport", "rtt_us", "loss", "trust", "reputation",
                           "queued", "queued_octets"});
    const auto id = p.value("identity", "");
    one["peer"] = id;
    const auto at_s = static_cast<double>(number_at(p, "measured_ms")) / 1000;
    constexpr std::pair<const char*, const char*> counters[] = {{"messages_in", "messages_received"},
                                                                {"messages_out", "messages_sent"},
                                                                {"octets_in", "received"},
                                                                {"octets_out", "sent"}};
    for (const auto& [key, source] : counters)
      one[key] = count(memory, id + "/" + key, at_s > 0 ? p.value(source, json()) : json(), at_s);
    list.push_back(std::move(one));
  }
  return list;
}

json observer::topics(node_memory& memory, const json& topics, double at_s) {
  auto list = json::array();
  for (const auto& t : list_at(topics, "topics")) {
    auto one = part_of(t, {"topic", "name", "domain", "in_domain", "dissemination", "tags", "publishers", "nodes",
                           "neighbours", "eager", "here", "joined", "kept", "pending", "lost", "forked", "why"});
    for (const auto* key : {"published", "delivered", "duplicates", "repaired", "unauthorised", "invalid"})
      one[key] = count(memory, t.value("topic", "") + "/" + key, t.value(key, json()), at_s);
    list.push_back(std::move(one));
  }
  return list;
}

json observer::describe(std::size_t index, const json& answers, double at_s) {
  auto& memory = memories_[index];
  const auto& status = answers.at("status");
  const auto pid = number_at(status, "pid");
  if (pid != memory.pid) memory = {}; // another life: counted from zero
  memory.pid = pid;
  memory.name = status.value("name", "");
  memory.identity = status.value("identity", "");
  auto node = part_of(status, {"name", "identity", "version", "pid", "uptime_ms", "addresses"});
  node["socket"] = sockets_[index].string();
  node["ok"] = true;
  const auto counters = answers.value("counters", json::object());
  const auto counter = [&](const char* group, const char* key) {
    const auto value = counters.value(group, json::object()).value(key, json());
    return count(memory, std::string{group} + "." + key, value, at_s);
  };
  node["messages"] = {{"sent", counter("messages", "sent")},
                      {"received", counter("messages", "received")},
                      {"delivered", counter("messages", "delivered")}};
  node["octets"] = {{"sent", counter("octets", "sent")}, {"received", counter("octets", "received")}};
  node["drops"] = json::object();
  const auto drops = counters.value("drops", json::object());
  for (const auto& [reason, total] : drops.items()) {
    // A reason that was not there at the look before was at zero.
    if (memory.at_s > 0) memory.counters.try_emplace("drops." + reason, sample{memory.at_s, 0, {}});
    node["drops"][reason] = counter("drops", reason.c_str());
  }
  node["links"] = links(memory, answers.value("peers", json::object()));
  node["engines"] = local_engines(answers);
  node["domains"] = domains(answers);
  node["topics"] = topics(memory, answers.value("topics", json::object()), at_s);
  if (const auto blocks = answers.find("blocks"); blocks != answers.end()) node["blocks"] = *blocks;
  memory.at_s = at_s;
  return node;
}

json observer::look(milliseconds wait, const stop_event* cancel) {
  std::vector<std::future<control_result>> asked;
  for (const auto& socket : sockets_)
    asked.push_back(
        std::async(std::launch::async, [&socket, wait, cancel] { return interview(socket, wait, cancel); }));
  json view{{"at_ms", wall_clock_ms()}, {"interval_ms", nullptr}, {"nodes", json::array()}};
  for (std::size_t i = 0; i < asked.size(); ++i) {
    auto answers = asked[i].get();
    const auto at = steady_clock::now();
    if (answers) {
      view["nodes"].push_back(describe(i, *answers, std::chrono::duration<double>(at.time_since_epoch()).count()));
      continue;
    }
    const auto& e = answers.error();
    view["nodes"].push_back({{"socket", sockets_[i].string()},
                             {"ok", false},
                             {"name", memories_[i].name},
                             {"identity", memories_[i].identity},
                             {"error", {{"code", std::string{to_string(e.code)}}, {"detail", e.detail}}}});
  }
  const auto now = steady_clock::now();
  if (looked_) view["interval_ms"] = std::chrono::duration_cast<milliseconds>(now - *looked_).count();
  looked_ = now;
  return view;
}

expected<std::vector<fs::path>> sockets_to_watch(const std::vector<std::string>& given, const std::string& cluster) {
  std::vector<fs::path> sockets{given.begin(), given.end()};
  if (!cluster.empty()) {
    std::error_code ec;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator{cluster, ec})
      if (auto socket = entry.path() / "data" / "control.sock"; fs::is_directory(socket.parent_path(), ec))
        found.push_back(std::move(socket));
    if (found.empty())
      return error{errc::not_found, "no node is in " + cluster +
                                        "; it is the directory that `hanse cluster run --keep` "
                                        "prints, with a directory for each node"};
    std::ranges::sort(found);
    sockets.insert(sockets.end(), found.begin(), found.end());
  }
  if (sockets.empty()) sockets.push_back(choose_socket(""));
  if (sockets.size() > watched_nodes_max)
    return error{errc::table_full, std::to_string(sockets.size()) + " nodes are too many to watch at once; at most " +
                                       std::to_string(watched_nodes_max)};
  return sockets;
}

} // namespace hanse::app
