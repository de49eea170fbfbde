// kill -9 of a real node process, again and again, under reliable traffic: what was acknowledged has been handled
// exactly once, and nothing is ever handled twice. The journal engine writes each number it handles, durably.
#include "hanse/app/engines/engines.hpp"
#include "hanse/app/engines/interfaces.hpp"

#include "hanse/actors/body.hpp"

#include <caf/actor_system_config.hpp>

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <thread>

#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace hanse;
using namespace std::chrono_literals;

namespace {

constexpr int kills = 8;
constexpr std::uint64_t under_way_max = 32;

struct temporary_directory {
  std::filesystem::path path;
  temporary_directory() {
    char name[] = "/tmp/hanse-crash-XXXXXX";
    REQUIRE(mkdtemp(name));
    path = name;
  }
  ~temporary_directory() { std::filesystem::remove_all(path); }
};

pid_t run(std::vector<std::string> arguments, const std::filesystem::path& log) {
  std::vector<char*> argv;
  for (auto& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  auto pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  return pid;
}

void write_config(const std::filesystem::path& dir, const std::string& ticket) {
  nlohmann::json config{
      {"name", "victim"},
      {"key_file", "node.key"},
      {"data_dir", "data"},
      {"listen", {"tls://127.0.0.1:0"}},
      {"peers", {ticket}},
      {"allow_private", true},
      {"engines",
       {{{"name", "journal"}, {"type", "journal"}, {"parameters", {{"file", (dir / "journal.txt").string()}}}}}}};
  std::ofstream{dir / "config.json"} << config.dump(2);
}

std::map<std::uint64_t, int> read_journal(const std::filesystem::path& file) {
  std::map<std::uint64_t, int> counts;
  std::ifstream in{file};
  for (std::uint64_t number; in >> number;) ++counts[number];
  return counts;
}

identity find_journal(node& n) {
  for (auto deadline = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < deadline;) {
    if (auto engines = n.engines())
      for (auto& e : *engines)
        if (e.name == "journal") return e.id;
    std::this_thread::sleep_for(20ms);
  }
  return {};
}

struct under_way {
  std::uint64_t number;
  std::future<answer> result;
};

} // namespace

TEST_CASE("kill -9 of the receiver loses no acknowledged message and repeats none") {
  temporary_directory dir;
  struct config : caf::actor_system_config {
    config() { load<caf::io::middleman>(); }
  } cfg;
  caf::actor_system system{cfg};
  node_options options;
  options.name = "sender";
  options.listen = {"tls://127.0.0.1:0"};
  options.log = log_level::quiet;
  auto sender = node::start(system, std::move(options));
  REQUIRE(sender);
  auto log = dir.path / "log";
  int status = 0;
  waitpid(run({HANSE_PROGRAM, "id", "new", "--no-passphrase", "--out", dir.path / "node.key"}, log), &status, 0);
  REQUIRE(status == 0);
  write_config(dir.path, (*sender)->ticket());
  std::vector<std::string> command{HANSE_PROGRAM, "node", "run", dir.path / "config.json"};
  auto victim = run(command, log);
  auto journal = find_journal(**sender);
  REQUIRE(journal);

  std::set<std::uint64_t> acknowledged;
  std::map<std::string, int> failures;
  std::deque<under_way> sent;
  std::uint64_t next = 1;
  auto settle_first = [&] {
    auto a = sent.front().result.get();
    if (a.fault)
      ++failures[std::string{to_string(a.fault->code)}];
    else
      acknowledged.insert(sent.front().number);
    sent.pop_front();
  };
  for (int round = 0; round < kills; ++round) {
    auto goal = acknowledged.size() + 40; // some are handled between any two kills
    while (acknowledged.size() < goal) {
      post p;
      p.reliable = true;
      p.message.destination = journal;
      p.message.kind = message_kind::tell;
      p.message.protocol = {"journal", 1, 0};
      p.message.ttl_ms = 60'000;
      p.message.body = shared_bytes{*encode_body(engines::append_atom_v, next)};
      sent.push_back({next++, (*sender)->send(std::move(p))});
      if (sent.size() >= under_way_max) settle_first();
    }
    kill(victim, SIGKILL);
    waitpid(victim, &status, 0);
    victim = run(command, log);
  }
  while (!sent.empty()) settle_first();
  kill(victim, SIGTERM);
  waitpid(victim, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);

  auto handled = read_journal(dir.path / "journal.txt");
  int lost = 0, twice = 0;
  for (auto number : acknowledged) lost += handled[number] == 0;
  for (auto& [number, count] : handled) twice += count > 1;
  CHECK(lost == 0);
  CHECK(twice == 0);
  MESSAGE("sent " << next - 1 << ", acknowledged " << acknowledged.size() << ", kills " << kills);
  for (auto& [reason, count] : failures) MESSAGE("not acknowledged, " << reason << ": " << count);
  for (auto& [reason, count] : failures) {
    CAPTURE(reason);
    CHECK((reason == "in_doubt" || reason == "timed_out"));
  }
}

int main(int argc, char** argv) {
  hanse::init_global_meta_objects();
  engines::init_global_meta_objects();
  doctest::Context context{argc, argv};
  return context.run();
}
