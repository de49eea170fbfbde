// A simulated node: the production machines of one node, put together as the actors do it, with a disk and a clock that
// can fail. Internal to the simulator.
// Not a machine of its own: what it decides is what router_engine, transport_engine, link_engine and
// identity_store_engine (actors/) decide, in the same order. One engine runs on it.
#pragma once

#include "hanse/sim/world.hpp"

#include "hanse/domains/domain_node.hpp"
#include "hanse/protocols/message_clock.hpp"
#include "hanse/protocols/reliable_unicast.hpp"
#include "hanse/protocols/replay_window.hpp"
#include "hanse/protocols/routing.hpp"
#include "hanse/protocols/topics.hpp"
#include "hanse/transport/link.hpp"
#include "hanse/transport/pool.hpp"

#include <deque>
#include <optional>
#include <set>

namespace hanse::sim {

inline constexpr time_ms wall_base_ms = 1'700'000'000'000; ///< the wall clock at the start of a run; arbitrary

class sim_node final : public routing_view {
public:
  sim_node(world& w, std::uint32_t index);
  ~sim_node() override;

  const identity& node_id() const { return key_.identity(); }
  const identity& engine_id() const { return engine_key_.identity(); }
  std::uint32_t index() const { return index_; }
  bool alive() const { return life_ != nullptr; }
  bool honest() const { return !behaviour_; }

  /// Nodes that it knows from the start, and keeps links to if `keep`.
  void set_contacts(std::vector<std::uint32_t> contacts, bool keep);

  // --- what happens to it ---
  void start();
  void meet(); ///< learns the tickets of its contacts, and dials those that it keeps
  void crash();
  void crash_after(std::uint64_t commits, bool last_one_done, time_ms down_ms);
  void fail_disk(time_ms down_ms);
  void pause(time_ms until);
  void jump_clock(std::int64_t offset_ms);
  void turn(byzantine_behaviour b);
  void heal();

  /// Its engine sends message `number` with a body of so many octets, unless it is down.
  void post(std::uint64_t number, std::size_t octets);
  void on_event(sim_event& e);

  // --- the domain of the run ---
  void act(const action& a); ///< precondition: of a kind from `enter` on
  void probe_domain();
  std::string domain_unsettled() const; ///< for who should be a member; empty if nothing
  domain_sight sight() const;           ///< precondition: alive()

  // --- what the judge wants to know ---
  /// What is not settled yet, in words; empty if nothing.
  std::string unsettled() const;
  void check_bounds() const;
  /// Honest nodes that it has a link to.
  std::vector<std::uint32_t> neighbours() const;
  const advert_store& adverts() const override;

  // --- routing_view ---
  const identity& self() const override { return key_.identity(); }
  bool is_local_engine(const identity& engine) const override { return engine == engine_id(); }
  bool connected(const identity& node) const override;
  expected<unit> reachable(const identity& node, const transport_preferences& wanted) const override;
  const composite_descriptor* group(const identity&) const override { return nullptr; }
  const domain_members* domain(const identity& id) const override;

private:
  enum class table : std::uint8_t { clock, adverts, unicast, domain, domain_role, lace, topics };
  struct posted {
    envelope message;
    bool reliable = false;
    std::uint64_t number = 0; ///< 0: control
  };
  struct write_request {
    table where{};
    std::vector<key_value_write> writes;
    std::function<void()> then;
  };
  struct connection {
    std::unique_ptr<link> machine;
    endpoint_id endpoint = 0;
    identity peer;
    link_up theirs;
    bool up = false;
    std::deque<outbound> queue;
    time_ms timer_at = 0; ///< virtual; 0: not armed
  };
  /// Of a life, where the run has a domain.
  struct services {
    explicit services(sim_node& n);
    domain_node domain;
    std::optional<class topics> topics;                          ///< once the epochs of this life are durable
    domain_members view;                                         ///< as the router knows the domain
    bool takes_part = false;                                     ///< the topics know that this node is a member
    bool looks = false;                                          ///< at the domain, in a moment
    std::uint64_t epoch = 0;                                     ///< of the next publisher here
    std::vector<std::pair<std::uint64_t, std::uint64_t>> writes; ///< token and number of what is not durable yet
    time_ms timer = 0;
  };
  /// All that a crash destroys.
  struct life_state {
    explicit life_state(sim_node& n);
    message_clock clock;
    replay_window replay;
    reliable_unicast unicast;
    advert_store adverts;
    class pool pool;
    std::uint64_t nonce;
    std::map<link_id, connection> connections;
    std::map<endpoint_id, link_id> by_endpoint;
    std::map<identity, link_id> announced; ///< the link that messages to a peer take
    std::set<link_id> dirty;               ///< connections with something to send
    std::deque<posted> without_id;
    std::deque<envelope> without_mark;
    std::unordered_map<message_id, std::uint64_t> numbers; ///< of messages that wait for their outcome
    std::deque<write_request> waiting, committing;
    bool commit_under_way = false;
    time_ms unicast_timer = 0, pool_timer = 0;
    bool swept = false;
    std::unique_ptr<services> shared; ///< null where the run has no domain
  };

