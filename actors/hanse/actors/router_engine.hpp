// The router: takes posts from engines and verified messages from links, and decides what becomes of each. Spec
// "Routing". It signs and verifies nothing itself (links do, off its thread), opens no connection (transport), stores
// no advert (identity store). What it owns: local engines, ids, replay windows, reliable streams, pending requests.
#pragma once

#include "hanse/actors/interfaces.hpp"
#include "hanse/actors/services.hpp"
#include "hanse/protocols/group_send.hpp"
#include "hanse/protocols/message_clock.hpp"
#include "hanse/protocols/reliable_unicast.hpp"
#include "hanse/protocols/replay_window.hpp"

#include <caf/stateful_actor.hpp>

#include <deque>
#include <unordered_map>

namespace hanse {

inline constexpr std::size_t pending_requests_max = 262'144; ///< asks that wait for answers, per node
inline constexpr std::size_t unresolved_posts_max = 16'384;  ///< posts that wait for a route or an id
inline constexpr std::size_t held_messages_max = 16'384;     ///< received messages that wait for a lookup or a mark
inline constexpr std::size_t watches_max = 65'536;           ///< engines watched, in each direction
inline constexpr std::size_t released_max = 65'536;          ///< engines remembered to have moved away
inline constexpr std::size_t services_max = 64;              ///< protocols between nodes that services serve
inline constexpr std::size_t claims_max = 65'536;       ///< (destination, protocol) pairs that services have claimed
inline constexpr std::size_t carriers_max = 16;         ///< schemes that are no links
inline constexpr std::size_t slow_streams_max = 65'536; ///< streams known to go by any security; then all are forgotten
inline constexpr std::size_t groups_max = 16'384;       ///< messages to several receivers under way
inline constexpr std::uint32_t down_after_ms = 3000;    ///< without a link: then its engines are down; a guess
inline constexpr std::uint32_t router_tick_ms = 1000;
inline constexpr std::uint32_t route_patience_ms = 2000; ///< a message waits for the advert of its destination; a guess
inline constexpr std::uint32_t resolve_again_ms = 100;   ///< before a request follows an engine that moves; a guess

/// Protocols that every router speaks itself.
const protocol_id& node_protocol();    ///< "hanse.node/1.0": ping
const protocol_id& monitor_protocol(); ///< "hanse.monitor/1.0": watch and down

/// What was durable when the node stopped.
struct router_state {
  message_id stored_lease = 0; ///< the highest that was ever written; likewise the mark
  message_id stored_mark = 0;
  message_id lease = 0;                              ///< what counts of it: lease_at_start
  message_id mark = 0;                               ///< floor_at_start; what peers are told
  std::vector<record> streams;                       ///< of unicast_table
  std::map<identity, std::uint64_t> engine_versions; ///< of the adverts that engines here had in earlier lives
};

/// Adds to the batch of `key` in a short list of (key, items) pairs.
template <class Batches, class Key, class T>
void add_to_batch(Batches& batches, const Key& key, T item) {
  for (auto& [k, items] : batches)
    if (k == key) {
      items.push_back(std::move(item));
      return;
    }
  batches.emplace_back(key, typename Batches::value_type::second_type{});
  batches.back().second.push_back(std::move(item));
}

class router_engine {
public:
  using pointer = router_actor::pointer;
  static inline const char* name = "hanse.router";

  router_engine(pointer self, services_ptr services, key_pair key, identity_store_actor identities,
                transport_actor transport, store_actor store, router_state state);

