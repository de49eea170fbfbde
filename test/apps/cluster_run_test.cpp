// Whole scenarios with processes of the fake node: success, failures of every kind, Ctrl-C, and that nothing survives.
// The program under test is hanse_fake: the real main and cluster runner over test/apps/fake.
#include "captured_run.hpp"
#include "hanse/app/cluster/child_process.hpp"
#include "hanse/app/control_client.hpp"
#include "temporary_directory.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <set>

using namespace hanse;
using namespace hanse::app;
using namespace std::chrono_literals;
using hanse::test::content_of;
using hanse::test::has;
using hanse::test::temporary_directory;
using nlohmann::json;

namespace {

steady_time soon() {
  return std::chrono::steady_clock::now() + 30s;
}

/// Processes whose command line has `part`: a node's has the path of its configuration.
std::set<pid_t> processes_with(const std::string& part) {
  std::set<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ostringstream line; // a process may end while it is read, which an istream takes quietly
    line << std::ifstream{entry.path() / "cmdline"}.rdbuf();
    if (has(line.str(), part)) found.insert(std::stoi(name));
  }
  return found;
}

/// hanse_fake cluster run, with its own TMPDIR so that directories of nodes can be found.
struct cluster_process {
  temporary_directory dir;
  process_starter starter;
  std::optional<child_process> process;
  std::optional<line_channel> out;
  std::string output;

  explicit cluster_process(const json& scenario, std::vector<std::string> more = {}) {
    dir.write("scenario.json", scenario.dump(2));
    std::filesystem::create_directory(dir / "tmp");
    std::vector<std::string> arguments{"/usr/bin/env",
                                       "TMPDIR=" + (dir / "tmp").string(),
                                       HANSE_FAKE_PROGRAM,
                                       "cluster",
                                       "run",
                                       dir / "scenario.json",
                                       "--report",
                                       dir / "report.json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto started = starter.start({arguments, dir / "log", {}, true});
    REQUIRE(started);
    process.emplace(*std::move(started));
    out.emplace(process->take_output(), 1 << 20, nullptr);
  }

  /// Reads on until a line has `part`.
  void read_until(const std::string& part) {
    while (true) {
      auto line = out->read_line(soon());
      REQUIRE_MESSAGE(line, output);
      output += *line + "\n";
      if (has(*line, part)) return;
    }
  }

  /// Reads to the end; the exit status.
  std::string finish() {
    while (true) {
      auto line = out->read_line(soon());
      if (!line) break;
      output += *line + "\n";
    }
    REQUIRE(process->ended(soon()));
    return process->how_it_ended();
  }

  std::set<pid_t> nodes() const { return processes_with((dir / "tmp").string() + "/hanse-cluster"); }

  void await_no_nodes() const {
    auto deadline = soon();
    while (!nodes().empty() && std::chrono::steady_clock::now() < deadline) {
    }
    CHECK(nodes().empty());
  }

  json report() const { return json::parse(content_of(dir / "report.json")); }
  bool directory_is_left() const { return !std::filesystem::is_empty(dir / "tmp"); }
};

json scenario(json steps,
              json nodes = json::array({{{"name", "a"}, {"engines", {{{"name", "echo"}, {"type", "echo"}}}}},
                                        {{"name", "b"}}})) {
  return {{"name", "test"}, {"timeout_s", 60}, {"nodes", std::move(nodes)}, {"steps", std::move(steps)}};
}

json call_echo() {
  return {{"do", "call"},           {"name", "hello"}, {"from", "b"},      {"to", "a/echo"},
          {"protocol", "echo/1.0"}, {"body", {"hi"}},  {"expect", {"hi"}}, {"count", 3}};
}

json step_of(const json& report, const std::string& name) {
  for (const auto& s : report.at("steps"))
    if (s.at("name") == name) return s;
  return {};
}

const json add = {{"do", "add"}};

} // namespace

