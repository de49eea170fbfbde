// The steps one by one. Every wait is a condition that is looked at again and again until the step's deadline.
// What nodes answer is taken as JSON; a missing or wrong member throws inside and becomes the step's error.
#include "hanse/app/cluster/step_runner.hpp"

#include "hanse/app/text_file.hpp"
#include "hanse/app/text_table.hpp"

#include <algorithm>

namespace hanse::app {
namespace {

using nlohmann::json;

std::string compact(const json& value) {
  return printable(value.dump(-1, ' ', false, json::error_handler_t::replace), 120);
}

/// Who adds whom: the first learns the ticket of the second.
std::vector<std::pair<std::string, std::string>> pairs_of(const add_step& s) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto& n = s.nodes;
  for (std::size_t i = 0; i < n.size(); ++i) {
    if (s.shape == "mesh")
      for (std::size_t j = i + 1; j < n.size(); ++j) pairs.emplace_back(n[i], n[j]);
    else if (s.shape == "star" && i > 0)
      pairs.emplace_back(n[0], n[i]);
    else if ((s.shape == "line" || s.shape == "ring") && i + 1 < n.size())
      pairs.emplace_back(n[i], n[i + 1]);
  }
  if (s.shape == "ring" && n.size() > 2) pairs.emplace_back(n.back(), n.front());
  return pairs;
}

/// Whether `found` compares as the step wants. What is not there counts as 0 beside a number: a counter that never
/// counted is not listed.
bool holds(const check_step& s, json found) {
  if (found.is_null() && s.than.is_number()) found = 0;
  if (s.comparison == "equals") return found == s.than;
  if (s.comparison == "differs") return found != s.than;
  if (!found.is_number()) return false;
  return s.comparison == "at_least" ? found >= s.than : found <= s.than;
}

} // namespace

expected<step_outcome> step_runner::perform(const scenario_step& step, step_scope& scope,
                                            const step_progress& progress) {
  work w{scope, progress};
  try {
    return std::visit([&](const auto& s) { return run(s, w); }, step.what);
  } catch (const std::exception& e) {
    return error{errc::bad_value, std::string{"a node answered in an unexpected form: "} + e.what()};
  }
}

step_runner::result step_runner::run(const add_step& s, work& w) {
  auto pairs = pairs_of(s);
  for (const auto& [one, other] : pairs) {
    HANSE_TRY(auto ticket, cluster_.ticket_of(other));
    HANSE_CHECK(cluster_.ask(one, {{"command", "add"}, {"ticket", ticket}}, w.scope));
  }
  for (const auto& [one, other] : pairs) {
    HANSE_CHECK(wait_linked(one, other, w));
    HANSE_CHECK(wait_linked(other, one, w));
  }
  return step_outcome{pairs.size(), s.shape + " of " + std::to_string(s.nodes.size()) + " nodes, all links up"};
}

expected<unit> step_runner::wait_linked(const std::string& node, const std::string& peer, work& w) {
  HANSE_TRY(auto identity, cluster_.identity_of({peer, ""}, w.scope));
  while (true) {
    HANSE_TRY(auto answer, cluster_.ask(node, {{"command", "peers"}}, w.scope));
    for (const auto& p : answer.at("peers"))
      if (p.value("identity", "") == identity && p.value("connected", false)) return ok();
    if (auto waited = w.scope.pause(); !waited) return error{waited.error().code, node + " has no link to " + peer};
  }
}

step_runner::result step_runner::run(const ping_step& s, work& w) {
  HANSE_TRY(auto to, cluster_.identity_of(s.to, w.scope));
  std::uint64_t best = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < s.count; ++i) {
    json request{{"command", "ping"}, {"destination", to}, {"timeout_ms", w.scope.left().count()}};
    HANSE_TRY(auto answer, cluster_.ask(s.from, request, w.scope));
    best = std::min(best, answer.at("rtt_us").get<std::uint64_t>());
    w.progress(i + 1, s.count);
  }
  return step_outcome{s.count, "best round trip " + duration_text(best)};
}

