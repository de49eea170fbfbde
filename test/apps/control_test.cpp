// The control socket, server and client together, with a scripted backend.
#include "captured_run.hpp"
#include "hanse/app/control_client.hpp"
#include "hanse/app/control_dispatch.hpp"
#include "hanse/app/control_server.hpp"
#include "hanse/app/control_wire.hpp"
#include "temporary_directory.hpp"

#include <condition_variable>
#include <doctest/doctest.h>
#include <future>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

using namespace hanse;
using namespace hanse::app;
using namespace std::chrono_literals;
using hanse::test::has;
using hanse::test::temporary_directory;
using nlohmann::json;

namespace {

/// Answers with what it was asked; `send` waits until it is let go.
class scripted_backend final : public control_backend {
public:
  control_result status() override { return json{{"name", "scripted"}}; }
  control_result peers() override { throw std::runtime_error("a bug"); }
  control_result engines() override { return error{errc::io_error, "disk"}; }
  control_result add_ticket(const std::string& t) override { return json{{"ticket", t}}; }
  control_result send(const send_request& r) override {
    std::unique_lock lock{mutex};
    ++waiting;
    changed.notify_all();
    changed.wait(lock, [this] { return released; });
    return json{{"body", json::parse(r.body)}, {"from", r.from}, {"timeout", r.timeout.count()}};
  }
  control_result ping(const ping_request& r) override { return json{{"destination", r.destination}}; }
  control_result why(const why_request& r) override {
    return json{{"destination", r.destination}, {"within", r.wants.within}, {"trust_min", r.wants.trust_min}};
  }
  control_result trace(const std::string& id) override { return json{{"trace", id}}; }
  control_result counters() override { return json{{"big", std::string(1'500'000, 'x')}}; }
  control_result spawn_engine(const spawn_request& r) override { return json{{"parameters", r.parameters}}; }
  control_result stop_engine(const std::string& e) override { return json{{"name", e}}; }
  control_result export_engine(const std::string& e, const std::string& f) override {
    return json{{"name", e}, {"file", f}};
  }
  control_result import_engine(const std::string& f) override { return json{{"file", f}}; }
  control_result inject(const inject_request& r) override { return json{{"kind", r.kind}, {"count", r.count}}; }
  void stop() override {}

  void release() {
    std::lock_guard lock{mutex};
    released = true;
    changed.notify_all();
  }
  void await_waiting(int n) {
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return waiting >= n; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  int waiting = 0;
  bool released = false;
};

struct served {
  temporary_directory dir;
  std::filesystem::path socket = dir / "data/control.sock";
  scripted_backend backend;
  std::atomic<int> shutdowns = 0;
  std::unique_ptr<control_server> server;

  served() {
    auto s = control_server::start(socket, backend, [this] { ++shutdowns; });
    REQUIRE_MESSAGE(s, to_string(s.error()));
    server = *std::move(s);
  }
  ~served() { backend.release(); }

