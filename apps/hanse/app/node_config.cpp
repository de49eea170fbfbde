// Reads and checks a node's JSON configuration. The format is described in docs/cluster.md.
// Opens nothing but the configuration file itself.
#include "hanse/app/node_config.hpp"

#include "hanse/app/object_reader.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/protocols/advert.hpp"
#include "hanse/transport/address.hpp"
#include "hanse/transport/relay.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_size_max = 64; // octets, as in the adverts
constexpr std::size_t engines_max = 1024;
constexpr std::size_t plugins_max = 64; // a guess
constexpr std::size_t domains_max = 64;
const std::vector<std::string> known_schemes{"tls", "unix", "mem", "relay", "spool", "dtls"};
const std::vector<std::string> default_schemes{"tls", "unix", "relay", "spool"};
constexpr std::uint64_t relay_octets_max = 1ull << 40; // a minute; more is a typing error

std::string bracket(const std::string& key, std::size_t index) {
  return key + "[" + std::to_string(index) + "]";
}

fs::path resolve(const std::string& text, const fs::path& base) {
  if (text.empty()) return {};
  return fs::path{text}.is_absolute() ? fs::path{text} : (base / text).lexically_normal();
}

void check_addresses(object_reader& in, const std::string& key, const std::vector<std::string>& addresses,
                     const std::vector<std::string>& schemes) {
  if (addresses.size() > advert_addresses_max)
    in.problem(key, "expected at most " + std::to_string(advert_addresses_max) + " addresses, found " +
                        std::to_string(addresses.size()));
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    auto address = parse_transport_address(addresses[i]);
    if (!address)
      in.problem(bracket(key, i), "expected an address like \"tls://0.0.0.0:7480\": " + to_string(address.error()));
    else if (std::find(schemes.begin(), schemes.end(), address->scheme) == schemes.end())
      in.problem(bracket(key, i), "the transport \"" + address->scheme + "\" is not among the allowed schemes");
    else if (key == "listen" && address->scheme == "relay")
      in.problem(bracket(key, i), "nothing listens on a relay; name it in \"relay\": {\"through\": […]}");
    else if (key == "advertise" && address->scheme == "spool")
      in.problem(bracket(key, i), "a directory means nothing to others; that this node takes bundles is advertised");
    else if (key == "advertise" && address->scheme == "relay" && !parse_relay_address(to_string(*address)))
      in.problem(bracket(key, i), "expected relay:// and the identity of a node (hk1…)");
    else if (key == "advertise" && address->form == address_form::host_port && address->port == 0)
      in.problem(bracket(key, i), "port 0 cannot be dialled; expected the port that others see");
  }
}

std::vector<std::string> read_schemes(object_reader& in) {
  auto schemes = in.has("schemes") ? in.texts("schemes") : default_schemes;
  if (!in.has("schemes")) in.find("schemes");
  for (std::size_t i = 0; i < schemes.size(); ++i) {
    if (std::find(known_schemes.begin(), known_schemes.end(), schemes[i]) == known_schemes.end())
      in.problem(bracket("schemes", i), "expected tls, unix, relay, spool, dtls or mem, found \"" + schemes[i] + "\"");
  }
  return schemes;
}

void check_name(object_reader& in, const std::string& key, const std::string& name) {
  if (!is_engine_name(name) && in.has(key))
    in.problem(key, "expected 1 to 64 of a-z, 0-9, \".\", \"_\" and \"-\", beginning with a letter or digit; found \"" +
                        name + "\"");
}

std::vector<fs::path> read_plugins(object_reader& in, const fs::path& base) {
  auto texts = in.texts("plugins");
  if (texts.size() > plugins_max) in.problem("plugins", "more than " + std::to_string(plugins_max) + " plug-ins");
  std::vector<fs::path> files;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    files.push_back(resolve(texts[i], base));
    if (texts[i].empty()) in.problem(bracket("plugins", i), "expected the path of a plug-in (a .so file), found \"\"");
  }
  return files;
}

std::vector<engine_config> read_engines(object_reader& in, const fs::path& base) {
  std::vector<engine_config> engines;
  std::set<std::string> names;
  in.each("engines", [&](object_reader& e) {
    engine_config engine;
    engine.name = e.required_text("name");
    engine.type = e.required_text("type");
    engine.key_file = resolve(e.text("key_file"), base);
    engine.parameters = e.object_text("parameters");
    const auto serves = e.texts("serves");
    for (std::size_t i = 0; i < serves.size(); ++i)
      if (auto domain = identity::parse(serves[i]))
        engine.serves.push_back(*domain);
      else
        e.problem(bracket("serves", i),
                  "expected the identity of a domain (hg1… or hk1…), found \"" + serves[i] + "\"");
    check_name(e, "name", engine.name);
    if (!names.insert(engine.name).second)
      e.problem("name", "another engine is called \"" + engine.name + "\" already");
    engines.push_back(std::move(engine));
  });
  if (engines.size() > engines_max) in.problem("engines", "more than " + std::to_string(engines_max) + " engines");
  return engines;
}

