// The asking side of the control protocol.
// Skips progress lines; the deadline covers connecting, writing and waiting together.
#include "hanse/app/control_client.hpp"

#include "hanse/app/control_wire.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  auto* value = std::getenv(name);
  return value ? value : "";
}

} // namespace

expected<control_session> control_session::open(const fs::path& socket, const stop_event* cancel) {
  HANSE_TRY(auto fd, connect_local(socket));
  return control_session{line_channel{std::move(fd), control_line_max, cancel}};
}

control_result control_session::ask(const nlohmann::json& request, std::chrono::milliseconds timeout) {
  return ask(request, -1, {}, timeout);
}

control_result control_session::ask(const nlohmann::json& request, int file,
                                    const std::function<void(const nlohmann::json&)>& on_progress,
                                    std::chrono::milliseconds silence) {
  auto deadline = std::chrono::steady_clock::now() + silence;
  auto line = request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (line.size() > control_line_max) return error{errc::too_long, "the request is over 2 MiB"};
  // A node that is full answers before it has read the request: the answer counts, not the failed write.
  auto written = channel_.write_line(std::move(line), deadline, file);
  if (!written && written.error() != errc::link_closed) return written.error();
  while (true) {
    auto reply = channel_.read_line(deadline);
    if (!reply && reply.error() == errc::link_closed)
      return error{errc::link_closed, "the node closed the control socket before it answered"};
    if (!reply && reply.error() == errc::timed_out)
      return error{errc::timed_out, "the node did not answer within " + std::to_string(silence.count()) + " ms"};
    if (!reply) return reply.error();
    if (auto result = decode_reply(*reply)) return *std::move(result);
    if (!on_progress) continue;
    on_progress(nlohmann::json::parse(*reply));
    deadline = std::chrono::steady_clock::now() + silence;
  }
}

control_result ask_node(const fs::path& socket, const nlohmann::json& request, std::chrono::milliseconds timeout,
                        const stop_event* cancel) {
  HANSE_TRY(auto session, control_session::open(socket, cancel));
  return session.ask(request, timeout);
}

control_result ask_node_with_file(const fs::path& socket, const nlohmann::json& request, int file,
                                  const std::function<void(const nlohmann::json&)>& on_progress,
                                  std::chrono::milliseconds silence, const stop_event* cancel) {
  HANSE_TRY(auto session, control_session::open(socket, cancel));
  return session.ask(request, file, on_progress, silence);
}

fs::path default_node_directory() {
  if (auto xdg = environment("XDG_CONFIG_HOME"); !xdg.empty()) return fs::path{xdg} / "hanse";
  auto home = environment("HOME");
  return fs::path{home.empty() ? "/" : home} / ".config" / "hanse";
}

fs::path choose_socket(const std::string& given) {
  if (!given.empty()) return given;
  if (auto named = environment("HANSE_SOCKET"); !named.empty()) return named;
  return default_node_directory() / "data" / "control.sock";
}

} // namespace hanse::app
