// The program's node: from configuration to running engines, and their moves. The queries are runtime_queries.cpp.
#include "hanse/app/runtime_backend.hpp"

#include "hanse/actors/plugin_loader.hpp"
#include "hanse/app/engines/engines.hpp"
#include "hanse/app/engines/interfaces.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/key_file.hpp"

#include <caf/io/middleman.hpp>
#include <nlohmann/json.hpp>

#include <thread>

namespace hanse::app {

using nlohmann::json;

namespace {

constexpr std::size_t engine_file_size_max = 64 * 1024; ///< octets; parameters dominate

log_level level_of(const std::string& text) {
  constexpr std::string_view names[] = {"quiet", "error", "warning", "info", "debug", "trace"};
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (names[i] == text) return static_cast<log_level>(i);
  return log_level::info;
}

void register_types() {
  static const bool once = [] {
    hanse::init_global_meta_objects();
    engines::init_global_meta_objects();
    return true;
  }();
  (void)once;
}

/// UDP sockets, if the node is to use them: null otherwise. Before the node starts, which advertises their ports.
expected<std::unique_ptr<datagram_sockets>> open_datagrams(const node_config& config) {
  if (std::ranges::find(config.schemes, "dtls") == config.schemes.end()) return std::unique_ptr<datagram_sockets>{};
  for (const auto& text : config.datagrams)
    if (auto a = parse_transport_address(text);
        a && classify(*a) == address_range::unusable && config.advertise.empty())
      return error{errc::bad_config, text + " listens on all addresses, which nobody can dial; say in \"advertise\" "
                                            "which address others use"};
  return datagram_sockets::open(config.datagrams);
}

/// A moving engine as it lies in a file. Holds its key: 0600.
json engine_file(const engine_entry& e, const std::string& parameters) {
  auto seed = e.key->with_seed([](auto view) { return to_hex(view); });
  return {{"hanse-engine", 1},
          {"type", e.type},
          {"name", e.name},
          {"identity", to_string(e.id)},
          {"advert_version", e.advert_version},
          {"parameters", parameters},
          {"seed", seed}};
}

} // namespace

runtime_config::runtime_config(const node_config& config) {
  load<caf::io::middleman>();
  auto threads = std::max(2u, std::thread::hardware_concurrency());
  set("caf.scheduler.max-threads", std::size_t{threads});
  set("caf.logger.console.verbosity", "quiet");
  set("caf.logger.file.verbosity", "quiet");
  if (config.metrics.port == 0) return;
  set("caf.middleman.prometheus-http.port", config.metrics.port);
  set("caf.middleman.prometheus-http.address", config.metrics.address);
}

runtime_backend::runtime_backend(node_config config, node_secrets secrets)
    : config_(std::move(config)), secrets_(std::move(secrets)), caf_config_(config_), system_(caf_config_),
      registry_(engines::builtin()) {}

runtime_backend::~runtime_backend() {
  stop();
  blocks_.reset();
  topics_.reset();
  domains_.reset();
  relay_.reset();
  spool_.reset();
  datagrams_.reset();
  node_.reset();
  if (log_file_) std::fclose(log_file_);
}

expected<std::unique_ptr<control_backend>> start_node(const node_config& config, node_secrets secrets,
                                                      node_events events) {
  register_types();
  for (auto& file : config.plugins)
    HANSE_CHECK(load_plugin(file)); // before the actor_system: CAF wants all types first
  auto backend = std::make_unique<runtime_backend>(config, std::move(secrets));
  HANSE_CHECK(backend->start(std::move(events)));
  return std::unique_ptr<control_backend>{std::move(backend)};
}

expected<unit> runtime_backend::start(node_events events) {
  HANSE_CHECK(add_plugin_engines(registry_));
  node_options o;
  o.key = secrets_.key;
  o.name = config_.name;
  o.data_dir = config_.data_dir;
  o.listen = config_.listen;
  o.advertise = config_.advertise;
  o.allow_private = config_.allow_private;
  o.trust = config_.trust;
  o.log = level_of(config_.log.level);
  o.on_fatal = std::move(events.on_fatal);
  auto& l = config_.limits;
  o.pool.handshakes_max = l.handshakes;
  o.pool.links_max = l.links;
  o.pool.idle_ms = l.idle_close_ms;
  o.pool.queue_messages_max = l.queue_messages;
  o.pool.queue_octets_max = l.queue_bytes;
  o.link.handshake_ms = l.handshake_timeout_ms;
  o.link.ping_ms = l.heartbeat_ms;
  o.link.dead_ms = 3ull * l.heartbeat_ms;
  if (!config_.log.file.empty()) {
    log_file_ = std::fopen(config_.log.file.c_str(), "ae");
    if (!log_file_) return io_failure(config_.log.file, errno);
    o.sink = make_logfmt_sink(log_file_);
  }
  o.speaks = domain_node_protocols();
  for (auto& p : topic_node_protocols()) o.speaks.push_back(std::move(p));
  for (auto& p : block_node_protocols()) o.speaks.push_back(std::move(p));
  for (auto& p : relay_node_protocols()) o.speaks.push_back(std::move(p));
  if (!config_.spool.directory.empty())
    for (auto& p : spool_node_protocols()) o.speaks.push_back(std::move(p));
  o.schemes = {config_.schemes.begin(), config_.schemes.end()};
  o.advertise_too = relay_addresses(config_.relay.through);
  HANSE_TRY(auto udp, open_datagrams(config_));
  if (udp && config_.advertise.empty())
    for (auto& a : udp->addresses()) o.advertise_too.push_back(a);
  HANSE_TRY(node_, node::start(system_, std::move(o)));
  HANSE_CHECK(start_engines());
  HANSE_CHECK(start_imported());
  HANSE_CHECK(start_domains());
  block_options blocks;
  blocks.directory = config_.data_dir;
  blocks.quotas = config_.blocks.quotas;
  blocks.store.quota_octets = config_.blocks.quota_bytes;
  HANSE_TRY(blocks_, node_blocks::start(*node_, *domains_, std::move(blocks)));
  topic_options topics;
  topics.blocks = blocks_.get();
  HANSE_TRY(topics_, node_topics::start(*node_, *domains_, std::move(topics)));
  HANSE_CHECK(start_ways(std::move(udp))); // what waits in the spool finds its engines
  for (auto& ticket : config_.peers)
    if (auto added = node_->add(ticket); !added) return error{errc::bad_config, "peers: " + to_string(added.error())};
  for (auto& peer : config_.permanent_links) compat::anon_send(node_->core()->transport, dial_atom_v, peer, true);
  return ok();
}

/// What carries messages beside links.
expected<unit> runtime_backend::start_ways(std::unique_ptr<datagram_sockets> udp) {
  const auto& r = config_.relay;
  const relay_config relay{r.forwards, r.octets_per_minute, r.octets_per_minute_in_all};
  HANSE_TRY(relay_, node_relay::start(*node_, {relay, r.through}));
  if (udp) {
    HANSE_TRY(datagrams_, node_datagrams::start(*node_, std::move(udp), {config_.allow_private}));
  }
  const auto& s = config_.spool;
  if (s.directory.empty()) return ok();
  HANSE_TRY(spool_, node_spool::start(*node_, {s.directory, 1000ull * s.life_s, s.scan_ms}));
  return ok();
}

expected<unit> runtime_backend::start_engines() {
  std::error_code failed;
  std::filesystem::create_directories(engines_dir(), failed);
  std::filesystem::permissions(engines_dir(), std::filesystem::perms::owner_all, failed);
  if (failed) return error{errc::io_error, engines_dir().string() + ": " + failed.message()};
  for (auto& e : config_.engines) {
    if (std::filesystem::exists(engines_dir() / (e.name + ".exported"))) continue; // it lives on another node now
    HANSE_TRY(auto key, engine_key(e));
    engine_options options;
    options.name = e.name;
    options.key = key;
    options.serves = e.serves;
    if (auto made = spawn(e, std::move(options)); !made)
      return error{made.error().code, "engine " + e.name + ": " + made.error().detail};
  }
  return ok();
}

expected<identity> runtime_backend::spawn(const engine_config& e, engine_options options) {
  HANSE_TRY(auto id, registry_.spawn(*node_, e.type, std::move(options), e.parameters));
  std::lock_guard guard{parameters_mutex_};
  parameters_[id] = e.parameters;
  return id;
}

/// The engine's key, made on the first start.
expected<key_pair> runtime_backend::engine_key(const engine_config& e) {
  auto file = e.key_file.empty() ? engines_dir() / (e.name + ".key") : e.key_file;
  auto key = load_key_file(file, [this]() -> expected<secret_bytes> {
    if (secrets_.passphrase) return *secrets_.passphrase;
    return error{errc::wrong_passphrase, "the engine's key is encrypted, the node's is not"};
  });
  if (key || key.code() != errc::not_found) return key;
  system_random random;
  auto fresh = key_pair::generate(random);
  std::optional<byte_view> passphrase;
  if (secrets_.passphrase) passphrase = byte_view{*secrets_.passphrase};
  HANSE_CHECK(write_key_file(file, fresh, passphrase, random));
  return fresh;
}

expected<unit> runtime_backend::start_imported() {
  std::vector<std::filesystem::path> files;
  for (auto& entry : std::filesystem::directory_iterator{engines_dir()})
    if (entry.path().string().ends_with(".engine.json")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (auto& file : files)
    if (auto made = start_imported_file(file); !made)
      return error{made.error().code, file.string() + ": " + made.error().detail};
  return ok();
}

expected<identity> runtime_backend::start_imported_file(const std::filesystem::path& file) {
  HANSE_TRY(auto text, read_text_file(file, engine_file_size_max));
  auto j = json::parse(text, nullptr, false);
  if (!j.is_object() || j.value("hanse-engine", 0) != 1)
    return error{errc::bad_value, file.string() + " is not an exported engine"};
  engine_options options;
  engine_config e;
  try {
    HANSE_TRY(auto seed, from_hex(j.at("seed").get<std::string>()));
    if (seed.size() != 32) return error{errc::bad_value, "the seed has 32 octets"};
    options.key = key_pair::from_seed(std::span<const std::byte, 32>{seed});
    options.advert_version = j.at("advert_version").get<std::uint64_t>();
    e.name = j.at("name").get<std::string>();
    e.type = j.at("type").get<std::string>();
    e.parameters = j.at("parameters").get<std::string>();
    if (to_string(options.key->identity()) != j.at("identity").get<std::string>())
      return error{errc::bad_checksum, "the key does not belong to the identity"};
  } catch (const json::exception& x) { // the library's way to say that a key is missing or of another type
    return error{errc::bad_value, x.what()};
  }
  options.name = e.name;
  return spawn(e, std::move(options));
}

control_result runtime_backend::export_engine(const std::string& engine, const std::string& file) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto entry, local_engine(engine));
  if (entry.type.empty()) return error{errc::bad_value, "only engines of a registered type can be exported"};
  std::string parameters;
  {
    std::lock_guard parameters_guard{parameters_mutex_};
    parameters = parameters_[entry.id];
  }
  HANSE_CHECK(write_new_file(file, engine_file(entry, parameters).dump(2) + "\n"));
  HANSE_CHECK(replace_file(engines_dir() / (entry.name + ".exported"), to_string(entry.id) + "\n", 0600));
  std::error_code ignored;
  std::filesystem::remove(engines_dir() / (entry.name + ".engine.json"), ignored);
  HANSE_TRY(auto released, node_->release(entry.id, true));
  return json{{"name", released.name}, {"identity", to_string(released.id)}, {"file", file}};
}

