// End-to-end figures of Hanse against CAF's own remoting (publish/remote_actor), in pairs of processes on loopback:
// throughput, CPU per message, round trips, large messages, local calls, idle memory. Every Hanse message is signed and
// goes over TLS 1.3; CAF's are neither. Runs are interleaved; medians are printed. Usage: end_to_end [--json FILE]
#include "bench/stacks.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using bench::figures;

/// Starts this program again as `role` of `stack` with its standard output on a pipe.
struct child {
  pid_t pid = -1;
  FILE* out = nullptr;

  child(const std::string& role, const std::string& stack, const std::string& argument) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    pid = fork();
    if (pid == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      execl("/proc/self/exe", "end_to_end", role.c_str(), stack.c_str(), argument.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    out = fdopen(ends[0], "r");
  }

  std::string line() {
    char buffer[8192];
    if (!fgets(buffer, sizeof buffer, out)) return {};
    std::string text{buffer};
    if (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  /// Waits for the end; the CPU seconds it used.
  double join() {
    rusage used{};
    int status = 0;
    fclose(out);
    wait4(pid, &status, 0, &used);
    auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
  }
};

/// One run of one workload on one stack: a server process, a client process.
figures run_pair(const std::string& stack, const std::string& workload) {
  child server{"server", stack, workload};
  auto address = server.line();
  child client{"client", stack, workload + ' ' + address};
  figures result;
  while (true) {
    auto line = client.line();
    if (line.empty()) break;
    auto space = line.find(' ');
    result[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
  auto cpu = client.join();
  kill(server.pid, SIGTERM);
  cpu += server.join();
  if (result.contains("messages")) result["cpu_us_per_message"] = cpu * 1e6 / result["messages"];
  return result;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

} // namespace

int main(int argc, char** argv) {
  if (argc > 3 && (argv[1] == std::string{"server"} || argv[1] == std::string{"client"}))
    return bench::run_role(argv[1], argv[2], argv[3]);
  std::string json_file;
  int rounds = 5;
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == std::string{"--json"}) json_file = argv[i + 1];
    if (argv[i] == std::string{"--rounds"}) rounds = std::max(1, std::atoi(argv[i + 1]));
  }
  const std::vector<std::string> workloads{"small", "large", "round_trip", "local"};
  std::map<std::string, std::map<std::string, std::vector<double>>> all; // "workload figure" -> stack -> values
  for (int round = 0; round < rounds; ++round)
    for (auto& workload : workloads)
      for (std::string stack : {"hanse", "caf"}) {
        std::fprintf(stderr, "round %d of %d: %s on %s\n", round + 1, rounds, workload.c_str(), stack.c_str());
        for (auto& [figure, value] : run_pair(stack, workload)) all[workload + ' ' + figure][stack].push_back(value);
      }
  nlohmann::json report;
  std::printf("%-36s %14s %14s %10s\n", "median", "hanse", "caf", "ratio");
  for (auto& [name, stacks] : all) {
    auto ours = median(stacks["hanse"]), theirs = median(stacks["caf"]);
    std::printf("%-36s %14.2f %14.2f %10.2f\n", name.c_str(), ours, theirs, theirs > 0 ? ours / theirs : 0);
    report[name] = {{"hanse", ours}, {"caf", theirs}, {"ratio", theirs > 0 ? ours / theirs : 0}};
  }
  if (!json_file.empty()) std::ofstream{json_file} << report.dump(2) << '\n';
}
