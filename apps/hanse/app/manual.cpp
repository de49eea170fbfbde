// hanse man: the manual pages, made by walking the parser's tree, so that they say what --help says.
// Not the text itself: that stands where each command is declared (…_command.cpp). Format: man(7).
#include "hanse/app/command.hpp"
#include "hanse/app/command_tree.hpp"
#include "hanse/app/text_file.hpp"

#include <CLI/CLI.hpp>
#include <ostream>
#include <sstream>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* manual_date = "2026-11-25"; // of the release; man(7) wants one, and a build's own would differ

/// Text as roff takes it literally: no control lines, no escapes, hyphens that can be copied.
std::string roff(std::string_view text) {
  std::string out;
  bool at_start = true;
  for (char c : text) {
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    at_start = c == '\n';
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

void options(std::ostream& out, const CLI::App& app) {
  for (const auto& o : options_of(app)) {
    out << ".TP\n\\fB" << roff(o.names) << "\\fR";
    if (!o.value.empty() && o.names != o.value) out << " \\fI" << roff(o.value) << "\\fR";
    out << '\n' << roff(o.about.empty() ? "(no description)" : o.about);
    if (!o.fallback.empty()) out << " [default: " << roff(o.fallback) << ']';
    out << '\n';
  }
}

/// A footer: paragraphs, with lines that begin with two spaces as they are.
void footer(std::ostream& out, const std::string& text) {
  std::istringstream lines{text};
  enum { begin, plain, gap, literal } before = begin;
  for (std::string line; std::getline(lines, line);) {
    const bool indented = line.starts_with("  ");
    if (before == literal && !indented) out << ".fi\n.RE\n";
    if (indented && before != literal) out << ".RS 4\n.nf\n";
    if (line.empty()) {
      before = before == begin ? begin : gap;
      continue;
    }
    if (!indented && before == plain) out << ".br\n";
    if (!indented && (before == gap || before == literal)) out << ".PP\n";
    out << roff(indented ? line.substr(2) : line) << '\n';
    before = indented ? literal : plain;
  }
  if (before == literal) out << ".fi\n.RE\n";
}

std::string synopsis(const CLI::App& app) {
  std::string text;
  for (const auto& o : options_of(app))
    if (o.positional) text += o.required ? " " + o.names : " [" + o.names + "]";
  if (!subcommands_of(app).empty()) text += " COMMAND …";
  return text;
}

void section(std::ostream& out, const CLI::App& app, const std::string& path) {
  out << ".SS " << roff(path) << '\n';
  out << roff(app.get_description()) << ".\n.PP\n\\fB" << roff(path) << "\\fR [OPTIONS]" << roff(synopsis(app)) << '\n';
  options(out, app);
  if (auto text = app.get_footer(); !text.empty()) {
    out << ".PP\n";
    footer(out, text);
  }
  for (const auto* sub : subcommands_of(app)) section(out, *sub, path + " " + sub->get_name());
}

/// The page of the program, or of one of its commands with all that are below it.
std::string page(const CLI::App& app, const std::string& path) {
  std::ostringstream out;
  auto name = path;
  std::replace(name.begin(), name.end(), ' ', '-');
  auto title = name;
  std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return std::toupper(c); });
  out << ".TH " << roff(title) << " 1 " << manual_date << " \"hanse " HANSE_VERSION "\" \"Hanse\"\n";
  out << ".SH NAME\n" << roff(name) << " \\- " << roff(app.get_description()) << '\n';
  out << ".SH SYNOPSIS\n\\fB" << roff(path) << "\\fR [OPTIONS]" << roff(synopsis(app)) << '\n';
  out << ".SH OPTIONS\n";
  options(out, app);
  if (auto text = app.get_footer(); !text.empty()) {
    out << ".SH NOTES\n";
    footer(out, text);
  }
  if (auto all = subcommands_of(app); !all.empty()) {
    out << ".SH COMMANDS\n";
    for (const auto* sub : all) section(out, *sub, path + " " + sub->get_name());
  }
  out << ".SH SEE ALSO\n";
  if (path != "hanse")
    out << ".BR hanse (1)\n";
  else
    out << "The documents in docs/ of the sources.\n";
  return out.str();
}

void man(command_context& c, const CLI::App& program, const std::vector<std::string>& words, const std::string& out) {
  const CLI::App* app = &program;
  std::string path = "hanse";
  for (const auto& word : words) {
    app = subcommand_of(*app, word);
    path += " " + word;
    if (!app) return c.misuse("there is no command `" + path + "`");
  }
  if (out.empty()) {
    c.out << page(*app, path);
    return;
  }
  std::vector<std::pair<const CLI::App*, std::string>> pages{{app, path}};
  for (const auto* sub : subcommands_of(*app)) pages.emplace_back(sub, path + " " + sub->get_name());
  for (const auto& [command, name] : pages) {
    auto file = name + ".1";
    std::replace(file.begin(), file.end(), ' ', '-');
    if (auto written = replace_file(fs::path{out} / file, page(*command, name)); !written)
      return c.fail("write the manual", written.error());
  }
}

} // namespace

void add_manual_commands(CLI::App& program, command_context& context) {
  auto* m = program.add_subcommand("man", "Print the manual page of hanse or of a command");
  auto words = std::make_shared<std::vector<std::string>>();
  auto out = std::make_shared<std::string>();
  m->add_option("COMMAND", *words, "The command; by default the whole program");
  m->add_option("--out", *out, "Write the page and one for each command below it into this directory")
      ->type_name("DIR");
  m->footer("Example:\n  hanse man node init | man -l -");
  m->callback([&program, &context, words, out] { man(context, program, *words, *out); });

  auto* c = program.add_subcommand("completion", "Print what completes commands in a shell");
  auto shell = std::make_shared<std::string>();
  c->add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  c->footer("Example:\n  source <(hanse completion bash)");
  c->callback([&program, &context, shell] { context.out << completion_for(program, *shell); });
}

} // namespace hanse::app
