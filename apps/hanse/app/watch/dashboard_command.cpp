// hanse dashboard: serves the dashboard until Ctrl-C.
// The server is dashboard_server.cpp.
#include "hanse/app/stop_signals.hpp"
#include "hanse/app/watch/dashboard_server.hpp"
#include "hanse/app/watch/watch_commands.hpp"
#include "hanse/crypto/random.hpp"

#include <CLI/CLI.hpp>
#include <ostream>

namespace hanse::app {
namespace {

struct dashboard_options {
  std::string cluster;
  std::uint16_t port = 0;
};

void dashboard(command_context& c, const dashboard_options& o) {
  auto sockets = sockets_to_watch(c.sockets, o.cluster);
  if (!sockets) return c.fail("watch", sockets.error());
  stop_signals signals;
  const auto watched = sockets->size();
  system_random random;
  auto server = dashboard_server::start(*std::move(sockets), o.port, random);
  if (!server) return c.fail("serve the dashboard", server.error());
  const auto url = (*server)->url();
  c.print({{"url", url}, {"port", (*server)->port()}, {"nodes", watched}}, [&] {
    c.out << "dashboard  " << url << "\nIt shows " << watched << (watched == 1 ? " node" : " nodes")
          << " to whoever has this address, on this machine. Ctrl-C ends it." << std::endl;
  });
  const stop_event never;
  signals.wait(never);
}

} // namespace

void add_dashboard_command(CLI::App& program, command_context& context) {
  auto* d = program.add_subcommand("dashboard", "Watch nodes in a browser: a page on this machine, for you alone");
  auto o = std::make_shared<dashboard_options>();
  d->add_option("--port", o->port, "The port of 127.0.0.1; 0 takes a free one")->capture_default_str();
  d->add_option("--cluster", o->cluster,
                "A directory with a directory for each node, as `cluster run --keep` leaves it")
      ->type_name("DIR");
  d->footer("Example:\n  hanse dashboard --socket a/data/control.sock --socket b/data/control.sock");
  d->callback([&context, o] { dashboard(context, *o); });
}

} // namespace hanse::app
