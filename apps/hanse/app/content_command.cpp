// hanse put, hanse get: content in and out of a domain, from files, directories and pipes.
#include "hanse/app/command.hpp"
#include "hanse/app/content_tree.hpp"
#include "hanse/app/stop_signals.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/app/transfer_meter.hpp"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <iostream>
#include <sys/stat.h>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct put_options {
  std::string what, domain, lease;
  std::uint32_t replicas = 0;
  bool is_private = false;
};

struct get_options {
  std::string content, domain, output;
};

/// "7d", "12h", "30m", "90s", "2w". Nothing: not such a text.
std::optional<std::uint64_t> parse_span_ms(std::string_view text) {
  constexpr std::pair<char, std::uint64_t> units[] = {
      {'s', 1000}, {'m', 60'000}, {'h', 3'600'000}, {'d', 86'400'000}, {'w', 7 * 86'400'000ull}};
  std::uint64_t n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (failed != std::errc{} || end + 1 != text.data() + text.size() || n == 0 || n > 1'000'000) return std::nullopt;
  for (const auto& [letter, ms] : units)
    if (*end == letter) return n * ms;
  return std::nullopt;
}

/// What a transfer needs around it: Ctrl-C gives up cleanly, a terminal shows how far it is.
struct transfer {
  transfer(command_context& c, const std::string& domain)
      : watch(signals, abort), meter(std::cerr, !c.json && ::isatty(STDERR_FILENO) == 1) {
    client.socket = c.socket();
    client.domain = domain;
    client.cancel = &abort;
    client.on_progress = [this](const json& line) {
      const auto sources = line.value("sources", std::uint64_t{0});
      std::string more;
      if (sources != 0) more = "from " + std::to_string(sources) + (sources == 1 ? " node" : " nodes");
      if (line.value("spread_blocks", std::uint64_t{0}) != 0)
        more = "put elsewhere: " + std::to_string(line["spread_blocks"].get<std::uint64_t>()) + " blocks, " +
               std::to_string(line.value("replicas", std::uint64_t{0})) + " complete";
      meter.show(before + line.value("octets", std::uint64_t{0}), more);
    };
  }

  stop_signals signals;
  stop_event abort;
  interrupt_watch watch;
  transfer_meter meter;
  std::uint64_t before = 0; ///< octets of the files before
  content_client client;
};

/// Says it if there are fewer replicas than wished: then not all was done.
void check_replicas(command_context& c, std::uint32_t wished, std::uint64_t found, const std::string& refusal) {
  if (found >= wished) return;
  c.exit_code = exit_failed;
  c.err << "hanse: it is kept here and at " << found << " of " << wished << " other nodes"
        << (refusal.empty() ? "" : ": " + refusal)
        << "\n       See who is in: hanse domain members DOMAIN; put it again when more are there.\n";
}

void put_directory(command_context& c, const put_options& o, transfer& t) {
  tree_summary done;
  auto content = put_tree(t.client, o.what, done, [&](const std::string&, std::uint64_t) { t.before = done.octets; });
  t.meter.clear();
  if (!content) return c.fail_to_ask("put " + o.what, content.error());
  for (const auto& path : done.left_out) c.err << "hanse: left out " << path << ": neither a file nor a directory\n";
  json answer{{"content", *content},       {"octets", done.octets},
              {"files", done.files},       {"directories", done.directories},
              {"left_out", done.left_out}, {"replicas_least", done.replicas}};
  c.print(answer, [&] { c.out << *content << std::endl; });
  check_replicas(c, o.replicas, done.replicas, "");
}

void put(command_context& c, const put_options& o) {
  std::uint64_t lease_ms = 0;
  if (!o.lease.empty()) {
    const auto span = parse_span_ms(o.lease);
    if (!span) return c.misuse("--lease takes a number with s, m, h, d or w, such as 7d");
    lease_ms = *span;
  }
  transfer t{c, o.domain};
  t.client.is_private = o.is_private;
  t.client.lease_ms = lease_ms;
  t.client.replicas = o.replicas;
  std::error_code ignored;
  if (o.what != "-" && fs::is_directory(o.what, ignored)) return put_directory(c, o, t);
  unique_fd opened;
  if (o.what != "-") {
    auto file = open_to_read(o.what);
    if (!file) return c.fail("open the file", file.error());
    opened = std::move(*file);
    if (const auto size = fs::file_size(o.what, ignored); !ignored) t.meter.expect(size);
  }
  auto answer = t.client.put(opened ? opened.get() : STDIN_FILENO);
  t.meter.clear();
  if (!answer) return c.fail_to_ask("put " + o.what, answer.error());
  c.print(*answer, [&] { c.out << field(*answer, "content") << std::endl; });
  check_replicas(c, o.replicas, answer->at("replicas").size(), field(*answer, "refusal"));
}

void get_directory(command_context& c, const get_options& o, transfer& t) {
  tree_summary done;
  auto got =
      get_tree(t.client, o.content, o.output, done, [&](const std::string&, std::uint64_t) { t.before = done.octets; });
  t.meter.clear();
  if (!got) return c.fail_to_ask("get the directory", got.error());
  c.print(json{{"files", done.files}, {"directories", done.directories}, {"octets", done.octets}},
          [&] { c.err << done.files << " files, " << done.directories << " directories in " << o.output << '\n'; });
}

/// Under another name until it is complete.
expected<json> get_file(const get_options& o, transfer& t) {
  const fs::path file = o.output, part = o.output + ".part";
  std::error_code failed;
  if (fs::exists(file, failed)) return error{errc::already_exists, file.string() + " is there already"};
  unique_fd fd{::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666)};
  if (!fd) return io_failure(part, errno);
  auto answer = t.client.get(o.content, fd.get());
  if (answer) fs::rename(part, file, failed);
  if (answer && !failed) return std::move(*answer);
  std::error_code ignored;
  fs::remove(part, ignored);
  if (!answer) return answer.error();
  return error{errc::io_error, file.string() + ": " + failed.message()};
}

void get(command_context& c, const get_options& o) {
  if (o.output == "-" && c.json)
    return c.misuse("with --json give a file to -o, since the answer goes to standard output");
  transfer t{c, o.domain};
  std::error_code ignored;
  if (o.output != "-" && (o.output.ends_with('/') || fs::is_directory(o.output, ignored)))
    return get_directory(c, o, t);
  auto answer = o.output == "-" ? t.client.get(o.content, STDOUT_FILENO) : get_file(o, t);
  t.meter.clear();
  if (!answer) return c.fail_to_ask("get the content", answer.error());
  if (c.json) return c.print(*answer, [] {});
  if (::isatty(STDERR_FILENO) != 1) return;
  c.err << answer->at("octets") << " octets, " << answer->at("blocks_fetched") << " blocks fetched from "
        << answer->at("sources").size() << " nodes\n";
}

} // namespace

