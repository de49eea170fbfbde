// A seeded world for reliable unicast without actors: nodes with engines, a network that loses, doubles, delays and
// parts, disks that commit late, crashes between any two steps. One seed gives one run.
// Not the simulator of whole nodes (test/sim): only this machine, its disk and its engines.
#pragma once

#include "reliable_unicast_oracle.hpp"

#include "hanse/protocols/reliable_unicast.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <random>

namespace hanse::test {

struct world_options {
  std::uint64_t seed = 1;
  int nodes = 3;
  int engines = 5;
  int loss_permille = 0;
  int duplicate_permille = 0;
  int delay_max_ms = 40;
  int late_permille = 0; ///< come up to 4 s later
  int commit_max_ms = 8;
  int handling_max_ms = 30;
  int handler_error_permille = 50;
  int crashes = 0;
  int partitions = 0;
  int skew_max_ms = 0; ///< each node's clock is off by up to this
  std::uint32_t ttl_min_ms = 2000, ttl_max_ms = 20'000;
  int sends_per_engine = 20;
  int replies_permille = 500; ///< a delivery makes its engine send
  time_ms faults_ms = 10'000; ///< how long sends and faults go on
  bool converges = true;      ///< false: bounds are so small that messages may expire without faults
  reliable_config config;
};

class world {
public:
  explicit world(const world_options& options);

  /// Runs the faulty phase, heals, and lets everything settle. Returns the first violation; empty if none.
  std::string run();

  std::uint64_t deliveries = 0, confirmations = 0, failures = 0, in_doubts = 0, crashes = 0, retransmissions = 0;

private:
  struct node {
    std::unique_ptr<seeded_random> random;
    std::unique_ptr<reliable_unicast> machine; ///< null while it is down
    std::map<bytes, bytes> disk;
    std::deque<unicast_persist> commits; ///< written, not yet durable
    int life = 0;
    std::int64_t skew_ms = 0;
    time_ms timer_at = 0; ///< of the world; 0: none
    bool flush_planned = false;
  };
  struct event {
    time_ms when;
    std::uint64_t order;
    std::function<void()> action;
    friend bool operator<(const event& a, const event& b) {
      return a.when != b.when ? a.when > b.when : a.order > b.order; // std::priority_queue gives the largest first
    }
  };

  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : rng_() % n; }
  bool chance(int permille) { return static_cast<int>(below(1000)) < permille; }
  time_ms local(int n) const { return static_cast<time_ms>(static_cast<std::int64_t>(now_) + nodes_[n].skew_ms); }
  int node_of(int engine) const { return engine % options_.nodes; }
  int engine_of(const identity& id) const { return engine_numbers_.at(id); }

  void at(time_ms when, std::function<void()> action) { events_.push({when, ++order_, std::move(action)}); }
  void in_life(int n, time_ms when, std::function<void()> action); ///< unless the node crashes before
  bool step(time_ms until);

  void start(int n);
  void crash(int n);
  void partition();
  void perform(int n, unicast_effects effects);
  void commit(int n);
  void apply(node& n, const unicast_persist& p);
  void after_input(int n, unicast_effects effects);
  void plan_timer(int n);
  std::uint64_t send(int engine, int to, std::uint32_t ttl);
  void deliver(int n, const envelope& m);
  void carry(int from, int to, std::function<void(int)> arrive);
  void finished(const identity& source, message_id id, const error& why);
  void check_bounds(int n);
  void settle_down();

  world_options options_;
  std::mt19937_64 rng_;
  std::vector<node> nodes_;
  std::vector<identity> engines_;
  std::map<identity, int> engine_numbers_;
  std::set<std::pair<int, int>> parted_; ///< pairs of nodes without a way
  std::priority_queue<event> events_;
  std::uint64_t order_ = 0;
  time_ms now_ = 1'700'000'000'000;
  std::uint64_t messages_ = 0;
  std::map<message_id, std::uint64_t> numbers_;          ///< message number by id
  std::map<std::uint64_t, std::pair<int, int>> senders_; ///< node and its life, by message number
  message_id last_id_ = 0;
  bool healed_ = false;
  unicast_oracle oracle_;
};

} // namespace hanse::test
