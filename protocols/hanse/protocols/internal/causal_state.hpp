// The state of causal_multicast, shared by its sources: causal_multicast.cpp (publishing), causal_delivery.cpp (order),
// causal_repair.cpp (digests, wants), causal_joining.cpp. Not installed.
#pragma once

#include "hanse/protocols/causal_multicast.hpp"

#include <deque>
#include <map>
#include <set>

namespace hanse {

using parcel_ptr = std::shared_ptr<const event_parcel>;

class causal_multicast::impl {
public:
  impl(const identity& topic, const identity& self, event_verifier& verifier, random_source& random,
       const multicast_config& config)
      : topic_(topic), self_(self), verifier_(verifier), random_(random), config_(config) {}

  /// An event in a parcel.
  struct slot {
    parcel_ptr parcel;
    std::uint32_t index = 0;
    const digest& id() const { return parcel->ids[index]; }
    std::size_t size() const { return parcel->events[index].size(); }
  };

  struct held_event {
    topic_event event;
    slot where;
    identity from;
  };

  struct chain {
    chain_key key;
    bool verified = false;       ///< an event of it was
    bool is_head = false;        ///< its tip is in nobody's past
    bool is_touched = false;     ///< in touched_
    std::uint64_t delivered = 0; ///< all up to here
    std::optional<digest> tip;   ///< the id of event `delivered`, if known
    std::uint64_t known = 0;     ///< events up to here are said to exist
    std::uint64_t required = 0;  ///< of these, what a held event depends on
    std::uint64_t unheard = 0;   ///< so many before `delivered` were skipped while their publisher was a stranger
    std::deque<slot> stored;     ///< the last ones delivered, without gaps
    std::map<std::uint64_t, held_event> pending;
    time_ms changed_ms = 0;
    time_ms blamed_ms = 0; ///< when somebody was last asked for what contradicts our tip
    // repair
    std::vector<identity> hints; ///< who said that there is more, latest first
    time_ms want_at = 0;         ///< 0: nothing is missing
    time_ms since = 0;           ///< something is missing since
    std::uint32_t attempts = 0;
    std::set<identity> refused; ///< members that said they lack it; at most refusals_max
    // unreliable events
    std::uint64_t loose_top = 0;
    std::uint64_t loose_window = 0; ///< bit i: loose_top - i was seen
    std::uint64_t stored_first() const { return delivered - stored.size() + 1; }
  };

  struct local_publisher {
    std::shared_ptr<event_signer> signer;
    chain_key key;
    std::uint64_t loose_seq = 0;
    std::vector<std::pair<shared_bytes, event_mode>> queue;
  };

  struct peer_state {
    std::uint64_t credit = 0; ///< octets that may be answered
    time_ms credit_at = 0;
    std::optional<time_ms> digest_answered;
  };

  // causal_multicast.cpp
  expected<unit> publish(const identity& publisher, shared_bytes body, event_mode mode, time_ms now);
  void flush(time_ms now, multicast_effects& out);
  void publish_parcel(local_publisher& p, std::size_t& from, time_ms now, multicast_effects& out);
  void fold_heads(local_publisher& p, time_ms now, multicast_effects& out);
  topic_event next_event(local_publisher& p, std::uint64_t seq, const std::optional<digest>& previous, event_mode mode,
                         time_ms now);
  void seal(local_publisher& p, std::vector<bytes>& wires, std::vector<topic_event>& events, std::vector<digest>& ids,
            time_ms now, multicast_effects& out);
  void take_past(topic_event& e);

  // causal_delivery.cpp
  payload_verdict offer(const identity& from, const shared_bytes& wire, bool is_repair, time_ms now,
                        multicast_effects& out);
  std::optional<payload_verdict> screen(const event_parcel& parcel);
  bool is_known(const topic_event& e, const digest& id);
  void accept(topic_event&& e, slot&& where, const identity& from, bool is_repair, time_ms now, multicast_effects& out);
  void accept_loose(chain& c, topic_event&& e, const digest& id, multicast_effects& out);
  void hold(chain& c, topic_event&& e, slot&& where, const identity& from, time_ms now);
  void deliver(chain& c, topic_event&& e, slot&& where, time_ms now, multicast_effects& out);
  bool deps_satisfied(const topic_event& e, const identity& from, time_ms now);
  bool is_awaited(const identity& stranger, time_ms now);
  void pass_over(const event_dep& dep);
  void skip_to(chain& c, std::uint64_t seq);
  static bool follows(const chain& c, const topic_event& e);
  bool drain(chain& c, time_ms now, multicast_effects& out);
  void drain_all(time_ms now, multicast_effects& out);
  void drop_pending(chain& c);
  void forget_pending(chain& c, std::uint64_t up_to);
  void trim_store();
  const slot* stored(const chain& c, std::uint64_t seq) const;
  chain* find(const chain_key& key);
  chain* find_or_make(const chain_key& key, bool verified);
  void evict(chain& c);
  bool is_over(const chain_key& key) const;
  void fork(const slot& a, const slot& b, const identity& publisher, multicast_effects& out);
  void forked(const identity& publisher, fork_proof proof, multicast_effects& out);
  bool may_publish(const identity& publisher) const { return !authorised_ || authorised_(publisher); }
  void set_head(chain& c, bool is_head);

