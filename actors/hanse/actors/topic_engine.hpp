// The actor around a node's topics (protocols/topics.hpp): messages through the router, within the topic's domain; what
// is sent to a topic here is published; events to subscribers; adverts to the store. Not the API for programs
// (topics.hpp).
#pragma once

#include "hanse/actors/node.hpp"
#include "hanse/actors/tick_timer.hpp"
#include "hanse/domains/archive_reader.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>
#include <functional>
#include <map>
#include <set>

namespace hanse {

namespace internal {
class change_signal;
}

inline constexpr std::string_view topic_advert_table = "topic-advert";
inline constexpr std::string_view topic_kept_table = "topic-kept";       ///< topics that this node always takes part in
inline constexpr std::string_view topic_archive_table = "topic-archive"; ///< segments of kept topics: topic_archive
inline constexpr std::string_view topic_life_table = "topic-life";       ///< one value: the epoch of this life

inline constexpr std::uint32_t topic_ttl_ms = 15'000;      ///< of bodies between nodes; a guess
inline constexpr std::uint32_t topic_domains_ms = 20;      ///< changes of domains are looked at together
inline constexpr std::uint32_t topic_count_ms = 250;       ///< between two looks at what the machines dropped
inline constexpr std::uint32_t topic_trees_ms = 1000;      ///< between two looks at the trees, while there is traffic
inline constexpr std::uint64_t topic_epochs_max = 1 << 20; ///< publishers begun in one life of a node
inline constexpr std::size_t topic_publishers_here_max = 4096; ///< publishers at this node, over all topics; a guess
inline constexpr std::size_t topic_held_max = 8192;            ///< publications that wait for their engine's key
inline constexpr std::size_t topic_held_large_max = 16; ///< that wait in one queue, when one more has a large body
inline constexpr std::uint64_t topic_content_lease_ms = 7ull * 24 * 3600 * 1000; ///< of bodies kept as content; a guess
inline constexpr std::size_t topic_contents_ahead = 4;  ///< bodies on their way at once, in one topic
inline constexpr std::size_t topic_arrivals_max = 4096; ///< events of a topic that wait for a body; then it is given up
inline constexpr std::size_t topic_subscriptions_max = 16'384; ///< at this node; a guess
inline constexpr std::size_t topic_fetch_events_max = 65'536;  ///< kept for one who fetches them
inline constexpr std::size_t topic_fetch_octets_max = 16 << 20;
inline constexpr std::size_t topic_answer_octets_max = 512 * 1024; ///< in one answer
inline constexpr std::size_t topic_archive_asks = 8;               ///< nodes that are asked at once for an archive
inline constexpr std::uint32_t topic_put_wait_ms = 30'000;         ///< for the store to keep a segment of an archive
inline constexpr std::uint32_t topic_archive_get_ms = 20'000;      ///< for a segment, or a body; then it is lost
inline constexpr std::size_t topic_archive_losses_max = 3;   ///< segments that nobody has; then the rest is given up
inline constexpr std::uint32_t topic_archive_wait_ms = 2000; ///< for their answers; a guess
inline constexpr std::uint32_t topic_fetch_idle_ms = 60'000; ///< who does not fetch for so long is let go

/// The machine and what it needs beside it.
struct topic_machine {
  topic_machine(const identity& self, dissemination_registry registry, const topics_config& config)
      : node(self, verifier, random, std::move(registry), config) {}
  system_random random;
  key_event_verifier verifier;
  topics node;
  std::shared_ptr<internal::change_signal> changes; ///< always set
};

/// What an earlier life left: see the tables.
struct topic_memory {
  std::uint64_t life = 1;
  std::vector<bytes> adverts;
  std::vector<identity> kept;
  std::vector<record> archives;
};

class topic_engine {
public:
  using pointer = topic_actor::pointer;
  static inline const char* name = "hanse.topics";

  /// Without `blocks` (null) events that are too large for one are refused.
  topic_engine(pointer self, std::shared_ptr<node_core> core, domain_actor domains, block_actor blocks,
               std::shared_ptr<topic_machine> machine, topic_memory memory);

  topic_actor::behavior_type make_behavior();

private:
  using publisher_key = std::pair<identity, identity>; ///< topic, publisher
  using done_function = std::function<void(const expected<unit>&)>;
  struct publication {
    shared_bytes body;
    event_mode mode = event_mode::causal;
    done_function done;
    bool is_content = false; ///< the body is the capability of the real one
  };
  /// A subscription. Without a listener its events wait here.
  struct subscription {
    topic_listener_actor listener;
    std::deque<topic_delivery> events;
    std::size_t octets = 0;
    std::uint64_t missed = 0;
    std::optional<caf::typed_response_promise<topic_fetch>> waiting;
    std::uint32_t wanted = 0;
    std::uint64_t round = 0;
    time_ms fetched_ms = 0;
    std::map<chain_key, std::uint64_t> given; ///< from an archive, and still to come by multicast
  };

  /// A subscription that is to get history from an archive first. What comes by multicast is held meanwhile.
  struct replay {
    identity topic, domain;
    std::uint32_t wanted = 0;
    std::map<chain_key, std::uint64_t> first; ///< of each chain, what came first by multicast
    std::deque<topic_delivery> held;
    std::size_t octets = 0;
    std::unique_ptr<archive_reader> reader; ///< set: the topic is joined
    std::vector<identity> to_ask;           ///< in turn
    std::set<identity> asked;               ///< have not answered
    bool asked_others = false;
    time_ms answers_by = 0;         ///< 0: nobody is asked
    std::deque<topic_event> events; ///< of the segment that is handed over now
    std::size_t losses = 0;         ///< segments that nobody had
    bool is_last = false;           ///< there are no more segments
    bool waits = false;             ///< for octets, or until they have been taken
    std::uint64_t round = 0;        ///< of this replay in this life: late answers are of another one
  };

