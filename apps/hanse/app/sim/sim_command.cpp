// hanse sim run, hanse sim soak: whole clusters in virtual time, in this process.
// The work is in hanse/sim; here are options, signals, progress and files.
#include "hanse/app/command.hpp"
#include "hanse/app/sim/sim_report.hpp"
#include "hanse/app/stop_signals.hpp"
#include "hanse/app/text_file.hpp"

#include <CLI/CLI.hpp>
#include <fstream>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

constexpr auto progress_every = std::chrono::seconds{10};

struct run_arguments {
  std::string scenario;
  std::optional<std::uint64_t> seed;
  std::uint32_t nodes = 0;
  std::string report;
  std::string trace;
  std::string failures = ".";
};

struct soak_arguments {
  std::uint32_t minutes = 1;
  std::uint64_t from_seed = 1;
  std::string failures = ".";
};

double seconds_since(clock::time_point start) {
  return std::chrono::duration<double>(clock::now() - start).count();
}

sim_report timed_run(sim_file file, const sim::run_options& options) {
  sim_report out;
  const auto seed = *file.seed;
  const auto start = clock::now();
  out.result =
      file.schedule ? sim::run(file.scenario, seed, *file.schedule, options) : sim::run(file.scenario, seed, options);
  out.seconds = seconds_since(start);
  out.file = std::move(file);
  return out;
}

/// Shrinks what failed, writes it down, and tells. The run's report is there already.
void tell_failure(command_context& c, const sim_report& failed, const std::string& directory, stop_event& abort) {
  auto file = failed.file;
  auto schedule = file.schedule ? *file.schedule : sim::plan(file.scenario, *file.seed);
  c.err << "An invariant does not hold (" << sim::to_string(failed.result.violation->what)
        << "). Looking for the shortest schedule that shows it; Ctrl-C takes what was found so far.\n";
  sim::shrink_options options;
  options.stop = [&abort] { return abort.is_set(); };
  const auto small = sim::shrink(file.scenario, *file.seed, std::move(schedule), options);
  file.schedule = small.schedule;
  const auto path = fs::path{directory} / ("sim-failure-" + std::to_string(*file.seed) + ".json");
  const auto written = replace_file(path, to_json(file).dump(1) + "\n");
  if (small.result.violation) print_failure(c.err, file, small, written ? path : fs::path{});
  if (!written) c.fail("write the failing schedule", written.error());
  c.exit_code = exit_failed;
}

void write_trace(command_context& c, const std::string& file, const sim::trace_log& log, const sim::scenario& s) {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < s.node_count(); ++i) names.push_back(sim::node_name(s, i));
  std::ofstream out{file, std::ios::binary};
  if (file.ends_with(".json"))
    log.write_chrome(out, names);
  else
    log.write_text(out, names);
  out.flush();
  if (!out) c.fail("write the trace", {errc::io_error, file});
}

void run_command(command_context& c, const run_arguments& a) {
  auto file = load_sim_file(a.scenario);
  if (!file) return c.fail("read the scenario", file.error());
  if (a.nodes != 0) {
    if (a.nodes < file->scenario.groups.size())
      return c.misuse("--nodes: the scenario has " + std::to_string(file->scenario.groups.size()) + " groups");
    file->scenario = with_nodes(std::move(file->scenario), a.nodes);
  }
  if (a.seed || a.nodes != 0) file->schedule.reset(); // it belongs to the seed and the nodes of the file
  if (a.seed) file->seed = a.seed;
  if (!file->seed) file->seed = 1;

  stop_signals signals;
  stop_event abort;
  interrupt_watch watch{signals, abort};
  sim::trace_log log;
  sim::run_options options;
  if (!a.trace.empty()) options.log = &log;
  const auto start = clock::now();
  auto next = start + progress_every;
  options.stop = [&] {
    if (clock::now() >= next) {
      c.err << "still simulating, " << static_cast<int>(seconds_since(start)) << " s\n" << std::flush;
      next += progress_every;
    }
    return abort.is_set();
  };
  const auto report = timed_run(std::move(*file), options);
  c.print(to_json(report), [&] { print_report(c.out, report); });
  if (!a.report.empty())
    if (auto written = replace_file(a.report, to_json(report).dump(2) + "\n"); !written)
      c.fail("write the report", written.error());
  if (!a.trace.empty()) write_trace(c, a.trace, log, report.file.scenario);
  if (report.result.interrupted) c.exit_code = exit_failed;
  if (report.result.violation) tell_failure(c, report, a.failures, abort);
}