TEST_CASE("a run that works: every kind of step, a report, nothing left") {
  temporary_directory files;
  auto file = files.write("document", std::string(100'000, 'x') + "end");
  json nodes = json::array(
      {{{"name", "n"}, {"count", 3}},
       {{"name", "left"},
        {"engines", {{{"name", "sums"}, {"type", "calculator"}}, {{"name", "out"}, {"type", "file_sender"}}}}},
       {{"name", "right"},
        {"engines", {{{"name", "in"}, {"type", "file_receiver"}}, {{"name", "caller"}, {"type", "caller"}}}}}});
  json call_sums = {{"do", "call"},
                    {"from", "right"},
                    {"to", "right/caller"},
                    {"protocol", "caller/1.0"},
                    {"body", {"call", "${identity:left/sums}", 3, 4}},
                    {"expect", {7}},
                    {"count", 5}};
  auto moved = call_sums;
  moved["name"] = "after the move";
  json steps = json::array({
      add,
      {{"do", "ping"}, {"from", "n1"}, {"to", "n3"}, {"count", 2}},
      call_sums,
      {{"do", "background"},
       {"name", "files"},
       {"repeat", true},
       {"steps", {{{"do", "send_file"}, {"from", "left/out"}, {"to", "right/in"}, {"file", file.string()}}}}},
      {{"do", "kill"}, {"node", "n3"}},
      {{"do", "restart"}, {"node", "n3"}},
      {{"do", "join"}, {"names", {"files"}}},
      {{"do", "stop"}, {"node", "n2"}},
      {{"do", "pause"}, {"node", "n1"}},
      {{"do", "resume"}, {"node", "n1"}},
      {{"do", "move_engine"}, {"engine", "sums"}, {"from", "left"}, {"to", "n1"}},
      moved,
      {{"do", "load"},
       {"from", {"right/caller", "n1"}},
       {"to", "left/sums"},
       {"protocol", "calculator/1.0"},
       {"body", {"add", 1, 2}},
       {"expect", {3}},
       {"per_second", 30},
       {"seconds", 1}},
      {{"do", "call"},
       {"from", "n1"},
       {"to", "left/sums"},
       {"protocol", "calculator/9"},
       {"body", {1}},
       {"expect_error", "unsupported_version"}},
      {{"do", "inject"}, {"kind", "broken_signature"}, {"from", "left"}, {"to", "right/in"}, {"count", 4}},
      {{"do", "assert"}, {"node", "right"}, {"of", "counters"}, {"value", "/drops/bad_signature"}, {"equals", 4}},
      {{"do", "assert"}, {"node", "right"}, {"of", "counters"}, {"value", "/drops/replayed"}, {"equals", 0}},
      {{"do", "spawn_engine"}, {"node", "n1"}, {"name", "late"}, {"type", "echo"}},
      {{"do", "wait_until"}, {"node", "n1"}, {"of", "engines"}, {"value", "/engines/0/name"}, {"equals", "late"}},
      {{"do", "stop_engine"}, {"node", "n1"}, {"name", "late"}},
      {{"do", "parallel"},
       {"steps",
        {{{"do", "ping"}, {"from", "n1"}, {"to", "left"}}, {{"do", "ping"}, {"from", "n3"}, {"to", "right"}}}}},
  });
  cluster_process run{scenario(steps, nodes)};
  auto end = run.finish();
  INFO(run.output, content_of(run.dir / "log"));
  CHECK(end == "exited with status 0");
  auto report = run.report();
  CHECK(report.at("ok") == true);
  CHECK(report.at("steps").size() == steps.size() + 1);
  CHECK(step_of(report, "after the move").at("count") == 5);
  CHECK(step_of(report, "files").at("count") >= 1);
  CHECK(step_of(report, "inject").at("count") == 4);
  auto load = step_of(report, "load").at("figures");
  CHECK(load.at("calls") == 60);
  CHECK(load.at("failed") == 0);
  CHECK(load.at("p50_us") > 0);
  CHECK(load.at("p50_us") <= load.at("p99_us"));
  CHECK(load.at("p99_us") <= load.at("max_us"));
  CHECK(load.at("by_caller").at("n1").at("calls") == 30);
  CHECK(report.at("network").at("kind") == "loopback");
  CHECK(report.at("nodes")[2].at("starts") == 2);
  CHECK(has(run.output, "all 22 steps done"));
  CHECK(!has(run.output, "\033")); // no terminal: plain lines
  CHECK(run.nodes().empty());
  CHECK(!run.directory_is_left());
}

TEST_CASE("a wrong answer fails the run, later steps are skipped, logs are kept") {
  auto wrong = call_echo();
  wrong["expect"] = {"ho"};
  temporary_directory out;
  cluster_process run{scenario({add, wrong, {{"do", "kill"}, {"name", "never"}, {"node", "a"}}}),
                      {"--junit", out / "junit.xml", "--logs", out / "logs"}};
  CHECK(run.finish() == "exited with status 1");
  CHECK(has(content_of(out / "junit.xml"), "tests=\"4\" failures=\"1\" errors=\"0\""));
  CHECK(has(content_of(out / "junit.xml"), "expected [&quot;ho&quot;], got [&quot;hi&quot;]"));
  for (const auto* node : {"a", "b"}) CHECK(std::filesystem::exists(out / ("logs/" + std::string{node} + ".log")));
  CHECK(has(run.output, "expected [\"ho\"], got [\"hi\"]"));
  CHECK(step_of(run.report(), "hello").at("result") == "failed");
  CHECK(step_of(run.report(), "never").at("result") == "skipped");
  CHECK(has(run.output, "The end of "));
  CHECK(run.nodes().empty());
  CHECK(run.directory_is_left());
}

TEST_CASE("a load fails with too many failed calls") {
  auto wrong = call_echo();
  for (const auto* key : {"count", "from"}) wrong.erase(key);
  wrong.update({{"do", "load"}, {"from", {"b"}}, {"per_second", 20}, {"seconds", 1}, {"expect", {"ho"}}});
  auto tolerated = wrong;
  tolerated.update({{"name", "tolerated"}, {"failed_max", 20}});
  cluster_process run{scenario({add, tolerated, wrong})};
  CHECK(run.finish() == "exited with status 1");
  CHECK(step_of(run.report(), "tolerated").at("figures").at("failed") == 20);
  CHECK(has(run.output, "20 of 20 calls failed; b: another answer than expected: [\"hi\"]"));
}

TEST_CASE("a load's latencies count from when a call was due") {
  auto fast = call_echo();
  for (const auto* key : {"count", "from"}) fast.erase(key);
  fast.update({{"do", "load"}, {"from", {"b"}}, {"per_second", 5000}, {"seconds", 1}, {"at_once", 1}});
  cluster_process run{scenario({add, fast})};
  INFO(run.output);
  CHECK(run.finish() == "exited with status 0");
  auto load = step_of(run.report(), "hello");
  // The last call was due within the first second, and ended with the step, however slow this machine is.
  auto elapsed_us = load.at("elapsed_us").get<std::int64_t>();
  CHECK(load.at("figures").at("max_us").get<std::int64_t>() >= elapsed_us - 1'300'000);
}

TEST_CASE("a node that does not start is told with its own error") {
  json nodes = json::array({{{"name", "a"}, {"engines", {{{"name", "x"}, {"type", "unknown"}}}}}});
  cluster_process run{scenario(json::array({{{"do", "kill"}, {"node", "a"}}}), nodes)};
  CHECK(run.finish() == "exited with status 1");
  CHECK(has(run.output, "a exited with status 1 before it was ready"));
  CHECK(has(run.output, "no engine type is called \"unknown\"")); // from its log
  CHECK(run.nodes().empty());
}

TEST_CASE("a node that dies by itself fails the run") {
  json nodes = json::array({{{"name", "a"}, {"engines", {{{"name", "c"}, {"type", "crash"}}}}}, {{"name", "b"}}});
  json crash = {{"do", "call"}, {"from", "a"}, {"to", "a/c"}, {"protocol", "crash/1"}, {"body", {1}}};
  cluster_process run{scenario({add, crash}, nodes)};
  CHECK(run.finish() == "exited with status 1");
  CHECK(has(run.output, "a exited with status 42 by itself"));
}

TEST_CASE("a step that takes too long fails, and a paused node is ended too") {
  auto call = call_echo();
  call["timeout_s"] = 1;
  cluster_process run{scenario({add, call_echo(), {{"do", "pause"}, {"node", "a"}}, call})};
  CHECK(run.finish() == "exited with status 1");
  CHECK(has(run.output, "FAILED"));
  CHECK(run.nodes().empty());
}

TEST_CASE("a background step that fails, fails the run") {
  auto wrong = call_echo();
  wrong["expect"] = {"ho"};
  wrong.erase("name");
  cluster_process run{scenario({add, {{"do", "background"}, {"name", "bg"}, {"steps", {wrong}}}, {{"do", "join"}}})};
  CHECK(run.finish() == "exited with status 1");
  CHECK(step_of(run.report(), "bg").at("result") == "failed");
}

TEST_CASE("a background step is joined at the end by itself") {
  auto hello = call_echo();
  hello.erase("name");
  cluster_process run{scenario({add, {{"do", "background"}, {"name", "bg"}, {"repeat", true}, {"steps", {hello}}}})};
  CHECK(run.finish() == "exited with status 0");
  CHECK(step_of(run.report(), "bg").at("count") >= 3);
}

TEST_CASE("Ctrl-C stops every node") {
  json never = {{"do", "wait_until"}, {"name", "never"}, {"node", "a"}, {"value", "/peers"}, {"at_least", 99}};
  for (int signal : {SIGINT, SIGTERM}) {
    cluster_process run{scenario({{{"do", "background"}, {"name", "bg"}, {"repeat", true}, {"steps", {add}}}, never})};
    run.read_until("in the background: bg");
    CHECK(run.nodes().size() == 2);
    run.process->signal(signal);
    CHECK(run.finish() == "exited with status 1");
    CHECK(run.report().at("interrupted") == true);
    CHECK(run.nodes().empty());
    CHECK(!run.directory_is_left());
  }
}

TEST_CASE("nothing survives when the runner is killed") {
  json never = {{"do", "wait_until"}, {"name", "never"}, {"node", "a"}, {"value", "/peers"}, {"at_least", 99}};
  cluster_process run{scenario({add, never})};
  run.read_until("all links up");
  CHECK(run.nodes().size() == 2);
  run.process->signal(SIGKILL);
  CHECK(run.process->ended(soon()));
  run.await_no_nodes();
}

TEST_CASE("--keep leaves the nodes running and says how to talk to them") {
  cluster_process run{scenario({add, call_echo()}), {"--keep"}};
  CHECK(run.finish() == "exited with status 0");
  CHECK(run.nodes().size() == 2);
  CHECK(has(run.output, "hanse --socket "));
  auto report = run.report();
  for (const auto& n : report.at("nodes")) {
    std::filesystem::path socket = n.at("socket").get<std::string>();
    auto status = ask_node(socket, {{"command", "status"}}, 30s);
    REQUIRE(status);
    CHECK(status->at("name") == n.at("name"));
    hanse::test::captured_run shown{{"--socket", socket, "node", "status"}};
    CHECK(has(shown.out, status->at("ticket").get<std::string>() + "\n")); // whole: it is for pasting
    CHECK(hanse::test::captured_run{{"why", "echo", "--socket", socket}}.exit_code == 0);
    CHECK(hanse::test::captured_run{{"trace", std::string(32, 'a'), "--socket", socket}}.exit_code == 0);
    CHECK(hanse::test::captured_run{{"peers", "--socket", socket}}.exit_code == 0);
    CHECK(hanse::test::captured_run{{"engines", "--socket", socket}}.exit_code == 0);
    CHECK(hanse::test::captured_run{{"counters", "--socket", socket}}.exit_code == 0);
    CHECK(ask_node(socket, {{"command", "shutdown"}}, 30s));
  }
  run.await_no_nodes();
}

TEST_CASE("a scenario that is wrong is told before anything starts") {
  cluster_process run{scenario({{{"do", "kill"}, {"node", "c"}}})};
  CHECK(run.finish() == "exited with status 1");
  CHECK(has(content_of(run.dir / "log"), "no node is called \"c\""));
  CHECK(run.output.empty());
}

TEST_CASE("--json prints the report and nothing else") {
  cluster_process run{scenario({add}), {"--json"}};
  CHECK(run.finish() == "exited with status 0");
  CHECK(json::parse(run.output).at("ok") == true);
}