std::vector<domain_entry_config> read_domains(object_reader& in, const fs::path& base) {
  std::vector<domain_entry_config> domains;
  in.each("domains", [&](object_reader& d) {
    domain_entry_config domain;
    domain.advert = d.required_text("advert");
    if (!domain.advert.starts_with("hdomain1")) domain.advert = resolve(domain.advert, base).string();
    domain.psk_file = resolve(d.text("psk_file"), base);
    domain.instance = d.text("instance");
    domains.push_back(std::move(domain));
  });
  if (domains.size() > domains_max) in.problem("domains", "more than " + std::to_string(domains_max) + " domains");
  return domains;
}

std::map<identity, std::uint8_t> read_trust(object_reader& in) {
  std::map<identity, std::uint8_t> trust;
  in.object("trust", [&](object_reader& t) {
    for (const auto& key : t.keys()) {
      auto value = t.number(key, 0, 255, 128);
      auto who = identity::parse(key);
      if (!who)
        t.problem(key, "expected an identity (hk1… or hg1…) as the key: " + to_string(who.error()));
      else
        trust[*who] = static_cast<std::uint8_t>(value);
    }
  });
  return trust;
}

void read_peers(object_reader& in, node_config& config) {
  config.peers = in.texts("peers");
  for (std::size_t i = 0; i < config.peers.size(); ++i) {
    if (auto advert = parse_ticket(config.peers[i]); !advert)
      in.problem(bracket("peers", i),
                 "expected a ticket as `hanse node status` prints it: " + to_string(advert.error()));
  }
  auto links = in.texts("permanent_links");
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (auto who = identity::parse(links[i]); who && who->kind() == identity_kind::individual)
      config.permanent_links.push_back(*who);
    else
      in.problem(bracket("permanent_links", i), "expected the identity of a node (hk1…), found \"" + links[i] + "\"");
  }
}

void read_relay(object_reader& in, relay_settings& relay) {
  in.object("relay", [&](object_reader& r) {
    relay.forwards = r.flag("forwards");
    relay.octets_per_minute = r.number("octets_per_minute", 1, relay_octets_max, relay.octets_per_minute);
    relay.octets_per_minute_in_all =
        r.number("octets_per_minute_in_all", 1, relay_octets_max, relay.octets_per_minute_in_all);
    const auto texts = r.texts("through");
    if (texts.size() > advert_addresses_max)
      r.problem("through", "expected at most " + std::to_string(advert_addresses_max) + " relays");
    for (std::size_t i = 0; i < texts.size(); ++i)
      if (auto who = identity::parse(texts[i]); who && who->kind() == identity_kind::individual)
        relay.through.push_back(*who);
      else
        r.problem(bracket("through", i), "expected the identity of a node (hk1…), found \"" + texts[i] + "\"");
  });
}

/// Takes what is read from UDP sockets out of what the node itself listens on.
void read_datagrams(node_config& config) {
  std::erase_if(config.listen, [&](const std::string& text) {
    const auto address = parse_transport_address(text);
    if (!address || address->scheme != "dtls") return false;
    config.datagrams.push_back(text);
    return true;
  });
}

/// Takes the directory out of what the node itself listens on.
void read_spool(object_reader& in, node_config& config) {
  std::erase_if(config.listen, [&](const std::string& text) {
    const auto address = parse_transport_address(text);
    if (!address || address->scheme != "spool") return false;
    if (!config.spool.directory.empty()) in.problem("listen", "a node has one spool:// directory, found another one");
    config.spool.directory = address->host;
    return true;
  });
  in.object("spool", [&](object_reader& s) {
    config.spool.life_s =
        static_cast<std::uint32_t>(s.number("life_s", 1, bundle_life_max_ms / 1000, config.spool.life_s));
    config.spool.scan_ms = static_cast<std::uint32_t>(s.number("scan_ms", 50, 3'600'000, config.spool.scan_ms));
    if (config.spool.directory.empty()) s.problem("life_s", "no directory: name it in \"listen\", as spool:///PATH");
  });
}

