// Processes: output, endings, signals, and that none outlives its parent.
#include "captured_run.hpp"
#include "hanse/app/cluster/child_process.hpp"
#include "temporary_directory.hpp"

#include <csignal>
#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::app;
using namespace std::chrono_literals;
using hanse::test::content_of;
using hanse::test::has;
using hanse::test::temporary_directory;

namespace {

steady_time soon() {
  return std::chrono::steady_clock::now() + 30s;
}

process_spec shell(const temporary_directory& dir, const std::string& script) {
  return {{"/bin/sh", "-c", script}, dir / "log", dir.path(), true};
}

} // namespace

TEST_CASE("output is read, errors go to the log, the status is told") {
  temporary_directory dir;
  process_starter starter;
  auto process = starter.start(shell(dir, "echo ready > file; cat file; echo trouble >&2; exit 3"));
  REQUIRE(process);
  line_channel out{process->take_output(), 100, nullptr};
  CHECK(*out.read_line(soon()) == "ready");
  CHECK(out.read_line(soon()).error() == errc::link_closed);
  CHECK(process->ended(soon()));
  CHECK(process->how_it_ended() == "exited with status 3");
  CHECK(!process->succeeded());
  CHECK(content_of(dir / "log") == "trouble\n");
  CHECK(content_of(dir / "file") == "ready\n"); // it runs in the directory
}

TEST_CASE("signals reach the process, also a stopped one") {
  temporary_directory dir;
  process_starter starter;
  auto process = starter.start(shell(dir, "echo up; read line < /dev/tty; while :; do sleep 1000; done"));
  REQUIRE(process);
  line_channel out{process->take_output(), 100, nullptr};
  CHECK(*out.read_line(soon()) == "up");
  CHECK(!process->ended());
  process->signal(SIGSTOP);
  CHECK(!process->ended());
  process->signal(SIGKILL);
  CHECK(process->ended(soon()));
  CHECK(has(process->how_it_ended(), "signal 9"));
  process->signal(SIGKILL); // nothing happens
}

TEST_CASE("a program that is not there ends with status 127") {
  temporary_directory dir;
  process_starter starter;
  auto process = starter.start({{"/nonexistent"}, dir / "log", {}, true});
  REQUIRE(process);
  CHECK(process->ended(soon()));
  CHECK(process->how_it_ended() == "exited with status 127");
}

TEST_CASE("the destructor ends a process") {
  temporary_directory dir;
  process_starter starter;
  pid_t pid = 0;
  {
    auto process = starter.start(shell(dir, "trap '' TERM; while :; do sleep 1000; done"));
    REQUIRE(process);
    pid = process->pid();
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("many at once") {
  temporary_directory dir;
  process_starter starter;
  std::vector<child_process> all;
  for (int i = 0; i < 20; ++i) {
    auto process = starter.start(shell(dir, "exit 0"));
    REQUIRE(process);
    all.push_back(*std::move(process));
  }
  for (auto& process : all) {
    CHECK(process.ended(soon()));
    CHECK(process.succeeded());
  }
}
