// Reads the parser's tree, and writes the completion scripts from it.
// The scripts hold the whole tree as a table: completing starts no program.
#include "hanse/app/command_tree.hpp"

#include <CLI/CLI.hpp>
#include <functional>
#include <sstream>

namespace hanse::app {
namespace {

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

option_text read(const CLI::Option& o) {
  option_text text;
  for (const auto& s : o.get_snames()) text.words.push_back("-" + s);
  for (const auto& l : o.get_lnames()) text.words.push_back("--" + l);
  text.positional = text.words.empty();
  text.names = text.positional ? o.get_name(true) : joined(text.words, ", ");
  if (o.get_items_expected_max() > 0) text.value = text.positional ? text.names : o.get_type_name();
  text.about = o.get_description();
  text.fallback = o.get_default_str();
  text.required = o.get_required();
  return text;
}

/// Calls `f(app, "node init")` for the program ("") and every command below it.
void walk(const CLI::App& app, const std::string& path,
          const std::function<void(const CLI::App&, const std::string&)>& f) {
  f(app, path);
  for (const auto* sub : subcommands_of(app)) walk(*sub, path + (path.empty() ? "" : " ") + sub->get_name(), f);
}

std::string subcommand_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const auto* sub : subcommands_of(app)) words.push_back(sub->get_name());
  return joined(words, " ");
}

/// Single-quoted for any of the shells.
std::string quoted(std::string text) {
  for (auto& c : text)
    if (c == '\'' || c == '\\') c = '"'; // what a description loses is its apostrophes
  return "'" + text + "'";
}

/// "--socket|--out": the options anywhere that take a value.
std::string valued(const CLI::App& program) {
  std::vector<std::string> words;
  walk(program, "", [&](const CLI::App& app, const std::string&) {
    for (const auto& o : options_of(app))
      if (!o.positional && !o.value.empty())
        for (const auto& word : o.words)
          if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  });
  return joined(words, "|");
}

/// A shell function body (bash and zsh) that sets `at` to the command that the words before the cursor lead to.
void find_place(std::ostream& out, const CLI::App& program, const char* words, const char* first, const char* end) {
  out << "  local at='' i\n  for ((i = " << first << "; i < " << end << "; i++)); do\n    case \"$at ${" << words
      << "[i]}\" in\n";
  walk(program, "", [&](const CLI::App&, const std::string& path) {
    if (path.empty()) return;
    auto cut = path.rfind(' ');
    auto parent = cut == path.npos ? "" : path.substr(0, cut);
    out << "      " << quoted(parent + " " + path.substr(cut == path.npos ? 0 : cut + 1)) << ") at=" << quoted(path)
        << " ;;\n";
  });
  out << "      *) case \"${" << words << "[i]}\" in " << valued(program) << ") ((i++)) ;; esac ;;\n    esac\n  done\n";
}

std::string bash(const CLI::App& program) {
  std::ostringstream out;
  out << "# Completion of hanse for bash, made by `hanse completion bash`.\n_hanse() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=''\n  COMPREPLY=()\n"
         "  case \"$prev\" in "
      << valued(program) << ") return ;; esac # a value: files, as bash completes them\n";
  find_place(out, program, "COMP_WORDS", "1", "COMP_CWORD");
  out << "  case \"$at\" in\n";
  walk(program, "", [&](const CLI::App& app, const std::string& path) {
    std::vector<std::string> words;
    for (const auto& o : options_of(app)) words.insert(words.end(), o.words.begin(), o.words.end());
    out << "    " << quoted(path) << ") words=" << quoted(subcommand_words(app) + " " + joined(words, " ")) << " ;;\n";
  });
  out << "  esac\n  [[ $cur == -* ]] || words=$(printf '%s\\n' $words | grep -v '^-')\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _hanse hanse\n";
  return out.str();
}

