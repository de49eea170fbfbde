// hanse spool ls: the bundles in a node's spool directory, for whom they are and until when.
// Nothing here reads, carries or removes them.
#include "hanse/app/command.hpp"
#include "hanse/app/text_table.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

using nlohmann::json;

constexpr std::uint32_t page = 1024; // files in one answer

std::string recipient_of(const json& file) {
  const auto id = field(file, "recipient");
  return id.empty() ? "(no bundle)" : id.substr(0, 10) + "…";
}

std::string expiry_of(const json& file, std::uint64_t now_ms) {
  if (file.at("expires_ms").is_null()) return "";
  const auto expires_ms = file.at("expires_ms").get<std::uint64_t>();
  return expires_ms <= now_ms ? "expired" : duration_text((expires_ms - now_ms) * 1000);
}

/// Page by page, however many files there are.
void list(command_context& c) {
  json files = json::array();
  std::optional<json> answer;
  do {
    const auto after = files.empty() ? std::string{} : files.back().at("file").get<std::string>();
    answer = c.ask("list the bundles", {{"command", "spool_list"}, {"after", after}, {"count", page}});
    if (!answer) return;
    for (auto& file : answer->at("files")) files.push_back(file);
  } while (answer->at("files").size() == page);
  (*answer)["files"] = std::move(files);
  c.print(*answer, [&] {
    text_table table{{"for", "name", ">size", ">expires in", "file"}};
    const auto now_ms = answer->at("now_ms").get<std::uint64_t>();
    for (const auto& f : answer->at("files"))
      table.add({recipient_of(f), f.at("here") == true ? "(here)" : field(f, "name"),
                 size_text(f.at("octets").get<std::uint64_t>()), expiry_of(f, now_ms), field(f, "file")});
    if (table.empty())
      c.out << "no bundles in " << field(*answer, "directory") << '\n';
    else
      table.print(c.out);
  });
}

} // namespace

void add_spool_commands(CLI::App& program, command_context& context) {
  auto* s = program.add_subcommand("spool", "The bundles that wait in a node's spool directory");
  s->require_subcommand(1);
  s->footer("Example:\n  hanse spool ls");
  auto* l = s->add_subcommand("ls", "Every bundle: for whom, how large, until when");
  l->footer("Example:\n  hanse spool ls --json");
  l->callback([&context] { list(context); });
}

} // namespace hanse::app
