// What is asked over HTTP, and who is let in. Everything is decided before any route: see `refuse`.
// The token is in the path, so that it goes with every request of the page and with none of another page.
#include "hanse/app/watch/dashboard_server.hpp"

#include "hanse/app/control_wire.hpp"
#include "hanse/app/lace_picture.hpp"
#include "hanse/app/templates.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/app/watch/trace_path.hpp"
#include "hanse/crypto/mac.hpp"
#include "hanse/crypto/random.hpp"
#include "hanse/protocols/envelope.hpp"

#include <charconv>
#include <httplib.h>
#include <thread>

namespace hanse::app {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr const char* address = "127.0.0.1";
constexpr std::size_t token_size = 24;         // octets: 192 bits, printed as 48 hex digits
constexpr std::size_t workers = 32;            // threads; a browser holds up to 6 connections
constexpr milliseconds answer_wait = 900ms;    // of the nodes, for a look
constexpr milliseconds question_wait = 5s;     // of one node, for what a person asked
constexpr milliseconds look_fresh = 500ms;     // several pages share a look
constexpr std::uint32_t lace_blocks_max = 500; // more is no picture

std::string random_hex(random_source& random, std::size_t size) {
  bytes octets(size);
  random.fill(octets);
  return to_hex(octets);
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace); // names of peers may be any octets
}

void answer(httplib::Response& res, const json& value) {
  res.set_content(dump(value), "application/json");
}

void fail(httplib::Response& res, int status, const error& e) {
  res.status = status;
  answer(res, {{"error", to_json(e)}});
}

std::string_view file_of(std::string_view name) {
  for (const auto& f : dashboard_files())
    if (f.name == name) return f.text;
  return {};
}

/// The page, in one piece. `nonce`: no other script runs in it.
std::string page(const std::string& nonce) {
  std::string text{file_of("page.html")};
  const auto put = [&](std::string_view place, std::string_view what) {
    if (const auto at = text.find(place); at != text.npos) text.replace(at, place.size(), what);
  };
  put("/*style*/", file_of("style.css"));
  std::string script;
  for (const auto* name : {"elements.js", "topology.js", "sections.js", "page.js"}) script += file_of(name);
  put("/*script*/", script);
  put("NONCE", nonce);
  return text;
}

} // namespace

struct dashboard_server::impl {
  explicit impl(std::vector<std::filesystem::path> sockets) : nodes(std::move(sockets)) {}

  observer nodes;
  std::mutex looking; ///< guards `nodes`, `seen`, `seen_at`
  json seen;
  std::optional<steady_time> seen_at;
  std::string token;
  std::uint16_t port = 0;
  stop_event stopping;
  httplib::Server http;
  std::thread thread;

  void set_up();
  bool refuse(const httplib::Request& req, httplib::Response& res, std::string_view& rest) const;
  void serve(const httplib::Request& req, httplib::Response& res);
  void serve_page(httplib::Response& res);
  json look();
  void lace(const httplib::Request& req, httplib::Response& res);
  void why(const httplib::Request& req, httplib::Response& res);
  void trace(const httplib::Request& req, httplib::Response& res);
  std::optional<std::filesystem::path> socket_of(const httplib::Request& req, httplib::Response& res) const;
};

/// Everybody on this machine can connect, and every web page can make a browser connect: whoever does not know the
/// token, or came by another name, gets nothing.
bool dashboard_server::impl::refuse(const httplib::Request& req, httplib::Response& res, std::string_view& rest) const {
  const auto colon_port = ":" + std::to_string(port);
  const auto host = req.get_header_value("Host");
  const bool ours =
      req.get_header_value_count("Host") == 1 && (host == address + colon_port || host == "localhost" + colon_port);
  const auto site = req.get_header_value("Sec-Fetch-Site"); // browsers say who asks; others do not
  if (!ours || !(site.empty() || site == "none" || site == "same-origin")) {
    fail(res, 403, {errc::permission_denied, "this is not the address that `hanse dashboard` printed"});
    return true;
  }
  const std::string_view path = req.path;
  const bool formed = path.size() > token.size() + 1 && path[0] == '/' && path[token.size() + 1] == '/';
  const auto given = formed ? path.substr(1, token.size()) : std::string_view{};
  if (!formed || !equal_constant_time(as_byte_view(given), as_byte_view(token))) {
    fail(res, 403, {errc::permission_denied, "this page needs the whole address that `hanse dashboard` printed"});
    return true;
  }
  if (req.method != "GET" && req.method != "HEAD") {
    fail(res, 405, {errc::permission_denied, "the dashboard only shows"});
    return true;
  }
  rest = path.substr(token.size() + 2);
  return false;
}

void dashboard_server::impl::serve(const httplib::Request& req, httplib::Response& res) {
  res.status = 200;
  std::string_view rest;
  if (refuse(req, res, rest)) return;
  if (rest.empty()) return serve_page(res);
  if (rest == "api/now") return answer(res, look());
  if (rest == "api/traces") return answer(res, newest_traces(nodes.sockets(), answer_wait, &stopping));
  if (rest == "api/trace") return trace(req, res);
  if (rest == "api/why") return why(req, res);
  if (rest == "api/lace.svg") return lace(req, res);
  fail(res, 404, {errc::not_found, "there is nothing at this address"});
}

