// Runs the node processes of a cluster.
// Each node has a mutex for its process; asking a node does not take it, so that a hanging node can be killed.
#include "hanse/app/cluster/cluster.hpp"

#include "hanse/app/control_client.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/key_file.hpp"

#include <algorithm>
#include <csignal>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto poll_interval = 20ms;       // between two looks over a control socket
constexpr auto request_max = 15s;          // for one request that has no timeout of its own
constexpr auto exit_grace = 1s;            // for a process to end after it closed its output
constexpr auto stop_grace = 5s;            // SIGTERM to SIGKILL
constexpr std::size_t tail_octets = 65536; // of a log
constexpr std::size_t ready_line_max = 1 << 16;

steady_time now() {
  return std::chrono::steady_clock::now();
}

} // namespace

void step_scope::involve(const std::string& node) {
  std::lock_guard lock{mutex_};
  involved_.insert(node);
}

std::set<std::string> step_scope::involved() const {
  std::lock_guard lock{mutex_};
  return involved_;
}

milliseconds step_scope::left() const {
  return std::max(1ms, std::chrono::ceil<milliseconds>(deadline - now()));
}

expected<unit> step_scope::pause() const {
  if (now() >= deadline) return error{errc::timed_out, "not within the time of the step"};
  if (abort.wait_until(std::min(deadline, now() + poll_interval))) return errc::cancelled;
  return ok();
}

struct cluster::node {
  std::string name;
  const json* config = nullptr;
  fs::path directory;
  fs::path socket;
  mutable std::mutex mutex;
  std::optional<child_process> process; ///< guarded by mutex, as all below
  bool wanted = false;                  ///< it should be running
  std::uint32_t starts = 0;
  bool paused = false;
  json ready;

  fs::path config_file() const { return directory / "config.json"; }
  fs::path log() const { return directory / "node.log"; }
};

cluster::cluster(const scenario& plan, cluster_options options) : plan_(plan), options_(std::move(options)) {
  for (const auto& n : plan_.nodes) {
    auto entry = std::make_unique<node>();
    entry->name = n.name;
    entry->config = &n.config;
    entry->directory = options_.directory / n.name;
    entry->socket = entry->directory / "data" / "control.sock";
    nodes_.push_back(std::move(entry));
  }
}

cluster::~cluster() {
  stop_all();
}

cluster::node& cluster::find(const std::string& name) const {
  // The scenario was checked: every name is there.
  return **std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& n) { return n->name == name; });
}

expected<unit> cluster::make_network() {
  if (plan_.network == network_kind::loopback) return ok();
  auto made = cluster_network::make(plan_, starter_, options_.directory, options_.keep);
  if (!made && plan_.network == network_kind::automatic) {
    network_facts_.note = "loopback, as no network namespaces can be made: " + made.error().detail;
    return ok();
  }
  if (!made)
    return error{made.error().code,
                 "the scenario's network namespaces cannot be made: " + made.error().detail +
                     "; with \"network\": \"auto\" it runs on loopback instead, without the steps that "
                     "shape and cut links"};
  network_ = *std::move(made);
  network_facts_.kind = "namespaces";
  network_facts_.links = network_->links();
  if (!network_->unshaped_because().empty())
    network_facts_.note = "links are not shaped: " + network_->unshaped_because();
  return ok();
}

expected<unit> cluster::prepare() {
  HANSE_CHECK(make_network());
  system_random random;
  for (auto& n : nodes_) {
    HANSE_CHECK(make_private_directory(n->directory));
    auto config = *n->config;
    if (network_ && config["listen"] == json::array({loopback_listen}))
      config["listen"] = json::array({"tls://" + network_->address_of(n->name) + ":0"});
    config["control_socket"] = n->socket.string();
    HANSE_CHECK(write_new_file(n->config_file(), config.dump(2) + "\n"));
    auto key_file = n->directory / config.value("key_file", "node.key");
    if (fs::exists(key_file)) continue;
    HANSE_CHECK(write_key_file(key_file, key_pair::generate(random), std::nullopt, random));
  }
  return ok();
}