void read_log_and_metrics(object_reader& in, node_config& config, const fs::path& base) {
  in.object("log", [&](object_reader& log) {
    auto level = log.text("level", "info");
    if (log.has("level")) level = log.choice("level", {"quiet", "error", "warning", "info", "debug", "trace"});
    config.log = {level, resolve(log.text("file"), base)};
  });
  in.object("metrics", [&](object_reader& metrics) {
    config.metrics.port = static_cast<std::uint16_t>(metrics.number("port", 0, 65535, 0));
    config.metrics.address = metrics.text("address", config.metrics.address);
  });
}

void read_limits(object_reader& in, limits_config& limits) {
  in.object("limits", [&](object_reader& l) {
    auto read = [&](const char* key, std::uint64_t min, std::uint64_t max, std::uint32_t& value) {
      value = static_cast<std::uint32_t>(l.number(key, min, max, value));
    };
    read("handshakes", 1, 4096, limits.handshakes);
    read("handshake_timeout_ms", 100, 600'000, limits.handshake_timeout_ms);
    read("links", 1, 100'000, limits.links);
    read("idle_close_ms", 1'000, 86'400'000, limits.idle_close_ms);
    read("heartbeat_ms", 100, 3'600'000, limits.heartbeat_ms);
    read("queue_messages", 1, 1'000'000, limits.queue_messages);
    read("queue_bytes", 1 << 20, 1 << 30, limits.queue_bytes);
    read("adverts", 16, 10'000'000, limits.adverts);
  });
}

void read_blocks(object_reader& in, blocks_config& blocks) {
  constexpr std::uint64_t quota_max = 1ull << 50; // 1 PiB
  in.object("blocks", [&](object_reader& b) {
    blocks.quota_bytes = b.number("quota_bytes", 0, quota_max, blocks.quota_bytes);
    b.object("quotas", [&](object_reader& q) {
      for (const auto& key : q.keys()) {
        const auto octets = q.number(key, 0, quota_max, blocks.quota_bytes);
        if (const auto domain = identity::parse(key))
          blocks.quotas[*domain] = octets;
        else
          q.problem(key, "expected the identity of a domain as the key: " + to_string(domain.error()));
      }
    });
  });
}

void read_paths(object_reader& in, node_config& config, const fs::path& base) {
  config.key_file = resolve(in.required_text("key_file"), base);
  config.passphrase_file = resolve(in.text("passphrase_file"), base);
  config.data_dir = resolve(in.text("data_dir", "data"), base);
  config.control_socket = resolve(in.text("control_socket"), base);
  if (config.control_socket.empty()) config.control_socket = config.data_dir / "control.sock";
}

} // namespace

bool is_engine_name(std::string_view name) noexcept {
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= name_size_max && plain(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

expected<node_config> parse_node_config(std::string_view text, const fs::path& file) {
  HANSE_TRY(auto document, json_document::parse(text, file));
  problem_list problems{document};
  object_reader in{problems, document.root(), ""};
  std::error_code ec;
  auto base = fs::absolute(file, ec).parent_path();

  node_config config;
  config.file = file;
  config.name = in.required_text("name");
  if (config.name.size() > name_size_max) in.problem("name", "expected at most 64 octets");
  read_paths(in, config, base);
  config.schemes = read_schemes(in);
  config.listen = in.texts("listen");
  config.advertise = in.texts("advertise");
  check_addresses(in, "listen", config.listen, config.schemes);
  check_addresses(in, "advertise", config.advertise, config.schemes);
  read_peers(in, config);
  config.allow_private = in.flag("allow_private");
  config.testing = in.flag("testing");
  config.trust = read_trust(in);
  config.plugins = read_plugins(in, base);
  config.engines = read_engines(in, base);
  config.domains = read_domains(in, base);
  config.gossip_domains = in.flag("gossip_domains");
  read_log_and_metrics(in, config, base);
  read_relay(in, config.relay);
  read_spool(in, config);
  read_datagrams(config);
  read_limits(in, config.limits);
  read_blocks(in, config.blocks);
  in.finish();
  if (!problems.empty()) return problems.to_error();
  return config;
}

expected<node_config> load_node_config(const fs::path& file) {
  HANSE_TRY(auto text, read_text_file(file, json_file_size_max));
  return parse_node_config(text, file);
}

std::string default_node_config(std::string_view name, std::string_view listen) {
  using json = nlohmann::ordered_json;
  json config;
  config["name"] = name;
  config["key_file"] = "node.key";
  config["data_dir"] = "data";
  config["listen"] = json::array({listen});
  config["peers"] = json::array();
  config["allow_private"] = false;
  config["engines"] = json::array({json::object({{"name", "echo"}, {"type", "echo"}})});
  config["log"] = {{"level", "info"}};
  config["metrics"] = {{"port", 0}};
  return config.dump(2) + "\n";
}

} // namespace hanse::app
