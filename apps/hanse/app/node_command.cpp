// hanse node: making a node's directory, running it, asking and stopping it.
// The node itself is behind start_node (node_runtime.hpp); here are its files, its signals and its control socket.
#include "hanse/app/command.hpp"
#include "hanse/app/control_client.hpp"
#include "hanse/app/control_server.hpp"
#include "hanse/app/node_runtime.hpp"
#include "hanse/app/passphrase.hpp"
#include "hanse/app/stop_signals.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/app/unique_fd.hpp"
#include "hanse/crypto/key_file.hpp"

#include <CLI/CLI.hpp>
#include <mutex>
#include <nlohmann/json.hpp>
#include <poll.h>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int stop_timeout_ms = 30'000; ///< a node closes links, writes its spool and its store; a guess

struct init_options {
  std::string directory;
  std::string name;
  std::string listen = "tls://127.0.0.1:0"; // works at once, several on a machine; other machines need a real address
  std::string passphrase_file;
  bool no_passphrase = false;
};

std::string host_name() {
  char name[65] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "node";
  return name;
}

/// The directory's name, so that several nodes on a machine tell themselves apart; else the machine's.
std::string name_for(const fs::path& directory) {
  auto name = directory.filename().string();
  return name.empty() || name == "." || name.front() == '.' || name == "hanse" ? host_name() : name;
}

expected<identity> init_node(const init_options& options, const fs::path& directory) {
  auto config_file = directory / "config.json";
  auto config = default_node_config(options.name.empty() ? name_for(directory) : options.name, options.listen);
  HANSE_CHECK(parse_node_config(config, config_file)); // the name and the address come from the command line
  std::error_code ec;
  if (directory.has_parent_path()) fs::create_directories(directory.parent_path(), ec);
  HANSE_CHECK(make_private_directory(directory));
  if (fs::exists(config_file, ec)) return error{errc::already_exists, config_file.string() + ": is there already"};
  system_random random;
  auto key = key_pair::generate(random);
  std::optional<secret_bytes> passphrase;
  if (!options.no_passphrase) {
    HANSE_TRY(passphrase, get_passphrase({options.passphrase_file, true, "Passphrase for the node's key: "}));
  }
  auto view = passphrase ? std::optional<byte_view>{*passphrase} : std::nullopt;
  HANSE_CHECK(write_key_file(directory / "node.key", key, view, random));
  HANSE_CHECK(write_new_file(config_file, config, 0600));
  return key.identity();
}

void node_init(command_context& c, const init_options& options) {
  auto directory = options.directory.empty() ? default_node_directory() : fs::path{options.directory};
  auto id = init_node(options, directory);
  if (!id) return c.fail("make a node in " + directory.string(), id.error());
  auto config = (directory / "config.json").string();
  c.print({{"identity", to_string(*id)}, {"directory", directory.string()}, {"config", config}}, [&] {
    c.out << "identity  " << to_string(*id) << "\nconfig    " << config << "\nnext      hanse node run " << config
          << '\n';
  });
}

/// Opens the node's key; remembers the passphrase, which opens the engines' keys as well.
expected<node_secrets> open_secrets(const node_config& config) {
  std::optional<secret_bytes> passphrase;
  auto key = load_key_file(config.key_file, [&]() -> expected<secret_bytes> {
    HANSE_TRY(auto text,
              get_passphrase({config.passphrase_file, false, "Passphrase of " + config.key_file.string() + ": "}));
    passphrase = text;
    return text;
  });
  if (!key) {
    auto& [code, detail] = key.error();
    auto file = config.key_file.string();
    if (detail.find(config.passphrase_file.empty() ? file : config.passphrase_file.string()) != detail.npos)
      return key.error();
    auto advice =
        code == errc::not_found ? "; make one with `hanse id new --out FILE`, or a node with `hanse node init`" : "";
    return error{code, file + (detail.empty() ? "" : ": " + detail) + advice};
  }
  return node_secrets{*std::move(key), std::move(passphrase)};
}

/// What ends a running node beside signals.
struct node_end {
  stop_event event;
  std::mutex mutex;
  error failure; ///< guarded by mutex

  void fail(const error& e) {
    {
      std::lock_guard lock{mutex};
      if (failure.code == errc::none) failure = e;
    }
    event.set();
  }
};

void announce(command_context& c, json status, const node_config& config) {
  status["control_socket"] = config.control_socket.string();
  if (c.json) {
    status["ready"] = true;
    c.out << status.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl; // one line: read by the runner
    return;
  }
  c.out << "node       " << field(status, "name") << "\nidentity   " << field(status, "identity") << '\n';
  for (const auto& address : status.value("addresses", json::array()))
    c.out << "address    " << (address.is_string() ? address.get<std::string>() : address.dump()) << '\n';
  c.out << "control    " << config.control_socket.string() << "\nticket     " << field(status, "ticket") << '\n';
  c.out << "ready; stop with Ctrl-C" << std::endl;
}