  control_result ask(const json& request) { return ask_node(socket, request, 30s); }
};

json send_json() {
  return {{"command", "send"}, {"destination", "x"}, {"protocol", "p/1"}, {"body", json::array()}};
}

std::string raw(const std::filesystem::path& socket, const std::string& text) {
  auto fd = connect_local(socket);
  REQUIRE(fd);
  line_channel channel{*std::move(fd), control_line_max, nullptr};
  auto deadline = std::chrono::steady_clock::now() + 30s;
  (void)channel.write_line(text, deadline);
  auto line = channel.read_line(deadline);
  return line ? *line : to_string(line.error());
}

control_result dispatch(const std::string& line) {
  scripted_backend backend;
  backend.released = true;
  return dispatch_control(backend, line, {});
}

} // namespace

TEST_CASE("requests reach the backend and answers come back") {
  served s;
  CHECK(s.ask({{"command", "status"}})->at("name") == "scripted");
  CHECK(s.ask({{"command", "add"}, {"ticket", "t"}})->at("ticket") == "t");
  CHECK(s.ask({{"command", "ping"}, {"destination", "d"}})->at("destination") == "d");
  CHECK(s.ask({{"command", "inject"}, {"kind", "replay"}, {"target", "t"}, {"count", 3}})->at("count") == 3);
  CHECK(s.ask({{"command", "spawn_engine"}, {"name", "a"}, {"type", "t"}, {"parameters", {{"x", 1}}}})
            ->at("parameters") == "{\"x\":1}");
  CHECK(s.ask({{"command", "counters"}})->at("big").get<std::string>().size() == 1'500'000);
}

TEST_CASE("errors keep their code and detail; a throwing backend is an internal error") {
  served s;
  auto engines = s.ask({{"command", "engines"}});
  CHECK(engines.error() == errc::io_error);
  CHECK(engines.error().detail == "disk");
  CHECK(s.ask({{"command", "peers"}}).error() == errc::internal);
}

TEST_CASE("the socket is 0600 in a 0700 directory and goes away") {
  std::filesystem::path socket;
  {
    served s;
    socket = s.socket;
    struct stat info {};
    REQUIRE(::stat(socket.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    REQUIRE(::stat(socket.parent_path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
    s.server = nullptr;
    CHECK(!std::filesystem::exists(socket));
    CHECK(s.ask({{"command", "status"}}).error() == errc::not_found);
  }
}

TEST_CASE("an open directory and a long path are refused") {
  temporary_directory dir;
  scripted_backend backend;
  std::filesystem::create_directory(dir / "open");
  ::chmod((dir / "open").c_str(), 0755);
  CHECK(control_server::start(dir / "open/c.sock", backend, {}).error() == errc::bad_permissions);
  CHECK(control_server::start(dir / std::string(120, 'x'), backend, {}).error() == errc::too_long);
}

TEST_CASE("a live socket is not taken over, a stale one is") {
  served s;
  scripted_backend other;
  CHECK(control_server::start(s.socket, other, {}).error() == errc::already_exists);
  CHECK(s.ask({{"command", "status"}}));

  temporary_directory dir;
  auto stale = dir / "stale.sock";
  {
    auto listener = listen_local(stale);
    REQUIRE(listener);
  } // closed without unlink, as after kill -9
  CHECK(std::filesystem::exists(stale));
  CHECK(ask_node(stale, {{"command", "status"}}, 1s).error() == errc::unreachable);
  auto again = control_server::start(stale, other, {});
  CHECK(again);
}

TEST_CASE("a request that waits does not block other clients") {
  served s;
  auto waiting = std::async(std::launch::async, [&] { return s.ask(send_json()); });
  s.backend.await_waiting(1);
  CHECK(s.ask({{"command", "status"}}));
  s.backend.release();
  CHECK(waiting.get());
}

TEST_CASE("clients are bounded, and room is made again") {
  served s;
  std::vector<std::future<control_result>> waiting;
  for (std::size_t i = 0; i < control_clients_max; ++i)
    waiting.push_back(std::async(std::launch::async, [&] { return s.ask(send_json()); }));
  s.backend.await_waiting(control_clients_max);
  CHECK(s.ask({{"command", "status"}}).error() == errc::table_full);
  s.backend.release();
  for (auto& w : waiting) CHECK(w.get());
  auto deadline = std::chrono::steady_clock::now() + 30s;
  auto answer = s.ask({{"command", "status"}});
  while (!answer && std::chrono::steady_clock::now() < deadline) answer = s.ask({{"command", "status"}});
  CHECK(answer);
}

TEST_CASE("stopping ends idle clients and lets those under way finish") {
  served s;
  auto idle = connect_local(s.socket);
  REQUIRE(idle);
  auto waiting = std::async(std::launch::async, [&] { return s.ask(send_json()); });
  s.backend.await_waiting(1);
  s.server->stop();
  s.backend.release();
  CHECK(waiting.get());
  s.server = nullptr; // joins: would hang if the idle client kept its thread
}

TEST_CASE("a client that gives up is told so") {
  served s;
  CHECK(ask_node(s.socket, send_json(), 50ms).error() == errc::timed_out);
  stop_event cancel;
  cancel.set();
  CHECK(ask_node(s.socket, send_json(), 10s, &cancel).error() == errc::cancelled);
}

TEST_CASE("shutdown is handed to the program") {
  served s;
  const auto answer = s.ask({{"command", "shutdown"}});
  REQUIRE(answer);
  CHECK(answer->at("stopping") == true);
  CHECK(answer->at("process") == ::getpid());
  CHECK(s.shutdowns == 1);
}

TEST_CASE("lines that are no requests get an error and the connection lives on") {
  served s;
  CHECK(has(raw(s.socket, "hello"), "bad_value"));
  CHECK(has(raw(s.socket, ""), "bad_value"));
  CHECK(has(raw(s.socket, "[]"), "bad_value"));
  CHECK(has(raw(s.socket, std::string(control_line_max + 10, ' ')), "too_long"));
  CHECK(s.ask({{"command", "status"}}));
}

TEST_CASE("requests are read strictly") {
  auto refusal = [](const std::string& line) {
    auto answer = dispatch(line);
    REQUIRE(!answer);
    CHECK(answer.error() == errc::bad_value);
    return answer.error().detail;
  };
  CHECK(has(refusal(R"({"command": "statsu"})"), "did you mean \"status\"?"));
  CHECK(has(refusal(R"({"command": "status", "x": 1})"), "x: unknown key"));
  CHECK(has(refusal(R"({"command": "ping"})"), "destination"));
  CHECK(has(refusal(R"({"command": "ping", "destination": "a", "timeout_ms": 0})"), "timeout_ms"));
  CHECK(has(refusal(R"({"command": "send", "destination": "a", "protocol": "p", "body": []})"), "protocol"));
  CHECK(has(refusal(R"({"command": "send", "destination": "a", "protocol": "p/1", "body": {}})"),
            "body: expected a list"));
  CHECK(has(refusal(R"({"command": "send", "destination": "a", "protocol": "p/1"})"), "body"));
  CHECK(has(refusal(R"({"command": "trace", "id": "zz"})"), "32 hexadecimal digits"));
  CHECK(has(refusal(R"({"command": "inject", "kind": "x", "target": "t"})"), "kind"));
  CHECK(has(refusal(R"({"command": "why", "destination": "x", "ordered": true, "unordered": true})"), "not both"));
  CHECK(has(refusal(R"({"command": "export_engine", "engine": "e", "file": "relative"})"), "absolute path"));
  CHECK(has(refusal(R"({"command": "spawn_engine", "name": "A", "type": "t"})"), "name"));
  CHECK(has(refusal(std::string(5000, '[')), "nested deeper"));
}

TEST_CASE("a send request is taken over whole") {
  auto answer =
      dispatch(R"({"command": "send", "destination": "d", "from": "e", "protocol": "p/1.2", "body": ["add", 3, 4],)"
               R"( "reliable": true, "expect_reply": true, "timeout_ms": 77})");
  REQUIRE(answer);
  CHECK(answer->at("body") == json::array({"add", 3, 4}));
  CHECK(answer->at("from") == "e");
  CHECK(answer->at("timeout") == 77);
}

TEST_CASE("replies are decoded whatever they hold") {
  CHECK(!decode_reply(R"({"done": false, "note": 1})"));
  CHECK(decode_reply(R"({"done": true, "ok": true, "result": {"a": 1}})")->value().at("a") == 1);
  CHECK(decode_reply(R"({"done": true, "ok": false, "error": {"code": "no_route", "detail": "d"}})")->error() ==
        errc::no_route);
  for (const auto* odd : {"", "x", "[]", R"({"done": true})", R"({"done": true, "error": 5})",
                          R"({"done": true, "ok": false, "error": {"code": 5}})"})
    CHECK(!decode_reply(odd)->has_value());
  CHECK(errc_of("replayed") == errc::replayed);
  CHECK(errc_of("nonsense") == errc::internal);
}
