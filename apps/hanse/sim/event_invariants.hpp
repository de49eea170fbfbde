// Judges the events of a run's topics, by event number and vector clocks of its own; knows nothing of chains, heads,
// digests or parcels. Not unicast (invariants.hpp), not the domain (domain_invariants.hpp).
// Sources: vector clocks (Fidge 1988, Mattern 1989).
//
//   event_order    a subscriber gets no event before one that its publisher had got or published before; a subscriber
//                  that comes later may begin anywhere with each publisher, and from there on the same holds; what
//                  was removed, with its publisher, or reported as lost passes no order on
//   event_once     no event twice within one subscription
//   no_event_lost  at the end subscribers have all that was published since they joined, as far as somebody has it
//   authentic      what is delivered was published in that topic, by that node, with that body
//   no_false_proof nobody honest is held to have forked
#pragma once

#include "hanse/sim/invariants.hpp"

#include <unordered_set>

namespace hanse::sim {

class event_checker {
public:
  event_checker(checker& judge, std::uint32_t nodes, std::size_t topics);

  /// Nothing that `node` does is judged.
  void exempt(std::uint32_t node) { nodes_[node].exempt = true; }

  /// A subscription begins, and with it a life as far as this topic goes.
  void subscribed(std::uint32_t node, std::size_t topic);
  /// It says that it gets all that is published from now on.
  void joined(std::uint32_t node, std::size_t topic);
  /// A crash, or out of the domain: all of its subscriptions end, and what it publishes later is of another life.
  void ended(std::uint32_t node);
  /// It is no member any more: nothing that it published is owed to anybody who has not got it.
  void removed(std::uint32_t node);

  /// The number that the next event will have, for its body.
  std::uint64_t next() const { return events_.size(); }
  /// `body`: names the octets. `ordered`: not a best-effort event.
  void published(std::uint32_t node, std::size_t topic, bool ordered, std::uint64_t body);
  void delivered(std::uint32_t node, std::size_t topic, std::uint64_t event, std::uint32_t from, std::uint64_t body);

  /// `node` reports that `count` places of `from` are lost.
  void gap(std::uint32_t node, std::size_t topic, std::uint32_t from, std::uint64_t count);
  void forked(std::uint32_t by, std::uint32_t publisher);

  /// Whom `node` still owes something, in words; empty if nobody. For an honest member that is up.
  std::string missing(std::uint32_t node) const;
  std::uint64_t deliveries() const noexcept { return deliveries_; }

private:
  using vector_clock = std::vector<std::uint32_t>; ///< by process: a life of a publisher in a topic
  struct event {
    std::uint32_t node = 0, process = 0, index = 0; ///< index: 1, 2, … in its process
    std::size_t topic = 0;
    std::uint64_t body = 0;
    bool ordered = true;
    vector_clock past;
  };
  struct process_state {
    std::uint32_t node = 0;
    std::size_t topic = 0;
    std::uint32_t total = 0;
    bool over = false, void_of_debt = false;
    std::vector<std::uint64_t> events = {}; ///< numbers, by index - 1
  };
  struct view { ///< one subscription
    bool open = false, has_joined = false;
    vector_clock got;     ///< the latest index of each process
    vector_clock since;   ///< the first index of each process that it got; 0: none yet
    vector_clock due;     ///< published when it joined: what is later is owed
    vector_clock implied; ///< what was delivered depends on so many of each process
    vector_clock excused; ///< places that it reported as lost
    std::unordered_set<std::uint64_t> seen;
  };
  struct node_state {
    bool exempt = false;
    std::vector<view> views;              ///< by topic
    std::vector<std::uint32_t> publishes; ///< by topic: its process; no_process
  };
  static constexpr std::uint32_t no_process = UINT32_MAX;

  static std::uint32_t value(const vector_clock& c, std::uint32_t process) {
    return process < c.size() ? c[process] : 0;
  }
  static std::uint32_t& at(vector_clock& c, std::uint32_t process) {
    if (c.size() <= process) c.resize(process + 1);
    return c[process];
  }
  std::uint32_t process_of(std::uint32_t node, std::size_t topic);
  bool is_judged(std::uint32_t process) const { return !nodes_[processes_[process].node].exempt; }
  void in_order(view& v, const std::string& name, const event& e);
  vector_clock owed_before(const view& v, const event& e) const;
  std::uint32_t obtainable(std::uint32_t process, std::uint32_t have) const;

  checker& judge_;
  std::vector<node_state> nodes_;
  std::vector<process_state> processes_;
  std::vector<event> events_{1}; ///< by number
  std::uint64_t deliveries_ = 0;
};

} // namespace hanse::sim