  router_actor::behavior_type make_behavior();

private:
  // --- out of engines (router_send.cpp) ---
  void accept(post p);
  void fail_post(post& p, const error& why);
  void admit(post p);
  bool deliver_here(envelope& e);
  void resolve(envelope e);
  void resolve_particular(const std::shared_ptr<envelope>& message);
  void ask_route(const identity& destination);
  void take_route(const identity& destination, expected<route> decided);
  void give_up_routes(time_ms now);
  static bool may_be_advertised_soon(time_ms since_ms, time_ms expires_ms, time_ms now);
  void forward(envelope e, const route& r);
  void send_to_node(const identity& node, envelope e);
  void hand_over(envelope e, const route& r);
  void hand_to_link(const identity& node, envelope e);
  void hand_to_carrier(envelope e, const route& r);
  std::optional<outbound> make_outbound(const identity& node, envelope e);
  void flush_carriers();
  void flush_links();
  void refuse(const envelope& e, const error& why);
  void settle(message_id id, answer a);
  void answer_to(const caf::strong_actor_ptr& sink, answer a);
  const key_pair* key_of(const identity& source) const;
  void bounce(std::vector<outbound> unsent, const error& why);
  void send_control(const identity& source, const identity& destination, const protocol_id& protocol, bytes body,
                    message_kind kind = message_kind::tell, message_id in_reply_to = 0,
                    const transport_preferences& transport = {}, std::uint32_t ttl_ms = ttl_default_ms);
  void inject(const identity& target, const std::string& kind, std::uint32_t count, const identity& claim);

  // --- from links (router_receive.cpp) ---
  void receive(const identity& peer, inbound in);
  void check_host(const identity& peer, inbound in);
  void screen(inbound in);
  void dispatch(inbound in);
  void settle_delivery(const stream_ref& delivery, errc result);
  void to_engine(inbound in);
  void to_node(inbound in);
  void take_answer(inbound in);
  void reject(const envelope& e, const error& why);
  void flush_gateways();

  // --- messages to several receivers (router_groups.cpp) ---
  bool is_spread(const identity& destination) const;
  void start_group(post p);
  void route_group(message_id id);
  void take_group_route(message_id id, expected<route> decided);
  void perform(message_id id, group_effects effects);
  void send_copy(message_id id, const group_copy& copy);
  void copy_waits(message_id group, std::size_t member);
  void copy_ended(message_id group, std::size_t member, answer a);
  void end_group(message_id id, answer a);
  void schedule_group(message_id id);
  bool tick_group(message_id id);
  void fail_copies_at(const identity& node);

  // --- services of this node and what they claim (router_services.cpp) ---
  expected<unit> register_service(const std::string& protocol, const caf::strong_actor_ptr& service);
  expected<unit> claim(const identity& destination, const std::string& protocol, const caf::strong_actor_ptr& service);
  expected<unit> register_carrier(const std::string& scheme, const caf::strong_actor_ptr& carrier);
  void service_ended(const caf::actor_addr& service);
  void watch_service(const caf::strong_actor_ptr& service);
  void watch_end(const caf::strong_actor_ptr& service);
  std::set<caf::strong_actor_ptr> all_services() const;
  const caf::strong_actor_ptr* claimant(const envelope& e) const;
  bool is_here(const envelope& e) const;
  void to_service(const caf::strong_actor_ptr& service, inbound in);
  void set_domain(domain_members d);
  expected<unit> check_scope(const envelope& e, const identity& peer) const;
  expected<identity> serving_engine(const envelope& e) const;
  void set_serving(const engine_entry& e, bool serving);

  // --- who watches which engine (router_watches.cpp) ---
  void watch(const identity& destination, const caf::weak_actor_ptr& proxy);
  void find_watched(const identity& engine);
  void watch_at(const identity& engine, const identity& node);
  void take_watch(const identity& watcher, byte_view body);
  void engine_is_down(const identity& engine, const error& why);

  // --- the rest (router_engine.cpp) ---
  void perform(unicast_effects effects);
  void note_stream(const identity& here, const envelope& e);
  transport_preferences stream_transport(const identity& here, const identity& there) const;
  void persist_ids();
  void save(std::vector<record> records, std::function<void()> then);
  void link_up(const link_event& e, const caf::strong_actor_ptr& link);
  void link_down(const identity& peer, std::uint64_t link);
  void add_engine(engine_entry e, caf::response_promise promise);
  engine_entry remove_engine(const identity& id, const error& reason);
  void retry_later(message_id id);
  void tick();
  void schedule_unicast();
  void stop();
  void finish();

