// A node inside a CAF program: start one in your own actor_system, host engines on it, get typed handles to remote
// ones. This is the header to start at. Not the configuration file and not the program `hanse` (apps).
//
//   auto n = hanse::node::start(system, {.key = key, .listen = {"tls://127.0.0.1:0"}});
//   auto mine = n->spawn_engine<calculator_actor, calculator_engine>({.name = "calculator"});
//   auto theirs = n->remote<calculator_actor>(identity);   // the same typed handle: request(…).then(…)
#pragma once

#include "hanse/actors/gateway.hpp"
#include "hanse/actors/proxy.hpp"
#include "hanse/actors/services.hpp"
#include "hanse/actors/transport_engine.hpp"

#include <filesystem>
#include <future>

namespace hanse {

/// Registers the type ids of CAF's core and io modules and of Hanse. Call once, before the first actor_system; a
/// program's own blocks come beside it.
void init_global_meta_objects();

/// The protocol of a typed interface, as both sides name it; specialise it beside the interface (HANSE_PROTOCOL).
template <class Interface>
struct protocol_of;

/// `HANSE_PROTOCOL(calculator_actor, "calculator/1.0")`, in the global namespace.
#define HANSE_PROTOCOL(interface, text)                                                                                \
  template <>                                                                                                          \
  struct hanse::protocol_of<interface> {                                                                               \
    static constexpr std::string_view value = text;                                                                    \
  };

struct node_options {
  std::optional<key_pair> key = {};            ///< the node's identity; none: a fresh one
  std::string name = {};                       ///< for people, at most 64 octets
  std::filesystem::path data_dir = {};         ///< of durable state; empty: nothing outlives the process
  std::vector<std::string> listen = {};        ///< "tls://127.0.0.1:0", "unix:///path", "mem://name"
  std::vector<std::string> advertise = {};     ///< empty: what was listened on
  std::vector<std::string> advertise_too = {}; ///< beside these: ways that are no links, such as "relay://hk1…"
  std::set<std::string, std::less<>> schemes = {"tls", "unix", "relay", "spool"}; ///< ways that may be used; mem too
  bool allow_private = true; ///< dial private and loopback addresses that others advertised
  bool share_adverts = true; ///< pass adverts of others on
  std::map<identity, std::uint8_t> trust = {};
  composite_table groups = {};
  std::vector<protocol_id> speaks = {}; ///< protocols that services will be registered for: advertised with the node's
  std::shared_ptr<mem_network> memory = {}; ///< for mem://
  pool_config pool = {};
  link_config link = {};
  log_level log = log_level::warning;
  log_sink sink = {};                              ///< empty: logfmt to standard error
  node_environment environment = {};               ///< for tests
  std::function<void(const error&)> on_fatal = {}; ///< the store failed: stop the node; called from any thread
};

struct engine_options {
  std::string name = {};                   ///< for people and commands, at most 64 octets
  std::optional<key_pair> key = {};        ///< the engine's identity; none: a fresh one
  std::vector<protocol_id> protocols = {}; ///< empty: protocol_of<Interface>
  std::string type = {};                   ///< in a registry
  std::uint64_t advert_version = 0;        ///< of an engine that moved here: its last one
  std::vector<identity> serves = {};       ///< domains: it takes what is addressed to any member of one of them
};

/// An engine that was just hosted.
template <class Interface>
struct hosted {
  Interface handle;
  identity id;
};

struct remote_options {
  std::optional<protocol_id> protocol = {}; ///< none: protocol_of<Interface>
  bool reliable = false;                    ///< reliable causal unicast
  std::uint32_t ttl_ms = ttl_default_ms;
  routing_preferences routing = {};
  transport_preferences transport = {};
  bool traced = false;
};

/// What node and engine contexts share. Thread-safe.
struct node_core {
  explicit node_core(caf::actor_system& s) : system(s) {}
  caf::actor_system& system;
  services_ptr services;
  std::optional<key_pair> key;
  store_actor store;
  identity_store_actor identities;
  router_actor router;
  transport_actor transport;
  socket_actor sockets;
  signed_node_advert advert;