void add_content_commands(CLI::App& program, command_context& context) {
  auto* p =
      program.add_subcommand("put", "Keep a file, a directory or standard input in a domain; prints a capability");
  auto po = std::make_shared<put_options>();
  p->add_option("WHAT", po->what, "A file, a directory, or - for standard input")->required();
  p->add_option("--domain", po->domain, "Whose members may have it; not needed in one domain");
  p->add_option("--replicas", po->replicas, "So many other members keep it, too")->check(CLI::Range(0, 64));
  p->add_option("--lease", po->lease, "How long, such as 7d; without: for ever here, at others as long as they permit");
  p->add_flag("--private", po->is_private, "Even members cannot tell whether it is something that they know");
  p->footer("Who has the capability can read the content, nobody else can.\n\n"
            "Example:\n  hanse put report.pdf --replicas 3\n  tar c photos | hanse put - --domain lab --lease 4w");
  p->callback([&context, po] { put(context, *po); });

  auto* g = program.add_subcommand("get", "Get content by its capability, from as many members as have it");
  auto go = std::make_shared<get_options>();
  g->add_option("CAPABILITY", go->content, "urn:eris:…, as hanse put prints it")->required();
  g->add_option("-o,--output", go->output, "A new file, a directory (with / at its end), or - for standard output")
      ->required();
  g->add_option("--domain", go->domain, "Whose members have it; not needed in one domain");
  g->footer("An interrupted get goes on where it was: what was fetched stays with the node for a day.\n\n"
            "Example:\n  hanse get urn:eris:… -o report.pdf\n  hanse get urn:eris:… -o photos/");
  g->callback([&context, go] { get(context, *go); });
}

} // namespace hanse::app