expected<unit> cluster::launch(node& n) {
  process_spec spec;
  spec.arguments = {options_.program.string(), "node", "run", "--json", n.config_file().string()};
  spec.log = n.log();
  spec.directory = n.directory; // what an engine writes without a path stays in there
  spec.die_with_parent = !options_.keep;
  if (network_) spec.network = network_->network_of(n.name);
  HANSE_TRY(auto process, starter_.start(std::move(spec)));
  std::lock_guard lock{n.mutex};
  n.process.emplace(std::move(process));
  n.wanted = true;
  n.paused = false;
  ++n.starts;
  return ok();
}

expected<unit> cluster::await_ready(node& n, step_scope& scope) {
  unique_fd output;
  {
    std::lock_guard lock{n.mutex};
    output = n.process->take_output();
  }
  auto deadline = std::min(scope.deadline, now() + plan_.ready_timeout);
  line_channel channel{std::move(output), ready_line_max, &scope.abort};
  auto line = channel.read_line(deadline);
  auto ready = line ? json::parse(*line, nullptr, false) : json{};
  auto is_ready =
      ready.is_object() && ready.value("identity", json{}).is_string() && ready.value("ticket", json{}).is_string();
  if (!is_ready && (line || line.error() == errc::link_closed)) {
    std::lock_guard lock{n.mutex};
    auto ended = n.process->ended(now() + exit_grace);
    n.wanted = false;
    return error{errc::unreachable, n.name + (ended ? " " + n.process->how_it_ended() : " printed something else") +
                                        " before it was ready"};
  }
  if (!line) return error{line.error().code, n.name + " is not ready"};
  {
    std::lock_guard lock{identities_mutex_};
    identities_[n.name] = ready["identity"];
  }
  std::lock_guard lock{n.mutex};
  n.ready = std::move(ready);
  return ok();
}

expected<unit> cluster::start_all(step_scope& scope) {
  for (auto& n : nodes_) {
    scope.involve(n->name);
    HANSE_CHECK(launch(*n));
  }
  for (auto& n : nodes_) HANSE_CHECK(await_ready(*n, scope));
  return ok();
}

expected<unit> cluster::start(const std::string& name, step_scope& scope) {
  auto& n = find(name);
  scope.involve(name);
  HANSE_CHECK(launch(n));
  return await_ready(n, scope);
}

expected<unit> cluster::await_end(node& n, step_scope& scope, const char* what) {
  while (true) {
    {
      std::lock_guard lock{n.mutex};
      if (!n.process || n.process->ended(now() + poll_interval)) return ok();
    }
    if (scope.abort.is_set()) return errc::cancelled;
    if (now() >= scope.deadline) return error{errc::timed_out, n.name + " did not end after " + what};
  }
}

expected<unit> cluster::kill(const std::string& name, step_scope& scope) {
  auto& n = find(name);
  scope.involve(name);
  {
    std::lock_guard lock{n.mutex};
    if (!n.process || n.process->ended()) return error{errc::not_found, name + " is not running"};
    n.wanted = false;
    n.process->signal(SIGKILL);
  }
  return await_end(n, scope, "SIGKILL");
}

expected<unit> cluster::stop(const std::string& name, step_scope& scope) {
  auto& n = find(name);
  scope.involve(name);
  {
    std::lock_guard lock{n.mutex};
    if (!n.process || n.process->ended()) return error{errc::not_found, name + " is not running"};
    n.wanted = false;
    n.process->signal(SIGCONT);
    n.process->signal(SIGTERM);
  }
  HANSE_CHECK(await_end(n, scope, "SIGTERM"));
  std::lock_guard lock{n.mutex};
  if (!n.process->succeeded())
    return error{errc::internal, name + " " + n.process->how_it_ended() + " when it was stopped"};
  return ok();
}

