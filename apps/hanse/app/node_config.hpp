// The configuration of a node as a plain struct, and how it is read from and written to a JSON file.
// Not the node's options (actors layer) and not the key: what is here has been checked for form, nothing was opened.
#pragma once

#include "hanse/crypto/identity.hpp"

#include <filesystem>
#include <map>

namespace hanse::app {

/// An engine that the node spawns by the name of its type in the engine registry.
struct engine_config {
  std::string name;               ///< unique in the node; [a-z0-9] then [a-z0-9._-], at most 64 characters
  std::string type;               ///< as registered: "echo", "calculator", …
  std::filesystem::path key_file; ///< empty: `<data_dir>/engines/<name>.key`, made on the first start
  std::vector<identity> serves;   ///< domains: it takes what is sent to them
  std::string parameters = "{}";  ///< the text of a JSON object, given to the engine type's factory
};

/// A domain that the node enters when it starts, if it is not in it.
struct domain_entry_config {
  std::string advert;             ///< a ticket (hdomain1…), or the path of a file with one or of a signed domain file
  std::filesystem::path psk_file; ///< of domains with auth psk
  std::string instance;           ///< to join; empty: none in particular
};

struct log_config {
  std::string level = "info"; ///< quiet, error, warning, info, debug or trace
  std::filesystem::path file; ///< empty: standard error
};

/// How much this node stores for domains.
struct blocks_config {
  std::uint64_t quota_bytes = 16ull << 30;  ///< octets of each domain that has no own
  std::map<identity, std::uint64_t> quotas; ///< octets, by domain; 0: nothing
};

/// Prometheus over HTTP.
struct metrics_config {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0; ///< 0: off
};

/// Messages to and for nodes that only others can reach.
struct relay_settings {
  bool forwards = false;                                     ///< passes messages of others on
  std::uint64_t octets_per_minute = 4 * 1024 * 1024;         ///< of one neighbour
  std::uint64_t octets_per_minute_in_all = 64 * 1024 * 1024; ///< of all
  std::vector<identity> through;                             ///< nodes that pass messages on to this one
};

/// A directory to which somebody carries bundles, and from which somebody carries them away.
struct spool_settings {
  std::filesystem::path directory; ///< of "listen": "spool:///…"; empty: none
  std::uint32_t life_s = 604'800;  ///< of bundles with one-way messages
  std::uint32_t scan_ms = 2'000;
};

/// Bounds that a person may want to move; the defaults are those of design sections 5 and 6.
struct limits_config {
  std::uint32_t handshakes = 64;               ///< handshakes under way at once
  std::uint32_t handshake_timeout_ms = 10'000; ///< from accept to the first authenticated frame
  std::uint32_t links = 1024;                  ///< established links
  std::uint32_t idle_close_ms = 300'000;       ///< an ephemeral link without traffic is closed
  std::uint32_t heartbeat_ms = 5'000;          ///< between heartbeats on a quiet link
  std::uint32_t queue_messages = 4096;         ///< waiting for one peer
  std::uint32_t queue_bytes = 16 << 20;        ///< waiting for one peer, octets
  std::uint32_t adverts = 65536;               ///< kept in the identity store
};

struct node_config {
  std::filesystem::path file; ///< where it was read from; relative paths in it start at its directory

  std::string name;                      ///< for people; at most 64 octets
  std::filesystem::path key_file;        ///< the node's key
  std::filesystem::path passphrase_file; ///< empty: HANSE_PASSPHRASE or the terminal, if the key has one
  std::filesystem::path data_dir;        ///< durable state
  std::filesystem::path control_socket;  ///< default `<data_dir>/control.sock`

  std::vector<std::string> listen;       ///< "tls://127.0.0.1:0", …; port 0 takes a free one
  std::vector<std::string> advertise;    ///< empty: the actual listen addresses
  std::vector<std::string> peers;        ///< tickets
  std::vector<identity> permanent_links; ///< nodes that a link is always kept (and redialled) to
  std::vector<std::string> schemes;      ///< ways allowed: tls, unix, relay, spool, dtls (mem is for tests)
  relay_settings relay;
  spool_settings spool;                   ///< not in `listen`
  std::vector<std::string> datagrams;     ///< the dtls:// ones of "listen", not in `listen`
  bool allow_private = false;             ///< dial private and loopback addresses that others advertised
  bool testing = false;                   ///< allows the control command `inject`
  std::map<identity, std::uint8_t> trust; ///< 0 = banned, 128 = default for who is not named, 255 = most

  std::vector<std::filesystem::path> plugins; ///< shared objects whose engine types can be used
  std::vector<engine_config> engines;
  std::vector<domain_entry_config> domains;
  bool gossip_domains = false; ///< tell and take DomainAdverts of any domain among nodes
  log_config log;
  metrics_config metrics;
  limits_config limits;
  blocks_config blocks;
};

/// Whether `name` may be an engine's name.
bool is_engine_name(std::string_view name) noexcept;

/// Reads and checks a configuration file. Every error is `bad_config` (or `io_error`) and its detail is complete for a
/// person: "FILE:LINE: key.path: what is wrong; what was expected". All problems are reported, one a line.
expected<node_config> load_node_config(const std::filesystem::path& file);

/// The same for `text`; `file` is for messages and relative paths.
expected<node_config> parse_node_config(std::string_view text, const std::filesystem::path& file);

/// The file that `hanse node init` writes: a node called `name` with defaults and an echo engine, listening on
/// `listen`.
std::string default_node_config(std::string_view name, std::string_view listen);

} // namespace hanse::app