expected<unit> run_node(command_context& c, const node_config& config, stop_signals& signals) {
  HANSE_TRY(auto secrets, open_secrets(config));
  HANSE_CHECK(make_private_directory(config.data_dir));
  node_end end;
  HANSE_TRY(auto backend, start_node(config, std::move(secrets), {[&](const error& e) { end.fail(e); }}));
  auto server = control_server::start(config.control_socket, *backend, [&] { end.event.set(); });
  auto status = server ? backend->status() : control_result{server.error()};
  if (status) {
    announce(c, *status, config);
    signals.wait(end.event);
    signals.let_through();
    if (!c.json) c.out << "stopping; Ctrl-C again stops at once" << std::endl;
    (*server)->stop();
  }
  backend->stop();
  if (server) *server = nullptr; // before the backend: a request may still be under way
  if (!status) return status.error();
  std::lock_guard lock{end.mutex};
  if (end.failure.code != errc::none) return end.failure;
  return ok();
}

void node_run(command_context& c, const std::string& given) {
  auto file = given.empty() ? default_node_directory() / "config.json" : fs::path{given};
  auto config = load_node_config(file);
  if (!config && config.error() == errc::not_found)
    return c.fail("read the configuration",
                  {errc::not_found, config.error().detail + "; make a node with `hanse node init DIR`"});
  if (!config) return c.fail("read the configuration", config.error());
  stop_signals signals;
  auto end = run_node(c, *config, signals);
  if (!end) c.fail("run the node", end.error());
}

void node_status(command_context& c) {
  auto status = c.ask("ask the node", {{"command", "status"}});
  if (!status) return;
  c.print(*status, [&] {
    for (const auto& [key, value] : status->items()) {
      if (!value.is_array()) {
        c.out << key << std::string(key.size() < 16 ? 16 - key.size() : 1, ' ') << field(*status, key.c_str()) << '\n';
        continue;
      }
      for (const auto& item : value)
        c.out << key << std::string(key.size() < 16 ? 16 - key.size() : 1, ' ')
              << (item.is_string() ? item.get<std::string>() : item.dump()) << '\n';
    }
  });
}

/// False if the process still runs after `timeout_ms`. One that is not seen from here has ended.
bool has_ended(pid_t process, int timeout_ms) {
  const auto watched = open_process(process);
  pollfd ends{watched.get(), POLLIN, 0};
  return !watched || ::poll(&ends, 1, timeout_ms) == 1;
}

/// When it returns, the node's files and addresses are free: another one can be started at once.
void node_stop(command_context& c) {
  auto answer = c.ask("stop the node", {{"command", "shutdown"}});
  if (!answer) return;
  if (!has_ended(answer->value("process", 0), stop_timeout_ms))
    return c.fail("stop the node",
                  {errc::timed_out, "it is still stopping after " + std::to_string(stop_timeout_ms / 1000) +
                                        " s; process " + answer->at("process").dump()});
  c.print({{"stopped", true}}, [&] { c.out << "the node has stopped\n"; });
}

void add_init(CLI::App& node, command_context& context) {
  auto* init = node.add_subcommand("init", "Make a directory with a key and a configuration");
  auto o = std::make_shared<init_options>();
  init->add_option("DIR", o->directory, "The directory, made 0700; by default ~/.config/hanse");
  init->add_option("--name", o->name, "The node's name, for people; by default the host's");
  init->add_option("--listen", o->listen, "The address to listen on")->capture_default_str();
  init->add_flag("--no-passphrase", o->no_passphrase, "Do not encrypt the key");
  init->add_option("--passphrase-file", o->passphrase_file, "Take the first line of this file as the passphrase");
  init->footer("Example:\n  hanse node init ~/.config/hanse --name alice");
  init->callback([&context, o] { node_init(context, *o); });
}

} // namespace

void add_node_commands(CLI::App& program, command_context& context) {
  auto* node = program.add_subcommand("node", "Make, run and stop a node");
  node->require_subcommand(1);
  node->footer("Example:\n  hanse node init ~/.config/hanse\n  hanse node run");
  add_init(*node, context);

  auto* run = node->add_subcommand("run", "Run a node until Ctrl-C or SIGTERM");
  auto file = std::make_shared<std::string>();
  run->add_option("CONFIG.json", *file, "The configuration; by default ~/.config/hanse/config.json");
  run->footer("With --json it prints one line when it is ready: identity, addresses, ticket, control_socket.\n\n"
              "Example:\n  hanse node run ~/.config/hanse/config.json");
  run->callback([&context, file] { node_run(context, *file); });

  auto* status = node->add_subcommand("status", "Identity, addresses, ticket and counts of a running node");
  status->footer("Example:\n  hanse node status --json");
  status->callback([&context] { node_status(context); });

  auto* stop = node->add_subcommand("stop", "Stop a running node cleanly; returns when it has ended");
  stop->footer("Example:\n  hanse node stop --socket ~/.config/hanse/data/control.sock");
  stop->callback([&context] { node_stop(context); });
}

} // namespace hanse::app