void soak_command(command_context& c, const soak_arguments& a) {
  stop_signals signals;
  stop_event abort;
  interrupt_watch watch{signals, abort};
  const auto start = clock::now();
  const auto end = start + std::chrono::minutes{a.minutes};
  auto next = start + progress_every;
  std::uint64_t seed = a.from_seed, runs = 0, steps = 0, virtual_ms = 0;
  std::vector<std::uint64_t> failed;
  sim::run_options options;
  options.stop = [&abort] { return abort.is_set(); };
  for (; clock::now() < end && !abort.is_set(); ++seed) {
    const auto report = timed_run({sim::random_scenario(seed), seed, {}}, options);
    if (report.result.interrupted) break;
    ++runs;
    steps += report.result.steps;
    virtual_ms += report.result.virtual_ms;
    if (report.result.violation) {
      failed.push_back(seed);
      tell_failure(c, report, a.failures, abort);
    }
    if (clock::now() < next) continue;
    next = clock::now() + progress_every;
    c.err << runs << " seeds, the last one " << seed << "; " << failed.size() << " failed; "
          << static_cast<int>(seconds_since(start)) << " s of " << a.minutes * 60 << " s\n"
          << std::flush;
  }
  const nlohmann::json summary{
      {"from_seed", a.from_seed},       {"runs", runs},           {"events", steps},
      {"virtual_ms", virtual_ms},       {"failed_seeds", failed}, {"interrupted", abort.is_set()},
      {"seconds", seconds_since(start)}};
  c.print(summary, [&] {
    c.out << runs << " seeds from " << a.from_seed << " on, " << steps << " events, " << virtual_ms / 1000
          << " s inside: " << (failed.empty() ? "every invariant held" : std::to_string(failed.size()) + " failed")
          << "\n";
  });
  if (!failed.empty()) c.exit_code = exit_failed;
}

} // namespace

void add_sim_commands(CLI::App& program, command_context& context) {
  auto* sim = program.add_subcommand("sim", "Simulate whole clusters, with faults, in virtual time");
  sim->require_subcommand(1);
  sim->footer("Example:\n  hanse sim run unicast_faults.json --seed 7 --trace trace.json");

  auto* r = sim->add_subcommand("run", "Run one scenario with one seed, or a failure that was written down");
  auto run = std::make_shared<run_arguments>();
  r->add_option("SCENARIO.json", run->scenario, "The scenario; docs/simulation.md describes it")->required();
  r->add_option("--seed", run->seed, "Of all that is random; by default that of the file, or 1");
  r->add_option("--nodes", run->nodes, "So many nodes in place of those of the file, shared out alike")
      ->check(CLI::Range(1U, sim::nodes_max));
  r->add_option("--report", run->report, "Write a JSON report to this file");
  r->add_option("--trace", run->trace, "Write what happened: FILE.json for Perfetto or Chrome, else for people");
  r->add_option("--failures", run->failures, "Directory for sim-failure-SEED.json")->capture_default_str();
  r->footer("Exit status 1 if an invariant does not hold; the shortest schedule that shows it is written down.\n\n"
            "Example:\n  hanse sim run unicast_faults.json --seed 7");
  r->callback([&context, run] { run_command(context, *run); });

  auto* s = sim->add_subcommand("soak", "Run random scenarios, seed after seed, until the time is up");
  auto soak = std::make_shared<soak_arguments>();
  s->add_option("--minutes", soak->minutes, "How long")->required()->check(CLI::Range(1U, 100'000U));
  s->add_option("--from-seed", soak->from_seed, "The first seed")->capture_default_str();
  s->add_option("--failures", soak->failures, "Directory for sim-failure-SEED.json")->capture_default_str();
  s->footer("Ctrl-C ends it early. Exit status 1 if any seed failed.\n\nExample:\n  hanse sim soak --minutes 480");
  s->callback([&context, soak] { soak_command(context, *soak); });
}

} // namespace hanse::app
