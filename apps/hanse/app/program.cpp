// Puts the subcommands together and parses the command line with CLI11.
// No command is implemented here.
#include "hanse/app/command.hpp"

#include <CLI/CLI.hpp>
#include <csignal>

namespace hanse::app {
namespace {

constexpr const char* footer = "Exit status: 0 done, 1 failed, 2 wrong command line.\n"
                               "Environment: HANSE_SOCKET, HANSE_PASSPHRASE, NO_COLOR.\n\n"
                               "Example: a node, and a look at it from another terminal\n"
                               "  hanse node init ~/.config/hanse\n"
                               "  hanse node run\n"
                               "  hanse node status";

} // namespace

int run_program(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  std::signal(SIGPIPE, SIG_IGN); // a reader that went away is an error of the write, not the end of the program
  command_context context{out, err, false, {}, exit_ok};
  CLI::App program{"Networks of cryptographically addressed actors", "hanse"};
  program.require_subcommand(1);
  program.fallthrough();
  program.add_flag("--json", context.json, "Print JSON, for machines");
  program.add_option("--socket", context.sockets, "The control socket of the node to talk to")
      ->type_name("PATH")
      ->allow_extra_args(false);
  program.set_version_flag("--version", "hanse " HANSE_VERSION);
  program.footer(footer);
  program.failure_message([](const CLI::App*, const CLI::Error& e) {
    return std::string{"hanse: "} + e.what() + "\n       Run with --help for an example.\n";
  });
  add_node_commands(program, context);
  add_inspect_commands(program, context);
  add_send_commands(program, context);
  add_engine_commands(program, context);
  add_id_commands(program, context);
  add_domain_commands(program, context);
  add_cluster_commands(program, context);
  add_sim_commands(program, context);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // CLI11 tells requests for help from mistakes by the exit code 0.
    if (e.get_exit_code() == 0) return program.exit(e, out, err);
    program.exit(e, out, err);
    return exit_usage;
  }
  out.flush();
  return context.exit_code;
}

} // namespace hanse::app