control_result step_runner::send(const endpoint& from, const std::string& to, const std::string& protocol, json body,
                                 bool reliable, work& w) {
  json request{{"command", "send"},
               {"destination", to},
               {"protocol", protocol},
               {"body", body},
               {"reliable", reliable},
               {"expect_reply", true},
               {"timeout_ms", w.scope.left().count()}};
  if (!from.engine.empty()) request["from"] = from.engine;
  return cluster_.ask(from.node, request, w.scope);
}

/// An engine or node of the cluster or, where a step names a domain, the domain.
expected<std::string> step_runner::receiver(const endpoint& to, const std::string& domain, work& w) {
  if (domain.empty()) return cluster_.identity_of(to, w.scope);
  HANSE_TRY(const auto found, cluster_.domain(domain));
  return found.identity;
}

step_runner::result step_runner::run(const call_step& s, work& w) {
  HANSE_TRY(const auto to, receiver(s.to, s.domain, w));
  HANSE_TRY(auto body, cluster_.fill(s.body, w.scope));
  auto expect = s.expect ? *s.expect : json{};
  HANSE_TRY(expect, cluster_.fill(expect, w.scope));
  json reply;
  for (std::uint32_t i = 0; i < s.count; ++i) {
    auto answer = send(s.from, to, s.protocol, body, s.reliable, w);
    if (!s.expect_error.empty()) {
      if (answer) return error{errc::bad_value, "expected the error " + s.expect_error + ", got an answer"};
      if (to_string(answer.error().code) != s.expect_error) return answer.error();
    } else {
      if (!answer) return answer.error();
      reply = answer->at("reply");
      if (s.expect && reply != expect)
        return error{errc::bad_value, "expected " + compact(expect) + ", got " + compact(reply)};
    }
    w.progress(i + 1, s.count);
  }
  auto what = s.expect_error.empty() ? compact(reply) : "refused: " + s.expect_error;
  return step_outcome{s.count,
                      s.from.text() + " -> " + (s.domain.empty() ? s.to.text() : "domain " + s.domain) + ": " + what};
}

step_runner::result step_runner::run(const send_file_step& s, work& w) {
  std::error_code ec;
  auto file = std::filesystem::absolute(s.file, ec);
  HANSE_TRY(auto original, hash_file(file));
  auto hash = to_hex(original.hash.view());
  HANSE_TRY(auto sender, cluster_.identity_of(s.from, w.scope));
  HANSE_TRY(auto receiver, cluster_.identity_of(s.to, w.scope));
  auto body = json::array({"send_file", file.string(), receiver});
  HANSE_TRY(auto answer, send({s.from.node, ""}, sender, s.sender_protocol, body, false, w));
  const auto& sent = answer.at("reply");
  if (sent.at(0) != hash)
    return error{errc::bad_checksum, "the sender's hash is " + compact(sent.at(0)) + ", the file's " + hash};
  HANSE_TRY(auto path, await_file(s, hash, w));
  HANSE_TRY(auto arrived, hash_file(path));
  if (arrived.hash != original.hash) return error{errc::bad_checksum, "the file that arrived is another one: " + path};
  return step_outcome{1, compact(sent.at(2)) + " parts, " + size_text(original.size) + ", hash equal"};
}

expected<std::string> step_runner::await_file(const send_file_step& s, const std::string& hash, work& w) {
  HANSE_TRY(auto receiver, cluster_.identity_of(s.to, w.scope));
  while (true) {
    HANSE_TRY(auto answer, send({s.to.node, ""}, receiver, s.receiver_protocol, json::array({"stat"}), false, w));
    const auto& stat = answer.at("reply");
    if (stat.at(4) == true && stat.at(1) == hash)
      return (cluster_.directory_of(s.to.node) / stat.at(0).get<std::string>()).string();
    if (auto waited = w.scope.pause(); !waited)
      return error{waited.error().code, "the file has not arrived; the receiver says " + compact(stat)};
  }
}

step_runner::result step_runner::run(const process_step& s, work& w) {
  for (const auto& node : s.nodes) {
    auto done = s.action == "kill"     ? cluster_.kill(node, w.scope)
                : s.action == "pause"  ? cluster_.pause(node, w.scope)
                : s.action == "resume" ? cluster_.resume(node, w.scope)
                                       : cluster_.stop(node, w.scope);
    // A node that was killed or stopped before is simply started.
    auto restarts = s.action == "restart" && (done || done.error() == errc::not_found);
    if (!done && !restarts) return done.error();
    if (restarts) HANSE_CHECK(cluster_.start(node, w.scope));
  }
  std::string names;
  for (const auto& node : s.nodes) names += (names.empty() ? "" : ", ") + node;
  return step_outcome{s.nodes.size(), names};
}

