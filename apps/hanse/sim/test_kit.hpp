// A test kit for protocols of one's own: machines on simulated nodes that exchange datagrams in virtual time, with
// loss, duplicates, delays, partitions and crashes, all from one seed. For researchers; docs/simulation.md shows it.
// Not the simulator of whole nodes (simulation.hpp): here the machine is yours, and so is what must hold.
#pragma once

#include "hanse/sim/agenda.hpp"

#include "hanse/transport/sim_network.hpp"

#include <map>
#include <memory>
#include <string>

namespace hanse::sim {

class test_network;

/// What a machine may do to the world. Valid during the call that it was given to.
class port {
public:
  port(test_network& network, std::uint32_t self) : network_(network), self_(self) {}

  std::uint32_t self() const noexcept { return self_; } ///< 0..nodes() - 1
  std::uint32_t nodes() const noexcept;
  time_ms now() const noexcept; ///< virtual, since the start

  /// A datagram: it may get lost, come twice, or late.
  void send(std::uint32_t to, bytes octets);

  /// Calls `timer(token)` after `delay`, unless this node crashes before.
  void after(time_ms delay, std::uint64_t token);

  /// Of this node; what other nodes draw does not change it.
  random_source& random();

  /// Adds to a named count of the whole network, for comparisons.
  void count(const std::string& name, std::uint64_t n = 1);

private:
  test_network& network_;
  std::uint32_t self_;
};

/// A protocol on one node. Implement what it needs.
class test_machine {
public:
  virtual ~test_machine() = default;
  virtual void start(port&) {} ///< at the beginning, and anew after each crash
  virtual void received(port&, std::uint32_t /*from*/, byte_view /*octets*/) {}
  virtual void timer(port&, std::uint64_t /*token*/) {}
};

/// The nodes and what is between them. Not thread-safe. The same calls and seed give the same run.
class test_network {
public:
  /// Makes the machine of a node; called again after a crash, so that what it does not keep elsewhere is lost.
  using machine_factory = std::function<std::unique_ptr<test_machine>(std::uint32_t node)>;

  /// `everywhere`: loss, duplicates and latency of all paths; change single ones by `network()`, for hosts "n0", "n1",
  /// …
  test_network(std::uint64_t seed, std::uint32_t nodes, const sim_path& everywhere, machine_factory make);
  ~test_network();
  test_network(const test_network&) = delete; // what is planned refers to it
  test_network& operator=(const test_network&) = delete;

  /// Faults, planned before they are due. A crashed node is back after `down_ms`.
  void crash(std::uint32_t node, time_ms when, time_ms down_ms);
  void partition(const std::vector<std::uint32_t>& part, time_ms from, time_ms until);

  /// Any action at a time of its own, e.g. a check that throws or asserts.
  void at(time_ms when, std::function<void()> action);

  /// Runs everything up to and including `until`. True as soon as `done` (asked after every event) says so.
  bool run(time_ms until, const std::function<bool()>& done = {});

  time_ms now() const noexcept { return now_; }
  std::uint32_t nodes() const noexcept { return static_cast<std::uint32_t>(nodes_.size()); }

  /// The machine of `node`; null while it is down.
  template <class Machine = test_machine>
  Machine* machine(std::uint32_t node) const {
    return static_cast<Machine*>(nodes_[node].machine.get());
  }

  /// What `port::count` added up, and "sent", "received".
  const std::map<std::string, std::uint64_t>& counts() const noexcept { return counts_; }
  sim_network& network() noexcept { return net_; }

private:
  friend class port;
  struct node {
    std::unique_ptr<test_machine> machine;
    std::unique_ptr<seeded_random> random;
    std::uint64_t life = 0;
  };

  void start(std::uint32_t node);

  sim_network net_;
  agenda agenda_;
  machine_factory make_;
  std::vector<node> nodes_;
  std::map<std::string, std::uint64_t> counts_;
  time_ms now_ = 0;
};

} // namespace hanse::sim
