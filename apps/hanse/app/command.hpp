// What every subcommand shares: output for people or machines, exit codes, and how errors are told.
// Not the subcommands (…_command.cpp); each of those adds itself to the parser.
#pragma once

#include "hanse/crypto/error.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

namespace CLI {
class App;
}

namespace hanse::app {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1; ///< the command was understood and did not succeed
inline constexpr int exit_usage = 2;  ///< the command line is wrong

/// The options of the whole program, and what came out.
struct command_context {
  std::ostream& out;
  std::ostream& err;
  bool json = false;                ///< --json
  std::vector<std::string> sockets; ///< --socket
  int exit_code = exit_ok;

  /// Prints `result` as one JSON document, or calls `human`.
  void print(const nlohmann::json& result, const std::function<void()>& human);

  /// "hanse: cannot DOING: what happened" and what to do about it, on standard error; with --json also
  /// {"error": {code, detail, advice}} on standard output. Sets the exit code.
  void fail(std::string_view doing, const error& e);

  /// The same for what ask_node said; also when no node answers at the socket.
  void fail_to_ask(std::string_view doing, const error& e);

  /// A command line that parses but makes no sense.
  void misuse(std::string_view what);

  /// The one socket to talk to, as --socket, HANSE_SOCKET or the default directory say.
  std::filesystem::path socket() const;

  /// Asks the node; on an error tells it as `fail` does and returns nothing.
  std::optional<nlohmann::json> ask(std::string_view doing, const nlohmann::json& request,
                                    std::chrono::milliseconds timeout = std::chrono::seconds{10});
};

/// The member `key` of a JSON object as a text for a table: "" for null or none, no control characters.
std::string field(const nlohmann::json& object, const char* key);

/// Since 1970: versions of what a command signs, and what it checks the expiry of.
std::uint64_t wall_clock_ms();

/// What a person can do about an error; may be empty.
std::string_view advice_for(errc code) noexcept;

void add_id_commands(CLI::App& program, command_context& context);
void add_node_commands(CLI::App& program, command_context& context);
void add_inspect_commands(CLI::App& program, command_context& context);
void add_send_commands(CLI::App& program, command_context& context);
void add_engine_commands(CLI::App& program, command_context& context);
void add_domain_node_commands(CLI::App& domain, command_context& context); ///< those that ask a node
void add_checkpoint_command(CLI::App& domain, command_context& context);
void add_domain_commands(CLI::App& program, command_context& context);
void add_topic_commands(CLI::App& program, command_context& context);
void add_content_commands(CLI::App& program, command_context& context);
void add_block_commands(CLI::App& program, command_context& context);
void add_spool_commands(CLI::App& program, command_context& context);
void add_cluster_commands(CLI::App& program, command_context& context);
void add_sim_commands(CLI::App& program, command_context& context);
void add_new_commands(CLI::App& program, command_context& context);
void add_manual_commands(CLI::App& program, command_context& context);

/// The whole program: parses, runs, returns the exit code.
int run_program(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

} // namespace hanse::app