step_runner::result step_runner::run(const move_step& s, work& w) {
  HANSE_TRY(auto identity, cluster_.identity_of({s.from, s.engine}, w.scope));
  auto file = (cluster_.directory() / (s.engine + "." + s.from + "." + s.to + ".engine")).string();
  HANSE_CHECK(cluster_.ask(s.from, {{"command", "export_engine"}, {"engine", s.engine}, {"file", file}}, w.scope));
  HANSE_TRY(auto answer, cluster_.ask(s.to, {{"command", "import_engine"}, {"file", file}}, w.scope));
  if (answer.at("identity") != identity)
    return error{errc::wrong_signer, "the engine came up with another identity: " + compact(answer.at("identity"))};
  cluster_.moved(s.engine, s.from, s.to);
  return step_outcome{1, s.engine + ": " + s.from + " -> " + s.to};
}

step_runner::result step_runner::run(const engine_step& s, work& w) {
  if (!s.spawn) {
    HANSE_CHECK(cluster_.ask(s.node, {{"command", "stop_engine"}, {"engine", s.name}}, w.scope));
    return step_outcome{1, s.node + "/" + s.name};
  }
  HANSE_TRY(auto parameters, cluster_.fill(s.parameters, w.scope));
  json request{{"command", "spawn_engine"}, {"name", s.name}, {"type", s.type}, {"parameters", parameters}};
  if (!s.serves.empty()) request["serves"] = s.serves;
  HANSE_CHECK(cluster_.ask(s.node, request, w.scope));
  return step_outcome{1, s.node + "/" + s.name};
}

expected<std::uint64_t> step_runner::drops(const std::string& node, const std::vector<std::string>& reasons, work& w) {
  HANSE_TRY(auto answer, cluster_.ask(node, {{"command", "counters"}}, w.scope));
  std::uint64_t sum = 0;
  for (const auto& reason : reasons) sum += answer.at("drops").value(reason, std::uint64_t{0});
  return sum;
}

step_runner::result step_runner::run(const inject_step& s, work& w) {
  HANSE_TRY(auto target, cluster_.identity_of(s.to, w.scope));
  json request{{"command", "inject"}, {"kind", s.kind}, {"target", target}, {"count", s.count}};
  if (s.claim) {
    HANSE_TRY(auto claim, cluster_.identity_of(*s.claim, w.scope));
    request["claim"] = claim;
  }
  HANSE_TRY(auto before, drops(s.to.node, s.counted_as, w));
  HANSE_CHECK(cluster_.ask(s.from, request, w.scope));
  while (true) {
    HANSE_TRY(auto after, drops(s.to.node, s.counted_as, w));
    if (after >= before + s.count)
      return step_outcome{s.count, "refused and counted at " + s.to.node + ": " + std::to_string(after - before)};
    if (auto waited = w.scope.pause(); !waited)
      return error{waited.error().code, s.to.node + " counted " + std::to_string(after - before) + " drops, expected " +
                                            std::to_string(s.count)};
  }
}

step_runner::result step_runner::run(const check_step& s, work& w) {
  while (true) {
    HANSE_TRY(auto answer, cluster_.ask(s.node, {{"command", s.of}}, w.scope));
    json::json_pointer pointer{s.value};
    auto found = answer.contains(pointer) ? answer.at(pointer) : json{};
    auto place = s.node + " " + s.of + " " + s.value;
    if (holds(s, found)) return step_outcome{1, place + " is " + compact(found)};
    auto waited = s.wait ? w.scope.pause() : expected<unit>{errc::bad_value};
    if (!waited)
      return error{waited.error().code,
                   place + " is " + compact(found) + "; expected: " + s.comparison + " " + compact(s.than)};
  }
}

step_runner::result step_runner::run(const group_step&, work&) {
  return error{errc::internal, "groups are run by cluster_run"};
}

step_runner::result step_runner::run(const join_step&, work&) {
  return error{errc::internal, "joins are run by cluster_run"};
}

} // namespace hanse::app
