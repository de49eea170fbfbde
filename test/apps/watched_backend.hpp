// A node for tests of watching: what it answers is set by the test, and it counts as told.
// Not a model of a node; the keys are those of control_backend.hpp.
#pragma once

#include "hanse/app/control_server.hpp"
#include "temporary_directory.hpp"

#include <doctest/doctest.h>
#include <mutex>
#include <nlohmann/json.hpp>

namespace hanse::test {

class watched_backend final : public app::control_backend {
public:
  using json = nlohmann::json;

  /// Replaces answers by command; what is not there is refused. Thread-safe.
  void set(const std::string& command, json answer) {
    std::lock_guard lock{mutex_};
    answers_[command] = std::move(answer);
  }
  json last_domain() const {
    std::lock_guard lock{mutex_};
    return asked_;
  }

  app::control_result status() override { return answer("status"); }
  app::control_result peers() override { return answer("peers"); }
  app::control_result engines() override { return answer("engines"); }
  app::control_result counters() override { return answer("counters"); }
  app::control_result traces() override { return answer("traces"); }
  app::control_result trace(const std::string& id) override {
    auto all = answer("trace");
    if (all) (*all)["trace"] = id;
    return all;
  }
  app::control_result why(const app::why_request&) override { return answer("why"); }
  app::control_result domain(const app::domain_request& r) override {
    {
      std::lock_guard lock{mutex_};
      asked_ = {{"action", r.action}, {"domain", r.domain}};
    }
    return answer("domain_" + r.action);
  }
  app::control_result topic(const app::topic_request& r) override { return answer("topic_" + r.action); }

  app::control_result add_ticket(const std::string&) override { return never(); }
  app::control_result send(const app::send_request&) override { return never(); }
  app::control_result ping(const app::ping_request&) override { return never(); }
  app::control_result spawn_engine(const app::spawn_request&) override { return never(); }
  app::control_result stop_engine(const std::string&) override { return never(); }
  app::control_result export_engine(const std::string&, const std::string&) override { return never(); }
  app::control_result import_engine(const std::string&) override { return never(); }
  app::control_result inject(const app::inject_request&) override { return never(); }
  void stop() override {}

private:
  app::control_result answer(const std::string& command) const {
    std::lock_guard lock{mutex_};
    const auto i = answers_.find(command);
    if (i == answers_.end()) return error{errc::not_found, command};
    return i->second;
  }
  app::control_result never() const {
    FAIL_CHECK("watching changes nothing");
    return error{errc::internal, ""};
  }

  mutable std::mutex mutex_;
  std::map<std::string, json> answers_;
  json asked_;
};

/// Behind a control socket, with a domain, a topic, a link and drops.
struct watched_node {
  temporary_directory dir;
  watched_backend backend;
  std::filesystem::path socket = dir / "data/control.sock";
  std::unique_ptr<app::control_server> server;

  explicit watched_node(const std::string& name, const std::string& peer = "other") {
    using json = nlohmann::json;
    backend.set("status", {{"name", name},
                           {"identity", "hk1" + name},
                           {"version", "1"},
                           {"pid", 7},
                           {"uptime_ms", 65'000},
                           {"addresses", {"tls://127.0.0.1:1"}}});
    backend.set("engines", {{"engines",
                             {{{"name", "echo"},
                               {"type", "echo"},
                               {"identity", "hk1echo"},
                               {"local", true},
                               {"protocols", {"echo/1.0"}}}}}});
    backend.set("domain_status", {{"domains",
                                   {{{"domain", "hk1lab"},
                                     {"name", "lab"},
                                     {"role", "member"},
                                     {"members", 3},
                                     {"blocks", 9},
                                     {"pending", 0},
                                     {"byzantine", json::array()},
                                     {"state", "aa"}}}}});
    backend.set("domain_members", {{"members",
                                    {{{"identity", "hk1a"}, {"name", "a"}, {"level", 1}, {"online", true}},
                                     {{"identity", "hk1b"}, {"name", "b"}, {"level", 9}, {"online", false}}}}});
    set_counters(10, 1000, 2, 0);
    peer_ = peer;
    set_link(100, 5000, 1000);
    auto started = app::control_server::start(socket, backend, [] { FAIL_CHECK("watching stops nothing"); });
    REQUIRE_MESSAGE(started, to_string(started.error()));
    server = *std::move(started);
  }

  void set_counters(std::uint64_t received, std::uint64_t octets, std::uint64_t replayed, std::uint64_t delivered) {
    backend.set("counters", {{"drops", {{"replayed", replayed}}},
                             {"messages", {{"sent", 0}, {"received", received}, {"delivered", received}}},
                             {"octets", {{"sent", 0}, {"received", octets}}}});
    backend.set("topic_list", {{"topics",
                                {{{"topic", "hk1news"},
                                  {"name", "news"},
                                  {"domain", "hk1lab"},
                                  {"dissemination", "plumtree/1"},
                                  {"nodes", {"hk1a", "hk1b"}},
                                  {"neighbours", {"hk1b"}},
                                  {"eager", {"hk1b"}},
                                  {"tags", nlohmann::json::array()},
                                  {"forked", nlohmann::json::array()},
                                  {"published", 0},
                                  {"delivered", delivered},
                                  {"duplicates", 0},
                                  {"repaired", 0},
                                  {"unauthorised", 0},
                                  {"invalid", 0},
                                  {"pending", 0},
                                  {"lost", 0},
                                  {"joined", true}}}}});
  }

  void set_link(std::uint64_t messages, std::uint64_t octets, std::uint64_t measured_ms) {
    backend.set("peers", {{"peers",
                           {{{"identity", "hk1" + peer_},
                             {"name", peer_},
                             {"connected", true},
                             {"rtt_us", 2500},
                             {"loss", nullptr},
                             {"transport", "tls"},
                             {"messages_received", messages},
                             {"messages_sent", 0},
                             {"received", octets},
                             {"sent", 0},
                             {"queued", 3},
                             {"measured_ms", measured_ms}}}}});
  }

private:
  std::string peer_;
};

} // namespace hanse::test