  // sim_node.cpp: life, disk, time
  time_ms local() const;
  void later(time_ms delay, std::function<void()> action); ///< unless this life ends before; not while paused
  void restart(time_ms down_ms);
  void restore_disk();
  message_id stored(std::string_view key) const;
  void advertise();
  void keep_links();
  void save(table where, std::vector<key_value_write> writes, std::function<void()> then = {});
  void begin_commit();
  void end_commit();
  void apply(const std::deque<write_request>& group);
  void persist_ids();
  void finish();

  // sim_node_messages.cpp: as router_engine
  void send(std::uint64_t number, std::size_t octets);
  void accept(posted p);
  void admit(posted p);
  void resolve(envelope e);
  void hand_to_link(const identity& node, envelope e);
  void bounce(std::vector<outbound> unsent, const error& why);
  void receive(const identity& peer, envelope m);
  void screen(envelope m);
  void dispatch(envelope m, std::optional<stream_ref> delivery);
  void to_engine(const envelope& m, std::optional<stream_ref> delivery);
  void engine_done(std::uint64_t number, const std::optional<stream_ref>& delivery);
  void perform(unicast_effects effects);
  void ended(message_id id, const error* why);
  void arm_unicast();

  // sim_node_links.cpp: as transport_engine, link_engine and identity_store_engine
  void open_link(link_id id, link_role role, endpoint_id endpoint, const std::optional<identity>& expected);
  void settle(link_id id, link_effects fx);
  void end_link(link_id id, const error& why);
  void perform(pool_effects fx);
  void with_addresses(const identity& peer);
  void check_peer(const identity& peer);
  void announce(const identity& peer, link_id id);
  void arm(link_id id, connection& c);
  void arm_pool();
  void flush_links();
  bool send_group(connection& c, link_effects& fx);
  void put_on_link(const identity& peer, const bytes& payload);
  void send_adverts(link_id id, const std::vector<bytes>& wires);
  std::vector<bytes> worth_telling() const;
  void learn(const std::vector<bytes>& wires, advert_origin origin, const identity& from);
  bool learn_one(const bytes& wire, advert_origin origin);
  void perform(advert_effects effects);

  // sim_node_domain.cpp: as domain_engine, and the operator of the node
  void start_domain();
  void operate();
  void operate_again();
  void domain_link(const identity& peer, bool up);
  void to_services(const envelope& m);
  expected<unit> in_scope(const envelope& m) const;
  void post_to_node(const identity& to, const protocol_id& protocol, bytes body, std::optional<identity> scope);
  void enter_domain();
  void leave_domain(time_ms away_ms);
  void put(std::uint64_t key);
  void count_operation(const expected<unit>& done, std::uint64_t& counter, action_kind what, std::uint64_t number);
  void perform(domain_effects effects);
  void write(domain_write w);
  void arm_services();
  void flush_services();

  // sim_node_topics.cpp: as topic_engine
  void start_topics();
  void look_at_domain();
  void look_soon();
  void take_domain();
  void leave_topics();
  void publish(std::size_t topic, std::size_t octets, bool ordered);
  void perform(topics_effects effects);
  void event_delivered(const topic_deliver& d);

  // byzantine.cpp
  void relapse();
  void misbehave();
  void remember(const shared_bytes& payload);
  void equivocate();
  void replay_old();
  void forge();
  void flood();
  std::uint32_t victim();
  envelope lie(const identity& source, std::uint32_t to);

  world& world_;
  std::uint32_t index_;
  seeded_random random_;
  key_pair key_, engine_key_;
  routing routes_;
  std::vector<std::uint32_t> contacts_;
  bool keep_contacts_ = false;
  std::int64_t skew_ms_ = 0, jump_ms_ = 0;
  time_ms paused_until_ = 0;
  std::map<std::pair<table, bytes>, bytes> disk_;
  std::unique_ptr<life_state> life_; ///< null while it is down
  std::uint64_t lives_ = 0;
  std::uint64_t down_ = 0;                ///< counts stops: a start that was planned for an earlier one is void
  std::optional<std::uint64_t> crash_in_; ///< commits
  bool crash_applies_ = false;
  std::optional<time_ms> disk_error_down_;
  time_ms crash_down_ms_ = 0;
  std::optional<byzantine_behaviour> behaviour_;
  std::deque<shared_bytes> remembered_;
  bool enters_ = false;                             ///< its operator wants it to be in the domain
  std::map<std::pair<table, bytes>, bytes> backup_; ///< of a byzantine node's disk
};

} // namespace hanse::sim
