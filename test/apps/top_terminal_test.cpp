// `hanse top` on a real (pseudo) terminal: it draws within the size, takes keys, and leaves the terminal as it was.
// The node is scripted; the program is hanse_fake, whose `top` is the real one.
#include "captured_run.hpp"
#include "watched_backend.hpp"

#include <chrono>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <thread>

using hanse::test::has;
using hanse::test::watched_node;

namespace {

/// A child on a terminal of 80 by 24.
struct terminal_run {
  int terminal = -1;
  pid_t child = -1;
  std::string output;

  explicit terminal_run(const std::vector<std::string>& arguments) {
    std::vector<char*> argv;
    for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    winsize size{24, 80, 0, 0};
    ::setenv("TERM", "xterm", 1);
    child = ::forkpty(&terminal, nullptr, nullptr, &size);
    if (child == 0) {
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    REQUIRE(child > 0);
  }
  ~terminal_run() {
    if (child > 0) ::kill(child, SIGKILL), ::waitpid(child, nullptr, 0);
    ::close(terminal);
  }

  /// Reads until the output has `part` (empty: to its end), at most 20 s.
  bool read_until(const std::string& part) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (part.empty() || !has(output, part)) {
      pollfd entry{terminal, POLLIN, 0};
      if (std::chrono::steady_clock::now() > end) return false;
      if (::poll(&entry, 1, 100) <= 0) continue;
      char buffer[4096];
      const auto n = ::read(terminal, buffer, sizeof buffer);
      if (n <= 0) return part.empty(); // EIO: the child is gone
      output.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
  }
  void type(const std::string& keys) {
    REQUIRE(::write(terminal, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }

  bool echoes() const {
    termios t{};
    return ::tcgetattr(terminal, &t) == 0 && (t.c_lflag & ECHO) != 0 && (t.c_lflag & ICANON) != 0;
  }

  int status() {
    int s = 0;
    ::waitpid(child, &s, 0);
    child = -1;
    return s;
  }
};

std::vector<std::string> top(const watched_node& node) {
  return {HANSE_FAKE_PROGRAM, "top", "--socket", node.socket.string()};
}

constexpr const char* enter = "\033[?1049h";
constexpr const char* leave = "\033[?25h\033[?1049l";

} // namespace

TEST_CASE("it draws again each second, and q leaves the terminal as it was") {
  watched_node node{"a"};
  terminal_run run{top(node)};
  REQUIRE(run.read_until("no rates yet"));
  CHECK(has(run.output, enter));
  CHECK(!run.echoes());
  REQUIRE(run.read_until("rates over"));
  run.type("\t\t");
  REQUIRE(run.read_until("Tab: links"));
  run.type("q");
  REQUIRE(run.read_until(leave));
  CHECK(run.status() == 0);
  CHECK(run.echoes());
}

TEST_CASE("Ctrl-C leaves it so, too") {
  watched_node node{"a"};
  terminal_run run{top(node)};
  REQUIRE(run.read_until("hanse top: 1 node"));
  run.type("\x03");
  REQUIRE(run.read_until(leave));
  CHECK(run.status() == 0);
  CHECK(run.echoes());
}