  struct pending {
    std::uint64_t token = 0;
    caf::strong_actor_ptr reply_to;
    identity source, destination;
    time_ms expires_ms = 0;
    bool acknowledgement = false;  ///< done when it is acknowledged, no reply is expected
    std::optional<envelope> retry; ///< sent again if the engine has moved meanwhile
    identity handed_to;            ///< the node it went to last: only that one may speak for the engine
    bool any_at_node = false;      ///< the destination is no engine: whoever is hosted there may answer
    message_id group = 0;          ///< a copy of this message to several receivers
    std::size_t member = 0;
  };
  struct group_entry {
    post original;
    std::unique_ptr<group_send> machine;      ///< once the members are known
    std::map<std::size_t, message_id> copies; ///< under way, by member
    std::map<std::size_t, identity> nodes;    ///< of the members that were sent copies; none: here, or not known
    time_ms since_ms = 0;
    time_ms timer_ms = 0; ///< 0: not set
  };
  struct watched {
    identity node; ///< that was asked to tell
    std::vector<caf::weak_actor_ptr> proxies;
  };
  struct link_entry {
    caf::strong_actor_ptr handle;
    std::uint64_t id = 0;
    channel_ptr channel;
  };
  struct route_entry {
    route decided;
    std::vector<envelope> waiting; ///< until the identity store has answered with a route
    bool known = false;
    bool asking = false;
    time_ms since_ms = 0; ///< when the first of them came
    error last;           ///< why there is no route yet
  };
  struct carried_batch {
    std::string carrier;
    identity node;
    way by;
    std::vector<outbound> messages;
  };
  struct host_entry {
    identity node;
    std::vector<std::pair<identity, inbound>> waiting;
    bool known = false;
  };

  pointer self_;
  services_ptr services_;
  key_pair key_;
  identity_store_actor identities_;
  transport_actor transport_;
  store_actor store_;

  std::map<identity, engine_entry> engines_;
  std::unordered_map<identity, link_entry> links_;
  std::unordered_map<identity, route_entry> routes_; ///< for default preferences only
  std::unordered_map<identity, host_entry> hosts_;   ///< source engine -> its node
  std::unordered_map<message_id, pending> pending_;
  std::map<std::string, caf::strong_actor_ptr> services_of_node_; ///< by protocol name
  std::unordered_map<identity, std::map<std::string, caf::strong_actor_ptr>> claims_;
  std::size_t claim_count_ = 0;
  std::map<std::string, caf::strong_actor_ptr> carriers_; ///< by scheme
  std::set<std::pair<identity, identity>> slow_streams_;  ///< (here, there): any security will do for their control
  std::unordered_map<message_id, group_entry> groups_;
  std::unordered_map<identity, domain_members> domains_;
  std::map<identity, std::vector<identity>> serving_; ///< domain -> engines here, the next one first

  message_clock clock_;
  replay_window replay_;
  reliable_unicast unicast_;
  message_id stored_lease_, stored_mark_;             ///< never written lower
  std::map<identity, std::uint64_t> engine_versions_; ///< see router_state
  std::deque<post> without_id_;
  std::vector<inbound> without_mark_;
  std::size_t unresolved_ = 0, held_ = 0;

  std::vector<std::pair<identity, std::vector<outbound>>> to_links_;
  std::vector<carried_batch> to_carriers_;
  std::vector<std::pair<caf::strong_actor_ptr, std::vector<inbound>>> to_gateways_; ///< and to services
  std::vector<std::pair<caf::strong_actor_ptr, std::vector<answer>>> to_sinks_;

  std::map<identity, watched> watched_;             ///< remote engine -> who watches it here
  std::map<identity, std::set<identity>> watchers_; ///< local engine -> nodes that watch it
  std::set<identity> released_;                     ///< engines that left alive and have not come back
  std::map<identity, time_ms> lost_;                ///< node -> when its link went away
  std::optional<time_ms> unicast_timer_;
  time_ms swept_ms_ = 0;
};

} // namespace hanse