expected<unit> cluster::pause(const std::string& name, step_scope& scope) {
  scope.involve(name);
  auto& n = find(name);
  std::lock_guard lock{n.mutex};
  if (!n.process || n.process->ended()) return error{errc::not_found, name + " is not running"};
  n.process->signal(SIGSTOP);
  n.paused = true;
  return ok();
}

expected<unit> cluster::resume(const std::string& name, step_scope& scope) {
  scope.involve(name);
  auto& n = find(name);
  std::lock_guard lock{n.mutex};
  if (!n.process || n.process->ended()) return error{errc::not_found, name + " is not running"};
  n.process->signal(SIGCONT);
  n.paused = false;
  return ok();
}

control_result cluster::ask(const std::string& name, const json& request, step_scope& scope) {
  scope.involve(name);
  auto limit = scope.left();
  if (!request.contains("timeout_ms")) limit = std::min<milliseconds>(limit, request_max);
  auto answer = ask_node(find(name).socket, request, limit, &scope.abort);
  if (answer || answer.error() == errc::cancelled) return answer;
  return error{answer.error().code, name + ": " + answer.error().detail};
}

expected<unit> cluster::check_alive(milliseconds grace) {
  auto deadline = now() + grace;
  do {
    for (auto& n : nodes_) {
      std::lock_guard lock{n->mutex};
      if (!n->wanted || !n->process || !n->process->ended()) continue;
      n->wanted = false;
      return error{errc::unreachable, n->name + " " + n->process->how_it_ended() + " by itself"};
    }
    if (grace > 0ms) std::this_thread::sleep_for(poll_interval);
  } while (now() < deadline);
  return ok();
}

expected<std::string> cluster::ticket_of(const std::string& name) {
  auto& n = find(name);
  std::lock_guard lock{n.mutex};
  if (!n.ready.is_object()) return error{errc::not_found, name + " has not been ready yet"};
  return n.ready["ticket"].get<std::string>();
}

fs::path cluster::socket_of(const std::string& name) const {
  return find(name).socket;
}

fs::path cluster::directory_of(const std::string& name) const {
  return find(name).directory;
}

std::string cluster::log_tail(const std::string& name, std::size_t lines) const {
  auto text = read_text_tail(find(name).log(), tail_octets);
  if (!text) return {};
  auto from = text->ends_with('\n') ? text->size() - 1 : text->size();
  for (std::size_t i = 0; i < lines && from != std::string::npos && from > 0; ++i) from = text->rfind('\n', from - 1);
  return from == std::string::npos || from == 0 ? *text : text->substr(from + 1);
}

std::vector<node_summary> cluster::nodes() const {
  std::vector<node_summary> result;
  for (const auto& n : nodes_) {
    std::lock_guard lock{n->mutex};
    auto identity = n->ready.is_object() ? n->ready["identity"].get<std::string>() : "";
    auto running = n->process && !n->process->ended();
    result.push_back({n->name, identity, n->directory, n->socket, n->process ? n->process->pid() : 0, n->starts,
                      running, n->paused});
  }
  return result;
}

void cluster::stop_all() {
  for (auto& n : nodes_) {
    std::lock_guard lock{n->mutex};
    n->wanted = false;
    if (!n->process || n->process->ended()) continue;
    n->process->signal(SIGTERM);
    n->process->signal(SIGCONT); // a paused one has to wake up to end
  }
  auto deadline = now() + stop_grace;
  for (auto& n : nodes_) {
    std::lock_guard lock{n->mutex};
    if (n->process && !n->process->ended(deadline)) n->process->signal(SIGKILL);
  }
  for (auto& n : nodes_) {
    std::lock_guard lock{n->mutex};
    while (n->process && !n->process->ended(now() + 1s)) {
    }
  }
  network_.reset();
}

void cluster::keep_running() {
  for (auto& n : nodes_) {
    std::lock_guard lock{n->mutex};
    n->wanted = false;
    if (n->process) n->process->release();
  }
  if (network_) network_facts_.removal = network_->keep();
}

} // namespace hanse::app