  // causal_repair.cpp
  void note_exists(chain& c, std::uint64_t seq, const identity& from, time_ms now);
  void need(chain& c, time_ms now);
  std::vector<chain_range> missing_of(const chain& c, std::size_t events_max) const;
  std::optional<identity> source_for(const chain& c);
  bool is_hopeless(const chain& c, time_ms now) const;
  void send_wants(time_ms now, multicast_effects& out);
  void give_up(chain& c, time_ms now, multicast_effects& out);
  void blame(chain& c, const topic_event& e, const identity& from, time_ms now, multicast_effects& out);
  void send_digests(time_ms now, multicast_effects& out);
  std::vector<chain_mark> digest_marks(bool idle, time_ms now);
  void news(time_ms now);
  void on(const identity& from, const multicast_digest& d, time_ms now, multicast_effects& out);
  void on(const identity& from, const multicast_want& w, time_ms now, multicast_effects& out);
  void on(const identity& from, const multicast_events& e, time_ms now, multicast_effects& out);
  void on(const identity& from, const multicast_fork_notice& f, time_ms now, multicast_effects& out);
  bool spend(const identity& peer, std::uint64_t octets, time_ms now);
  void send_fork_proof(const identity& to, const identity& publisher, time_ms now, multicast_effects& out);
  void offer_answer(const identity& from, const shared_bytes& parcel, time_ms now, multicast_effects& out);

  // causal_joining.cpp
  void on(const identity& from, const multicast_join& j, time_ms now, multicast_effects& out);
  void on(const identity& from, const multicast_welcome& w, time_ms now, multicast_effects& out);
  void tick_joining(time_ms now, multicast_effects& out);
  void settle(const std::vector<chain_mark>& marks, time_ms now, multicast_effects& out);

  bool is_member(const identity& node) const;
  void send(const identity& to, const multicast_control& body, multicast_effects& out) {
    out.emplace_back(peer_message{to, encode(body)});
  }
  std::optional<time_ms> next_timer() const;

  identity topic_, self_;
  event_verifier& verifier_;
  random_source& random_;
  multicast_config config_;
  std::function<bool(const identity&)> authorised_;
  multicast_stats stats_;

  std::map<chain_key, chain> chains_;
  chain* last_found_ = nullptr; ///< most parcels are of the chain before
  std::size_t rumours_ = 0;
  std::map<chain_key, chain*> heads_;
  std::vector<chain*> touched_; ///< delivered since the last own event
  std::deque<chain*> order_;    ///< of the stored events, oldest first
  std::size_t stored_octets_ = 0;
  std::set<chain_key> waiting_; ///< chains with pending events
  std::size_t pending_octets_ = 0;
  std::set<chain_key> needy_; ///< chains with want_at
  std::map<identity, fork_proof> forked_;
  std::map<identity, time_ms> strangers_; ///< that may not publish but are depended on, and since when
  std::optional<time_ms> strangers_at_;   ///< then what waits for them is looked at again
  std::map<identity, local_publisher> publishers_;
  std::vector<topic_event> scratch_; ///< of the parcel being read

  std::vector<identity> members_; ///< ascending
  std::vector<identity> near_;
  std::map<identity, peer_state> peers_; ///< of members only

  std::optional<time_ms> digest_at_;
  std::uint32_t digest_rounds_left_ = 0;
  std::size_t digest_turn_ = 0;
  std::optional<chain_key> digest_after_; ///< where the last idle digest ended

  bool started_ = false, joined_ = false;
  std::uint32_t history_ = 0;
  time_ms started_ms_ = 0;
  time_ms join_at_ = 0;
  std::uint32_t join_tries_ = 0;
  std::set<identity> unsettled_; ///< members that are joining, too
};

} // namespace hanse