  /// An event whose turn has not come, as its body, or that of one before it, is on its way.
  struct arrival {
    std::uint64_t number = 0;
    topic_deliver event;
    bool is_content = false, is_asked = false, lost = false;
  };
  struct arrival_queue {
    std::deque<arrival> arrivals;
    std::size_t octets = 0;
  };

  topics& machine() { return machine_->node; }
  time_ms now() const { return core_->services->now_ms(); }
  void refuse(std::string_view event, const identity& who, const error& why);

  // topic_engine.cpp
  void start();
  void receive(inbound& in, topics_effects& out);
  void perform(topics_effects effects);
  void finish_burst();
  void flush();
  void tick();
  void schedule();
  void count_drops();
  void look_at_trees_later();
  void tell_trees();
  void write(std::string_view table, bytes key, bytes value);
  void known(const signed_topic_advert& advert);
  void domains_changed();
  void look_at_domains();
  void take_domain(const domain_report& report, const std::vector<domain_member>& members);
  caf::result<void> learn(const std::vector<bytes>& adverts);
  std::vector<topic_report> reports() const;
  expected<unit> available(const identity& topic) const;

  // topic_publishing.cpp
  void take_message(inbound& in);
  void publish(const identity& topic, const identity& source, publication p);
  void find_key(const publisher_key& key, publication first);
  void publish_held(const publisher_key& key, const expected<unit>& ready);
  expected<unit> add_publisher(const publisher_key& key, const key_pair& pair);

  // topic_contents.cpp
  void put_body(const publisher_key& key, const identity& domain, publication p);
  bool wait_for_content(topic_deliver& d);
  void fetch_contents(const identity& topic);
  void content_came(const identity& topic, std::uint64_t number, std::vector<bytes>& body, const error& why);
  void lose_content(const identity& topic, const error& why);
  void deliver_arrived(const identity& topic);

  // topic_subscribers.cpp
  expected<std::uint64_t> subscribe(topic_wish wish);
  void unsubscribe(std::uint64_t token);
  void deliver(topic_deliver& d);
  void deliver_now(topic_deliver& d);
  void hand(std::uint64_t token, subscription& s, topic_delivery event);
  void hand_over();
  caf::result<topic_fetch> fetch(std::uint64_t token, std::uint32_t count, std::uint32_t wait_ms);
  void answer_fetch(subscription& s);
  topic_fetch take_fetched(subscription& s, std::uint32_t count);
  caf::result<void> keep(const identity& topic, bool wanted);
  void let_idle_go();

  // topic_archiving.cpp
  void restore_archives(std::vector<record> records);
  void archive(const topic_event& event, const parcel_place& where);
  void perform(const identity& topic, archive_effects effects);
  void put_segment(const identity& topic, archive_store segment);
  void end_archive(const identity& topic);
  void take_archive_body(const topic_archive_body& body, topics_effects& out);
  void tick_archives();
  std::optional<time_ms> next_archive_timer() const;
  void stop();
  void quit_if_settled();

  // topic_history.cpp
  void note_first(const topic_deliver& d);
  void topic_is_joined(const identity& topic);
  void begin_replay(std::uint64_t token, replay& r);
  void ask_archives(std::uint64_t token, replay& r);
  void archive_told(const identity& topic, const identity& from, const archive_answer& answer);
  void read_on(std::uint64_t token);
  using octets_function = std::function<void(replay& r, std::vector<bytes>& octets)>;
  void get_octets(std::uint64_t token, replay& r, const eris_capability& content, std::size_t size_max,
                  octets_function then);
  void resume(std::uint64_t token, std::uint64_t round, const std::function<void(replay& r)>& then);
  void hand_on(std::uint64_t token);
  bool hand_some(std::uint64_t token, replay& r);
  void get_body(std::uint64_t token, replay& r);
  void end_replay(std::uint64_t token);

  pointer self_;
  std::shared_ptr<node_core> core_;
  domain_actor domains_;
  block_actor blocks_; ///< may be null
  std::shared_ptr<topic_machine> machine_;
  topic_memory memory_;

  std::set<identity> in_;                  ///< domains that the machine knows
  std::map<identity, error> unavailable_;  ///< domains of this node whose settings the machine refused
  std::map<identity, std::string> spread_; ///< by domain: the protocol
  bool look_scheduled_ = false;

  std::uint64_t epochs_ = 0; ///< begun in this life
  std::map<publisher_key, key_pair> publishers_;
  std::map<publisher_key, std::vector<publication>> held_; ///< until the router has told the engine's key
  std::size_t held_count_ = 0;

  std::map<identity, arrival_queue> arriving_; ///< by topic
  std::uint64_t last_arrival_ = 0;

  std::map<std::uint64_t, subscription> subscriptions_;
  std::uint64_t last_token_ = 1; ///< 1 keeps topics
  std::map<std::uint64_t, std::vector<topic_delivery>> to_listeners_;
  std::set<std::uint64_t> fetchable_; ///< have new events and somebody who waits
  std::set<identity> kept_;
  std::map<identity, topic_archive> archives_; ///< of these, where the domain has blocks
  std::map<std::uint64_t, replay> replays_;    ///< by subscription
  std::uint64_t last_round_ = 0;
  bool stopping_ = false;

  bool trees_scheduled_ = false;
  std::map<identity, topic_tree> told_trees_; ///< to the blocks, by topic
  std::map<identity, multicast_stats> counted_;
  time_ms counted_ms_ = 0;
  std::map<identity, std::set<identity>> forked_;
  std::map<identity, std::uint64_t> lost_;
  bool flush_sent_ = false;
  tick_timer timer_;
};

} // namespace hanse
