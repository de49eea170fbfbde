// hanse cluster run: a scenario with node processes on this machine.
// The work is in cluster_run.cpp; here are the options, the directory and the signals.
#include "hanse/app/cluster/cluster_report.hpp"
#include "hanse/app/cluster/junit_report.hpp"
#include "hanse/app/command.hpp"
#include "hanse/app/stop_signals.hpp"
#include "hanse/app/text_file.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;

struct run_options {
  std::string scenario;
  std::string report;
  std::string junit;
  std::string logs;
  std::string file;
  std::vector<std::string> set;
  bool keep = false;
};

expected<fs::path> make_directory() {
  std::error_code ec;
  auto base = fs::temp_directory_path(ec);
  auto text = (fs::absolute(ec ? fs::path{"/tmp"} : base) / "hanse-cluster-XXXXXX").string();
  if (!::mkdtemp(text.data())) return io_failure(text, errno);
  return fs::path{text};
}

expected<scenario_variables> variables_of(const run_options& o) {
  scenario_variables variables;
  if (!o.file.empty()) variables["file"] = fs::absolute(o.file).string();
  for (const auto& text : o.set) {
    auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return error{errc::bad_value, "--set takes NAME=VALUE, not \"" + text + "\""};
    variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return variables;
}

run_report run(command_context& c, const scenario& plan, const cluster_options& options, stop_signals& signals) {
  stop_event abort;
  interrupt_watch watch{signals, abort};
  timeline shown{c.out, style_of_stdout(), c.json};
  cluster_run whole{plan, options, shown, abort};
  return whole.run();
}

/// A report that cannot be written fails the command, whatever came of the run: somebody waits for it.
void write_reports(command_context& c, const run_options& o, const run_report& report) {
  const auto write = [&](const std::string& file, const std::string& text) {
    if (file.empty()) return;
    if (auto written = replace_file(file, text); !written) c.fail("write the report", written.error());
  };
  write(o.report,
        o.report.empty() ? "" : to_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  write(o.junit, o.junit.empty() ? "" : to_junit(report, wall_clock_ms()));
}

/// Each node's log as DIR/NAME.log, for a run of any end.
void collect_logs(command_context& c, const fs::path& directory, const run_report& report) {
  std::error_code ec;
  fs::create_directories(directory, ec);
  for (const auto& n : report.nodes) {
    if (!ec && fs::exists(n.directory / "node.log", ec))
      fs::copy_file(n.directory / "node.log", directory / (n.name + ".log"), fs::copy_options::overwrite_existing, ec);
    if (ec) return c.fail("collect the logs", {errc::io_error, directory.string() + ": " + ec.message()});
  }
}

void cluster_run_command(command_context& c, const run_options& o) {
  auto variables = variables_of(o);
  if (!variables) return c.misuse(variables.error().detail);
  auto plan = load_scenario(o.scenario, *variables);
  if (!plan) return c.fail("read the scenario", plan.error());
  std::error_code ec;
  auto program = fs::read_symlink("/proc/self/exe", ec);
  if (ec) return c.fail("find this program's file", {errc::io_error, ec.message()});
  auto directory = make_directory();
  if (!directory) return c.fail("make a directory for the nodes", directory.error());

  stop_signals signals;
  auto report = run(c, *plan, {program, *directory, o.keep}, signals);
  if (!o.logs.empty()) collect_logs(c, o.logs, report);
  if (!report.kept && (report.ok || report.interrupted)) fs::remove_all(*directory, ec);
  c.print(to_json(report), [&] { print_summary(c.out, report, style_of_stdout()); });
  if (!report.ok) c.exit_code = exit_failed;
  write_reports(c, o, report);
}

} // namespace

void add_cluster_commands(CLI::App& program, command_context& context) {
  auto* cluster = program.add_subcommand("cluster", "Run several node processes on this machine");
  cluster->require_subcommand(1);
  cluster->footer("Example:\n  hanse cluster run demo.json");

  auto* r = cluster->add_subcommand("run", "Run a scenario: start nodes, do its steps, stop the nodes");
  auto o = std::make_shared<run_options>();
  r->add_option("SCENARIO.json", o->scenario, "The scenario; docs/cluster.md describes it")->required();
  r->add_option("--report", o->report, "Write a JSON report to this file")->type_name("FILE.json");
  r->add_option("--junit", o->junit, "Write a JUnit report to this file: a case for each step")->type_name("FILE.xml");
  r->add_option("--logs", o->logs, "Collect the nodes' logs in this directory, as NAME.log")->type_name("DIR");
  r->add_flag("--keep", o->keep, "Leave the nodes running, and print how to talk to them");
  r->add_option("--file", o->file, "The scenario's variable \"file\": same as --set file=PATH");
  r->add_option("--set", o->set, "NAME=VALUE: a variable of the scenario")->allow_extra_args(false);
  r->footer("Exit status 1 if anything is off. Ctrl-C stops every node.\n\n"
            "Example:\n  hanse cluster run demo.json --file README.md --report report.json");
  r->callback([&context, o] { cluster_run_command(context, *o); });
}

} // namespace hanse::app
