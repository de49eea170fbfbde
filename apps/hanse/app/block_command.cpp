// hanse block stat, ls, gc, verify: what a node stores.
#include "hanse/app/command.hpp"
#include "hanse/app/content_transfer_client.hpp"
#include "hanse/app/stop_signals.hpp"
#include "hanse/app/text_table.hpp"
#include "hanse/app/transfer_meter.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>

namespace hanse::app {
namespace {

using nlohmann::json;

constexpr std::uint32_t page = 1024; // blocks in one answer

std::string size_of(const json& object, const char* key) {
  return size_text(object.at(key).get<std::uint64_t>());
}

/// Of the quota.
std::string used(const json& domain) {
  const auto octets = domain.at("octets").get<double>(), quota = domain.at("quota_octets").get<double>();
  if (quota == 0) return octets == 0 ? "" : "over";
  return std::to_string(static_cast<int>(std::ceil(std::min(octets / quota, 9.99) * 100))) + " %";
}

void stat(command_context& c) {
  auto answer = c.ask("ask for the blocks", {{"command", "block_stat"}});
  if (!answer) return;
  c.print(*answer, [&] {
    text_table table{
        {"domain", "protocol", ">blocks", ">stored", ">quota", ">used", ">members", ">fetched", ">served", "why not"}};
    for (const auto& d : answer->at("domains"))
      table.add({field(d, "name").empty() ? field(d, "domain") : field(d, "name"), field(d, "protocol"),
                 field(d, "blocks"), size_of(d, "octets"), size_of(d, "quota_octets"), used(d), field(d, "members"),
                 field(d, "fetched"), field(d, "served"), field(d, "why")});
    table.print(c.out);
    c.out << "damaged " << answer->at("corrupt") << ", checked " << answer->at("scrubbed") << ", leases ended "
          << answer->at("expired") << ", under way: " << answer->at("gets_under_way") << " gets, "
          << answer->at("puts_under_way") << " puts\n";
  });
}

/// Page by page, a line each, so that any number of blocks can be listed.
void list(command_context& c) {
  for (std::string after; c.out;) {
    auto answer = c.ask("list the blocks", {{"command", "block_list"}, {"after", after}, {"count", page}});
    if (!answer) return;
    const auto& blocks = answer->at("blocks");
    for (const auto& b : blocks) {
      if (c.json) {
        c.out << b.dump() << '\n';
        continue;
      }
      c.out << field(b, "block") << ' ' << b.at("size") << (b.at("damaged") == true ? " damaged" : "");
      for (const auto& l : b.at("leases"))
        c.out << ' ' << field(l, "domain") << (l.at("until_ms").is_null() ? "" : " until " + field(l, "until_ms"));
      c.out << '\n';
    }
    if (blocks.size() < page) return;
    after = field(blocks.back(), "block");
  }
}

void collect(command_context& c) {
  auto answer = c.ask("collect", {{"command", "block_gc"}}, std::chrono::minutes{2});
  if (answer) c.print(*answer, [&] { c.out << "leases ended: " << answer->at("ended") << '\n'; });
}

void verify(command_context& c) {
  stop_signals signals;
  stop_event abort;
  interrupt_watch watch{signals, abort};
  transfer_meter meter{std::cerr, !c.json && ::isatty(STDERR_FILENO) == 1};
  auto answer = ask_node_with_file(
      c.socket(), {{"command", "block_verify"}}, -1,
      [&meter](const json& line) {
        meter.show(0, field(line, "checked") + " blocks, " + field(line, "corrupt") + " damaged");
      },
      std::chrono::seconds{60}, &abort);
  meter.clear();
  if (!answer) return c.fail_to_ask("verify the blocks", answer.error());
  c.print(*answer,
          [&] { c.out << answer->at("checked") << " blocks checked, " << answer->at("corrupt") << " damaged\n"; });
  if (answer->at("corrupt") == 0) return;
  c.exit_code = exit_failed;
  c.err << "hanse: damaged blocks are no longer served, and fetched again from other members\n"
           "       Look after the disk: damage comes from there.\n";
}

} // namespace

void add_block_commands(CLI::App& program, command_context& context) {
  auto* b = program.add_subcommand("block", "The blocks that a node stores: counts, list, clean, verify");
  b->require_subcommand(1);
  b->footer("Example:\n  hanse block stat");
  auto* s = b->add_subcommand("stat", "By domain: blocks, octets, quota, and what was fetched and served");
  s->footer("Example:\n  hanse block stat --json");
  s->callback([&context] { stat(context); });
  auto* l = b->add_subcommand("ls", "Every block with its size and its leases, a line each");
  l->footer("Example:\n  hanse block ls");
  l->callback([&context] { list(context); });
  auto* g =
      b->add_subcommand("gc", "End leases that are over now, and remove blocks without any; happens by itself, too");
  g->footer("Example:\n  hanse block gc");
  g->callback([&context] { collect(context); });
  auto* v = b->add_subcommand("verify", "Read and check every block; fails if one is damaged");
  v->footer("Example:\n  hanse block verify");
  v->callback([&context] { verify(context); });
}

} // namespace hanse::app