  /// The local engine's handle, null if it is not here.
  caf::strong_actor_ptr local(const identity& engine) const;
  void set_local(const identity& engine, const caf::strong_actor_ptr& handle);

  template <class Interface>
  Interface remote(const identity& source, const identity& destination, remote_options options);

private:
  mutable std::mutex mutex_;
  std::unordered_map<identity, caf::weak_actor_ptr> locals_;
};

/// What an engine's state may take as its second constructor argument: who it is, and handles to others that speak in
/// its name.
class engine_context {
public:
  engine_context(std::shared_ptr<node_core> core, identity self) : core_(std::move(core)), self_(self) {}

  const identity& self() const noexcept { return self_; }
  const identity& node() const noexcept { return core_->services->self; }

  template <class Interface>
  Interface remote(const identity& destination, remote_options options = {}) const {
    return core_->template remote<Interface>(self_, destination, std::move(options));
  }

private:
  std::shared_ptr<node_core> core_;
  identity self_;
};

/// A running node. Owns its actors: they stop with it. The functions below may be called from any thread but an actor's
/// (they wait for answers), except `remote`, `id` and `system`, which never wait.
class node {
public:
  /// Starts and returns when it listens. Errors: `bad_config`, `already_exists` (address in use), `io_error`.
  static expected<std::unique_ptr<node>> start(caf::actor_system& system, node_options options);

  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  /// Stops cleanly: engines are let go, streams and adverts are durable, links closed. Idempotent.
  void stop();

  const identity& id() const noexcept { return core_->services->self; }
  caf::actor_system& system() const noexcept { return core_->system; }
  node_services& services() const noexcept { return *core_->services; }
  const node_advert& advert() const noexcept { return core_->advert.value; }

  /// The addresses that others dial, as a pasteable text.
  std::string ticket() const { return to_ticket(core_->advert); }

  /// Learns a node from its ticket and keeps a link to it. Errors: those of parse_ticket.
  expected<node_advert> add(std::string_view ticket);

  /// Spawns `State` as a typed actor and hosts it. Its constructor takes (pointer self, args…), or (pointer self,
  /// engine_context, args…).
  template <class Interface, class State, class... Args>
  expected<hosted<Interface>> spawn_engine(engine_options options, Args&&... args) {
    fill<Interface>(options);
    using impl = typename Interface::template stateful_impl<State>;
    auto spawn = [&] {
      if constexpr (std::is_constructible_v<State, impl*, engine_context, Args&&...>)
        return core_->system.template spawn<impl>(engine_context{core_, options.key->identity()},
                                                  std::forward<Args>(args)...);
      else
        return core_->system.template spawn<impl>(std::forward<Args>(args)...);
    };
    // In CAF 1.1 spawn returns another spelling of the same handle type.
    auto handle = caf::actor_cast<Interface>(spawn());
    return host(std::move(handle), std::move(options));
  }

  /// Makes a typed actor that runs already reachable from other nodes. Returns when it is advertised.
  template <class Interface>
  expected<hosted<Interface>> host(Interface handle, engine_options options = {}) {
    fill<Interface>(options);
    auto id = options.key->identity();
    auto gateway = core_->system.template spawn<gateway_actor::stateful_impl<gateway_engine<Interface>>>(core_->router,
                                                                                                         handle, id);
    auto hosted_one = register_engine(std::move(options), caf::actor_cast<caf::strong_actor_ptr>(gateway),
                                      caf::actor_cast<caf::strong_actor_ptr>(handle));
    if (!hosted_one) return hosted_one.error();
    return hosted<Interface>{std::move(handle), id};
  }

  /// A typed handle to an engine anywhere: itself if it runs here, else a proxy. `source`: a local engine in whose name
  /// it speaks, none for the node. Never waits; whether the engine exists shows in its answers.
  template <class Interface>
  Interface remote(const identity& destination, remote_options options = {}, const identity& source = {}) const {
    return core_->template remote<Interface>(source ? source : id(), destination, std::move(options));
  }

