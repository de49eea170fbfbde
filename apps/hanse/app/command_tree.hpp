// The parser's tree of commands as the manual and the completions read it.
// Not the parser (CLI11), whose class is kept out of all else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace hanse::app {

/// One option or argument of a command.
struct option_text {
  std::string names;              ///< "-h, --help", or the name of a positional one
  std::string value;              ///< what it takes: "PATH"; empty for flags
  std::string about;              ///< one sentence
  std::string fallback;           ///< as --help shows it; may be empty
  std::vector<std::string> words; ///< "-h", "--help"
  bool positional = false;
  bool required = false;
};

/// Positional ones first, in the order of declaration.
std::vector<option_text> options_of(const CLI::App& app);

/// In the order of --help.
std::vector<const CLI::App*> subcommands_of(const CLI::App& app);

/// Null if there is none of that name.
const CLI::App* subcommand_of(const CLI::App& app, std::string_view name);

/// A script for "bash", "zsh" or "fish".
std::string completion_for(const CLI::App& program, std::string_view shell);

} // namespace hanse::app
