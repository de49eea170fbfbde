// fork and exec with care: between the two, only async-signal-safe calls, as other threads may hold locks.
// Each child is the leader of its own session, so that the terminal's Ctrl-C reaches this process alone.
#include "hanse/app/cluster/child_process.hpp"

#include "hanse/app/text_file.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace hanse::app {
namespace {

// By number: glibc 2.36 declares it without C linkage for C++.
void send_signal(int pidfd, int number) noexcept {
  ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0);
}

struct child_plan {
  std::vector<char*> argv;
  int output = -1;
  int log = -1;
  int null = -1;
  const char* directory = nullptr;
  pid_t parent = 0;
  bool die_with_parent = true;
  int network = -1;
};

/// Runs in the child: async-signal-safe calls only.
[[noreturn]] void become(const child_plan& plan) noexcept {
  if (plan.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.parent) ::_exit(127); // it died between fork and prctl
  }
  // Here, not by `ip netns exec`: no program between us and the node, whose process id this is.
  if (plan.network >= 0 && ::setns(plan.network, CLONE_NEWNET) != 0) ::_exit(127);
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) ::signal(s, SIG_DFL);
  if (::dup2(plan.null, 0) < 0 || ::dup2(plan.output, 1) < 0 || ::dup2(plan.log, 2) < 0) ::_exit(127);
  if (plan.directory && ::chdir(plan.directory) != 0) ::_exit(127);
  ::execv(plan.argv[0], plan.argv.data());
  ::_exit(127);
}

} // namespace

child_process::~child_process() {
  if (!pidfd_ || status_) return;
  signal(SIGKILL);
  while (!ended(std::chrono::steady_clock::now() + std::chrono::seconds{1})) {
  }
}

void child_process::signal(int number) const noexcept {
  if (pidfd_) send_signal(pidfd_.get(), number);
}

bool child_process::ended(steady_time deadline) {
  if (status_ || !pidfd_) return true;
  pollfd entry{pidfd_.get(), POLLIN, 0};
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    auto n = ::poll(&entry, 1, left > 0 ? static_cast<int>(std::min<long>(left, 3'600'000)) : 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    break;
  }
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) == 0)
    status_ = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
  else
    status_ = -SIGKILL; // reaped by someone else: cannot be known
  return true;
}

std::string child_process::how_it_ended() const {
  if (!status_) return "is running";
  if (*status_ >= 0) return "exited with status " + std::to_string(*status_);
  return "was ended by signal " + std::to_string(-*status_) + " (" + ::strsignal(-*status_) + ")";
}

process_starter::process_starter() : thread_([this] { work(); }) {}

process_starter::~process_starter() {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

expected<child_process> process_starter::start(process_spec spec) {
  std::packaged_task<expected<child_process>()> task{[spec = std::move(spec)] { return fork_and_exec(spec); }};
  auto result = task.get_future();
  {
    std::lock_guard lock{mutex_};
    tasks_.push_back(std::move(task));
  }
  wake_.notify_all();
  return result.get();
}

void process_starter::work() {
  std::unique_lock lock{mutex_};
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    auto tasks = std::exchange(tasks_, {});
    if (tasks.empty()) return;
    lock.unlock();
    for (auto& task : tasks) task();
    lock.lock();
  }
}

expected<child_process> process_starter::fork_and_exec(const process_spec& spec) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return io_failure(spec.arguments[0], errno);
  unique_fd output{ends[0]};
  unique_fd child_output{ends[1]};
  unique_fd log{::open(spec.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  if (!log) return io_failure(spec.log, errno);
  unique_fd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  auto arguments = spec.arguments; // copied before the fork: no allocation after it
  child_plan plan;
  for (auto& a : arguments) plan.argv.push_back(a.data());
  plan.argv.push_back(nullptr);
  plan.output = child_output.get();
  plan.log = log.get();
  plan.null = null.get();
  if (!spec.directory.empty()) plan.directory = spec.directory.c_str();
  plan.parent = ::getpid();
  plan.die_with_parent = spec.die_with_parent;
  plan.network = spec.network;
  auto pid = ::fork();
  if (pid < 0) return io_failure(spec.arguments[0], errno);
  if (pid == 0) become(plan);
  unique_fd pidfd = open_process(pid); // safe: nobody reaps the child before this process does
  if (!pidfd) {
    auto failure = io_failure(spec.arguments[0], errno);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return failure;
  }
  return child_process{pid, std::move(pidfd), std::move(output)};
}

} // namespace hanse::app
