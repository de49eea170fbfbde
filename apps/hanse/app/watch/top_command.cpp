// hanse top: what nodes do, on a terminal, or once as text or JSON.
// The asking is observer.cpp, the layout top_screen.cpp.
#include "hanse/app/cluster/timeline.hpp"
#include "hanse/app/command.hpp"
#include "hanse/app/stop_signals.hpp"
#include "hanse/app/watch/observer.hpp"
#include "hanse/app/watch/terminal.hpp"
#include "hanse/app/watch/watch_commands.hpp"

#include <CLI/CLI.hpp>
#include <ostream>

namespace hanse::app {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds redraw{1000};
constexpr milliseconds answer_wait{900}; // for a node that hangs: the others are shown nevertheless

struct top_options {
  std::string cluster;
  double interval_s = 2; // a link measures every second: two of them, whatever the beat
  bool once = false;
};

void print_once(command_context& c, observer& nodes, const top_options& o, const stop_event& abort) {
  auto view = nodes.look(answer_wait, &abort);
  const auto next = std::chrono::steady_clock::now() + std::chrono::duration<double>(o.interval_s);
  if (abort.wait_until(std::chrono::time_point_cast<steady_time::duration>(next))) return;
  view = nodes.look(answer_wait, &abort);
  const auto& all = view.at("nodes");
  const bool any = std::any_of(all.begin(), all.end(), [](const json& n) { return n.at("ok") == true; });
  if (!any) {
    const auto& first = all.at(0);
    return c.fail("watch",
                  {errc::not_found, "no node answers at " + field(first, "socket") +
                                        "; start one with `hanse node run`, or name its socket with --socket"});
  }
  c.print(view, [&] {
    const auto width = std::max<std::size_t>(style_of_stdout().width, 100);
    for (const auto& line : draw_top(view, width, 0)) c.out << line.text << '\n';
  });
}

void watch(observer& nodes, const stop_event& abort) {
  terminal screen;
  auto shown = top_section::all;
  constexpr const char* names[top_sections] = {"all", "nodes", "links", "domains", "topics", "drops"};
  while (!abort.is_set()) {
    const auto view = nodes.look(answer_wait, &abort);
    const auto next = std::chrono::steady_clock::now() + redraw;
    while (!abort.is_set()) {
      const auto size = screen.size();
      const auto hint = std::string{"Tab: "} + names[static_cast<std::size_t>(shown)] + "  q: quit";
      screen.draw(draw_top(view, size.columns, size.rows, shown, hint));
      const auto key = screen.key(next, abort);
      if (key == 'q' || key == 'Q') return;
      if (key == '\t') shown = static_cast<top_section>((static_cast<std::size_t>(shown) + 1) % top_sections);
      if (!key && std::chrono::steady_clock::now() >= next) break;
    }
  }
}

void top(command_context& c, const top_options& o) {
  auto sockets = sockets_to_watch(c.sockets, o.cluster);
  if (!sockets) return c.fail("watch", sockets.error());
  stop_signals signals;
  stop_event abort;
  interrupt_watch interrupts{signals, abort};
  observer nodes{*std::move(sockets)};
  if (o.once || c.json || !terminal::is_there()) return print_once(c, nodes, o, abort);
  watch(nodes, abort);
}

} // namespace

void add_top_command(CLI::App& program, command_context& context) {
  auto* t = program.add_subcommand("top", "Watch nodes: links, rates, drops, domains, topics");
  auto o = std::make_shared<top_options>();
  t->add_option("--cluster", o->cluster,
                "A directory with a directory for each node, as `cluster run --keep` leaves it")
      ->type_name("DIR");
  t->add_flag("--once", o->once, "Print one snapshot and end; without a terminal that is so anyway");
  t->add_option("--interval", o->interval_s, "Seconds that the rates of a snapshot are over")
      ->capture_default_str()
      ->check(CLI::Range(0.2, 3600.0));
  t->footer("On a terminal: Tab shows one section alone, q or Ctrl-C ends.\n\n"
            "Example:\n  hanse top --socket a/data/control.sock --socket b/data/control.sock");
  t->callback([&context, o] { top(context, *o); });
}

} // namespace hanse::app