void dashboard_server::impl::serve_page(httplib::Response& res) {
  system_random random;
  const auto nonce = random_hex(random, 16);
  res.set_header("Content-Security-Policy", "default-src 'none'; script-src 'nonce-" + nonce +
                                                "'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
                                                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  res.set_content(page(nonce), "text/html; charset=utf-8");
}

json dashboard_server::impl::look() {
  std::lock_guard lock{looking};
  const auto now = std::chrono::steady_clock::now();
  if (seen_at && now < *seen_at + look_fresh) return seen;
  seen = nodes.look(answer_wait, &stopping);
  seen_at = std::chrono::steady_clock::now();
  return seen;
}

/// The node that `node=NUMBER` means: its place in the list of `api/now`.
std::optional<std::filesystem::path> dashboard_server::impl::socket_of(const httplib::Request& req,
                                                                       httplib::Response& res) const {
  const auto text = req.get_param_value("node");
  std::size_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec == std::errc{} && end == text.data() + text.size() && number < nodes.sockets().size())
    return nodes.sockets()[number];
  fail(res, 400, {errc::bad_value, "node: expected 0 to " + std::to_string(nodes.sockets().size() - 1)});
  return {};
}

void dashboard_server::impl::lace(const httplib::Request& req, httplib::Response& res) {
  const auto socket = socket_of(req, res);
  if (!socket) return;
  const auto graph = ask_node(
      *socket, {{"command", "domain_graph"}, {"domain", req.get_param_value("domain")}, {"blocks", lace_blocks_max}},
      question_wait, &stopping);
  if (!graph) return fail(res, 502, graph.error());
  res.set_content(draw_lace(*graph, "svg"), "image/svg+xml");
}

void dashboard_server::impl::why(const httplib::Request& req, httplib::Response& res) {
  const auto socket = socket_of(req, res);
  if (!socket) return;
  const auto said = ask_node(*socket, {{"command", "why"}, {"destination", req.get_param_value("destination")}},
                             question_wait, &stopping);
  if (!said) return fail(res, 502, said.error());
  answer(res, *said);
}

void dashboard_server::impl::trace(const httplib::Request& req, httplib::Response& res) {
  const auto id = req.get_param_value("id");
  if (!parse_trace_id(id)) return fail(res, 400, {errc::bad_value, "id: expected 32 hexadecimal digits"});
  answer(res, path_of_trace(nodes.sockets(), id, answer_wait, &stopping));
}

void dashboard_server::impl::set_up() {
  http.new_task_queue = [] { return new httplib::ThreadPool(workers); };
  http.set_keep_alive_timeout(2);
  http.set_read_timeout(2);
  http.set_write_timeout(5);
  http.set_payload_max_length(1024);
  // Without SO_REUSEPORT, which is httplib's default and would share the port with another dashboard.
  http.set_socket_options([](socket_t s) {
    const int yes = 1;
    ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  http.set_default_headers({{"Cache-Control", "no-store"},
                            {"X-Content-Type-Options", "nosniff"},
                            {"X-Frame-Options", "DENY"},
                            {"Referrer-Policy", "no-referrer"},
                            {"Cross-Origin-Resource-Policy", "same-origin"}});
  http.set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    serve(req, res);
    return httplib::Server::HandlerResponse::Handled;
  });
  http.set_exception_handler([](const httplib::Request&, httplib::Response& res, std::exception_ptr) {
    fail(res, 500, {errc::internal, "a bug of the dashboard"});
  });
}

dashboard_server::dashboard_server(std::unique_ptr<impl> i) : impl_(std::move(i)) {}

expected<std::unique_ptr<dashboard_server>> dashboard_server::start(std::vector<std::filesystem::path> sockets,
                                                                    std::uint16_t port, random_source& random) {
  auto made = std::make_unique<impl>(std::move(sockets));
  made->token = random_hex(random, token_size);
  made->set_up();
  errno = 0;
  const auto bound = port == 0                                ? made->http.bind_to_any_port(address)
                     : made->http.bind_to_port(address, port) ? port
                                                              : -1;
  if (bound <= 0) {
    const auto name = "port " + std::to_string(port) + " of " + address;
    if (errno == EADDRINUSE)
      return error{errc::already_exists, name + " is in use; choose another one, or let --port 0 take a free one"};
    return io_failure(name, errno == 0 ? EADDRNOTAVAIL : errno);
  }
  made->port = static_cast<std::uint16_t>(bound);
  made->thread = std::thread{[i = made.get()] { i->http.listen_after_bind(); }};
  while (!made->http.is_running()) std::this_thread::sleep_for(1ms); // before that, `stop` would do nothing
  return std::unique_ptr<dashboard_server>{new dashboard_server{std::move(made)}};
}

std::string dashboard_server::url() const {
  return std::string{"http://"} + address + ":" + std::to_string(impl_->port) + "/" + impl_->token + "/";
}

std::uint16_t dashboard_server::port() const noexcept {
  return impl_->port;
}

const std::string& dashboard_server::token() const noexcept {
  return impl_->token;
}

dashboard_server::~dashboard_server() {
  impl_->stopping.set();
  impl_->http.stop();
  impl_->thread.join();
}

} // namespace hanse::app
