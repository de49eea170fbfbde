// Puts the subcommands together and parses the command line with CLI11.
// No command is implemented here.
#include "hanse/app/command.hpp"
#include "hanse/app/command_tree.hpp"
#include "hanse/app/json_document.hpp"
#include "hanse/app/watch/watch_commands.hpp"

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

/// "there is no command `…`" if that is what is wrong: CLI11 only says that a command is missing.
std::string unknown_command(const CLI::App& program, int argc, const char* const* argv) {
  const CLI::App* app = &program;
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "--socket") ++i; // the one option before the command that takes a value
    if (word.starts_with('-')) continue;
    auto all = subcommands_of(*app);
    if (all.empty()) return {};
    const auto* next = subcommand_of(*app, word);
    if (!next) {
      std::vector<std::string> names;
      for (const auto* sub : all) names.push_back(sub->get_name());
      auto close = closest_word(word, names);
      return "there is no command `" + std::string{word} + "`" +
             (close.empty() ? "" : "; did you mean `" + close + "`?");
    }
    app = next;
  }
  return {};
}

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
  add_topic_commands(program, context);
  add_top_command(program, context);
  add_dashboard_command(program, context);
  add_content_commands(program, context);
  add_block_commands(program, context);
  add_spool_commands(program, context);
  add_cluster_commands(program, context);
  add_sim_commands(program, context);
  add_new_commands(program, context);
  add_manual_commands(program, context);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // CLI11 tells requests for help from mistakes by the exit code 0.
    if (e.get_exit_code() == 0) return program.exit(e, out, err);
    if (auto unknown = unknown_command(program, argc, argv); !unknown.empty())
      context.misuse(unknown);
    else
      program.exit(e, out, err);
    return exit_usage;
  }
  out.flush();
  return context.exit_code;
}

} // namespace hanse::app