control_result runtime_backend::import_engine(const std::string& file) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto text, read_text_file(file, engine_file_size_max));
  HANSE_TRY(auto id, start_imported_file(file));
  HANSE_TRY(auto entry, local_engine(to_string(id)));
  HANSE_CHECK(replace_file(engines_dir() / (entry.name + ".engine.json"), text, 0600));
  std::error_code ignored;
  std::filesystem::remove(engines_dir() / (entry.name + ".exported"), ignored);
  std::filesystem::remove(file, ignored);
  return json{{"identity", to_string(id)},      {"name", entry.name}, {"type", entry.type},
              {"node", to_string(node_->id())}, {"local", true},      {"state", "running"}};
}

control_result runtime_backend::spawn_engine(const spawn_request& request) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  engine_config e;
  e.name = request.name;
  e.type = request.type;
  e.parameters = request.parameters;
  HANSE_TRY(auto key, engine_key(e));
  engine_options options;
  options.name = e.name;
  options.key = key;
  for (const auto& d : request.serves) {
    HANSE_TRY(const auto domain, resolve_domain(d));
    options.serves.push_back(domain);
  }
  HANSE_TRY(auto id, spawn(e, std::move(options)));
  return json{{"identity", to_string(id)},      {"name", e.name}, {"type", e.type},
              {"node", to_string(node_->id())}, {"local", true},  {"state", "running"}};
}

control_result runtime_backend::stop_engine(const std::string& engine) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  HANSE_TRY(auto entry, local_engine(engine));
  HANSE_TRY(auto released, node_->release(entry.id, false));
  return json{{"name", released.name}, {"identity", to_string(released.id)}};
}

expected<unit> runtime_backend::running() const {
  if (stopped_) return error{errc::cancelled, "the node is stopping"};
  return ok();
}

void runtime_backend::stop() {
  ending_ = true;
  std::unique_lock guard{stopping_};
  if (std::exchange(stopped_, true)) return;
  topics_.reset(); // what was published last leaves before the node stops
  if (node_) node_->stop();
}

} // namespace hanse::app