  /// Takes an engine off this node; its actor stops unless somebody else holds it. With `moves` its advert stays until
  /// its next node's is newer. Errors: `not_found`.
  expected<engine_entry> release(const identity& engine, bool moves);

  /// Sends one message with an encoded body, in the name of `post.message.source` (none: the node).
  std::future<answer> send(post p);

  /// What is addressed to this node with that protocol name goes to `service`, in place of the earlier one. It is told
  /// to stop when the node stops. Errors: `bad_value`, `already_exists` (the router's own protocols), `table_full`.
  expected<unit> register_service(const std::string& protocol, const service_actor& service);

  /// What engines here or nodes elsewhere send to `destination` (a domain or topic) with that protocol name goes to
  /// `service`; an empty name takes every protocol that is not claimed by name. Errors: `bad_value`, `table_full`.
  expected<unit> claim(const identity& destination, const std::string& protocol, const service_actor& service);
  /// Messages whose way is of that scheme (transport/ways.hpp) go to `carrier`, in place of the earlier one. It is told
  /// to stop when the node stops. Errors: `bad_value`.
  expected<unit> register_carrier(const std::string& scheme, const carrier_actor& carrier);

  expected<unit> unclaim(const identity& destination, const std::string& protocol);

  /// Who is in a domain, or (outside of it) which nodes it advertises; in place of what was known. No members and no
  /// introducers: forgets it. Errors: `bad_value`, `too_long`, `table_full`.
  expected<unit> set_domain(domain_members d);

  /// The node's own actors, for services: they send through the router, and keep durable state in the store.
  const std::shared_ptr<node_core>& core() const noexcept { return core_; }

  expected<std::vector<peer_info>> peers();
  expected<std::vector<engine_info>> engines();
  expected<std::vector<engine_entry>> local_engines();
  expected<route_explanation> why(const identity& destination, const routing_preferences& routing = {},
                                  const transport_preferences& transport = {}, std::uint32_t ttl_ms = ttl_default_ms);
  expected<unit> set_trust(const identity& id, std::uint8_t trust);

  /// Testing: sends messages that have to be refused; see the program's `inject`.
  void inject(const identity& target, const std::string& kind, std::uint32_t count, const identity& claim);

private:
  explicit node(std::shared_ptr<node_core> core) : core_(std::move(core)) {}

  template <class Interface>
  void fill(engine_options& options) const {
    if (!options.key) options.key = key_pair::generate(core_->services->random());
    if constexpr (requires { protocol_of<Interface>::value; })
      if (options.protocols.empty())
        if (auto p = parse_protocol_id(protocol_of<Interface>::value)) options.protocols.push_back(*p);
  }

  expected<unit> register_engine(engine_options options, caf::strong_actor_ptr gateway, caf::strong_actor_ptr engine);

  std::shared_ptr<node_core> core_;
  bool stopped_ = false;
};

template <class Interface>
Interface node_core::remote(const identity& source, const identity& destination, remote_options options) {
  if (auto handle = local(destination)) return caf::actor_cast<Interface>(handle);
  proxy_options p;
  p.source = source;
  p.destination = destination;
  if (options.protocol)
    p.protocol = *options.protocol;
  else if constexpr (requires { protocol_of<Interface>::value; })
    if (auto parsed = parse_protocol_id(protocol_of<Interface>::value)) p.protocol = *parsed;
  p.reliable = options.reliable;
  p.ttl_ms = options.ttl_ms;
  p.routing = options.routing;
  p.transport = options.transport;
  p.traced = options.traced;
  using engine = proxy_engine<Interface>;
  auto proxy = system.spawn<typename engine::actor_type::template stateful_impl<engine>>(router, std::move(p));
  compat::anon_send(router, watch_atom_v, destination, caf::actor_cast<caf::weak_actor_ptr>(proxy));
  return caf::actor_cast<Interface>(proxy);
}

} // namespace hanse