std::string zsh(const CLI::App& program) {
  std::ostringstream out;
  out << "#compdef hanse\n# Completion of hanse for zsh, made by `hanse completion zsh`.\n_hanse() {\n"
         "  local -a commands options\n  case \"${words[CURRENT-1]}\" in "
      << valued(program) << ") _files; return ;; esac\n";
  find_place(out, program, "words", "2", "CURRENT");
  out << "  case \"$at\" in\n";
  auto entry = [](const std::string& word, std::string about) {
    std::replace(about.begin(), about.end(), ':', ',');
    return quoted(word + ":" + about);
  };
  walk(program, "", [&](const CLI::App& app, const std::string& path) {
    out << "    " << quoted(path) << ")\n      commands=(";
    for (const auto* sub : subcommands_of(app)) out << entry(sub->get_name(), sub->get_description()) << ' ';
    out << ")\n      options=(";
    for (const auto& o : options_of(app))
      for (const auto& word : o.words) out << entry(word, o.about) << ' ';
    out << ") ;;\n";
  });
  out << "  esac\n  if [[ ${words[CURRENT]} == -* ]]; then\n    _describe option options\n"
         "  elif (( $#commands )); then\n    _describe command commands\n  else\n    _files\n  fi\n}\n"
         "if [[ ${funcstack[1]-} == _hanse ]]; then _hanse \"$@\"; else compdef _hanse hanse; fi\n";
  return out.str();
}

std::string fish(const CLI::App& program) {
  std::ostringstream out;
  out << "# Completion of hanse for fish, made by `hanse completion fish`.\n"
         "function __hanse_at --description 'whether the words so far lead to this command'\n"
         "  set -l at ''\n  set -l skip 0\n  set -l tokens (commandline -opc)\n  for word in $tokens[2..-1]\n"
         "    if test $skip = 1\n      set skip 0\n      continue\n    end\n    switch \"$at $word\"\n";
  walk(program, "", [&](const CLI::App&, const std::string& path) {
    if (path.empty()) return;
    auto cut = path.rfind(' ');
    auto parent = cut == path.npos ? "" : path.substr(0, cut);
    out << "      case " << quoted(parent + " " + path.substr(cut == path.npos ? 0 : cut + 1)) << "\n        set at "
        << quoted(path) << '\n';
  });
  auto options = valued(program);
  std::replace(options.begin(), options.end(), '|', ' ');
  out << "      case '*'\n        if contains -- $word " << options
      << "\n          set skip 1\n        end\n    end\n  end\n  test \"$at\" = \"$argv[1]\"\nend\n";
  walk(program, "", [&](const CLI::App& app, const std::string& path) {
    const auto at = "complete -c hanse -n \"__hanse_at '" + path + "'\"";
    for (const auto* sub : subcommands_of(app))
      out << at << " -f -a " << sub->get_name() << " -d " << quoted(sub->get_description()) << '\n';
    for (const auto& o : options_of(app))
      for (const auto& word : o.words)
        out << at << (word.starts_with("--") ? " -l " + word.substr(2) : " -s " + word.substr(1))
            << (o.value.empty() ? "" : " -r") << " -d " << quoted(o.about) << '\n';
  });
  return out.str();
}

} // namespace

std::vector<option_text> options_of(const CLI::App& app) {
  std::vector<option_text> positional, named;
  for (const auto* o : app.get_options()) {
    auto text = read(*o);
    (text.positional ? positional : named).push_back(std::move(text));
  }
  positional.insert(positional.end(), named.begin(), named.end());
  return positional;
}

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); });
}

const CLI::App* subcommand_of(const CLI::App& app, std::string_view name) {
  for (const auto* sub : subcommands_of(app))
    if (sub->get_name() == name) return sub;
  return nullptr;
}

std::string completion_for(const CLI::App& program, std::string_view shell) {
  return shell == "bash" ? bash(program) : shell == "zsh" ? zsh(program) : fish(program);
}

} // namespace hanse::app
