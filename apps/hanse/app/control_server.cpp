// The threads behind the control socket.
// A request that waits (a reply, a ping) holds its own thread only, so that other clients are served meanwhile.
#include "hanse/app/control_server.hpp"

#include "hanse/app/control_dispatch.hpp"
#include "hanse/app/control_wire.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>

namespace hanse::app {
namespace {

using namespace std::chrono_literals;

constexpr auto idle_max = 60s;  // a client that asks nothing is let go
constexpr auto write_max = 10s; // and so is one that does not read its answer

steady_time after(std::chrono::steady_clock::duration d) {
  return std::chrono::steady_clock::now() + d;
}

} // namespace

expected<std::unique_ptr<control_server>> control_server::start(const std::filesystem::path& socket,
                                                                control_backend& backend,
                                                                std::function<void()> on_shutdown) {
  std::unique_ptr<control_server> server{new control_server{socket, backend, std::move(on_shutdown)}};
  HANSE_TRY(server->listener_, listen_local(socket));
  server->acceptor_ = std::thread{[s = server.get()] { s->accept_clients(); }};
  return server;
}

control_server::~control_server() {
  stop();
  if (acceptor_.joinable()) acceptor_.join();
  for (auto& c : clients_) c.thread.join();
  if (listener_) ::unlink(path_.c_str());
}

void control_server::accept_clients() {
  while (true) {
    pollfd entries[2] = {{listener_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
    ::poll(entries, 2, -1);
    if (entries[1].revents != 0) return;
    if (entries[0].revents != 0) accept_one();
    clients_.remove_if([](client& c) {
      if (!c.finished) return false;
      c.thread.join();
      return true;
    });
  }
}

void control_server::accept_one() {
  unique_fd socket{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!socket || !peer_is_owner(socket.get())) return;
  auto busy = std::count_if(clients_.begin(), clients_.end(), [](const client& c) { return !c.finished; });
  if (static_cast<std::size_t>(busy) >= control_clients_max) {
    line_channel channel{std::move(socket), control_line_max, nullptr};
    // The socket's buffer is empty: this line fits, nothing waits.
    (void)channel.write_line(encode_reply(error{errc::table_full, "too many clients at the control socket"}),
                             after(0s));
    return;
  }
  auto& c = clients_.emplace_back();
  c.thread = std::thread{[this, &c, s = std::move(socket)]() mutable {
    serve(std::move(s));
    c.finished = true;
  }};
}

void control_server::serve(unique_fd socket) {
  line_channel channel{std::move(socket), control_line_max, &stop_};
  channel.accept_files();
  control_channel extras;
  extras.progress = [&channel](nlohmann::json line) {
    line["done"] = false;
    return channel.write_line(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), after(write_max))
        .has_value();
  };
  while (true) {
    auto line = channel.read_line(after(idle_max));
    if (!line && line.error() == errc::too_long) (void)channel.write_line(encode_reply(line.error()), after(write_max));
    if (!line) return;
    const auto file = channel.take_file(); // closed when its request is answered
    extras.file = file.get();
    auto reply = encode_reply(dispatch_control(backend_, *line, on_shutdown_, extras));
    if (!channel.write_line(std::move(reply), after(write_max))) return;
  }
}

} // namespace hanse::app
