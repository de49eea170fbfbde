// Plumtree over HyParView with many nodes: delivery to all, redundancy, mass failures, liars. Figures are printed.
#include "sim/multicast_world.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

namespace {

struct totals {
  std::uint64_t received = 0, fresh = 0;
  std::uint32_t last_hop = 0;
};

totals totals_of(multicast_world& w) {
  totals t;
  for (std::uint32_t n = 0; n < w.net.nodes(); ++n) {
    if (!w.net.machine(n)) continue;
    const auto s = w.node(n)->spread().stats();
    t.received += s.payloads_received;
    t.fresh += s.fresh;
    t.last_hop = std::max(t.last_hop, s.last_hop);
  }
  return t;
}

world_options plumtree_options() {
  world_options options;
  options.protocol = "plumtree/1";
  return options;
}

void check(const multicast_world& w) {
  for (const auto& c : w.judge.complaints) MESSAGE(c);
  CHECK(w.judge.complaints.empty());
}

/// The nodes that reach node `from` over active views.
std::size_t connected(multicast_world& w, std::uint32_t from) {
  std::set<std::uint32_t> seen{from};
  std::vector<std::uint32_t> todo{from};
  while (!todo.empty()) {
    const auto n = todo.back();
    todo.pop_back();
    for (const auto& id : w.node(n)->spread().neighbours()) {
      std::uint64_t hash = 0;
      std::memcpy(&hash, id.octets().data(), sizeof hash);
      const auto other = w.indices.at(hash);
      if (w.net.machine(other) && seen.insert(other).second) todo.push_back(other);
    }
  }
  return seen.size();
}

} // namespace

TEST_CASE("plumtree: 1,000 nodes all get everything, with little redundancy once the tree stands") {
  multicast_world w{1, 1000, {5, 50}, plumtree_options()};
  const auto spread_from = [&](auto sender, time_ms from, int count) { // and the redundancy of it
    const auto before = totals_of(w);
    for (int i = 0; i < count; ++i) w.publish_at(from + 500 * i, sender(i), 1);
    w.net.run(from + 500 * count + 3000);
    CHECK(w.run_until_complete(from + 500 * count + 10'000));
    return static_cast<double>(totals_of(w).received - before.received) / (count * 999.0) - 1;
  };
  const auto one = [](int) { return 0u; };
  const auto many = [](int i) { return static_cast<std::uint32_t>(i * 37 + 1); };
  spread_from(one, 5000, 30); // the tree forms
  CHECK(connected(w, 0) == 1000);
  const auto steady = spread_from(one, 25'000, 20);
  MESSAGE("1,000 nodes, one publisher: RMR " << steady << ", last hop so far " << totals_of(w).last_hop);
  CHECK(steady < 0.1);
  spread_from(many, 40'000, 20);
  const auto mixed = spread_from(many, 55'000, 20);
  MESSAGE("1,000 nodes, 20 publishers over one tree: RMR " << mixed << ", last hop " << totals_of(w).last_hop);
  CHECK(mixed < 0.5);
  check(w);
}

TEST_CASE("plumtree: after half, and after four fifths, of the nodes die at once the others go on") {
  for (const std::uint32_t percent : {50u, 80u}) {
    CAPTURE(percent);
    multicast_world w{percent, 400, {5, 50}, plumtree_options()};
    for (int i = 0; i < 10; ++i) w.publish_at(8000 + 200 * i, static_cast<std::uint32_t>(i * 13), 1);
    w.net.run(12'000);
    const std::uint32_t dead = 400 * percent / 100;
    for (std::uint32_t n = 0; n < dead; ++n) w.net.crash(n, 12'000, 10'000'000);
    w.net.run(60'000);
    CHECK(connected(w, 399) == 400 - dead);
    for (std::uint32_t i = 0; i < 10; ++i) w.publish_at(60'000 + 200 * i, dead + i * 7, 1);
    CHECK(w.run_until_complete(75'000));
    check(w);
  }
}

TEST_CASE("plumtree: who announces what it never sends is scored out, and only that") {
  auto options = plumtree_options();
  options.liar = 3;
  multicast_world w{5, 12, {5, 30}, options};
  // The liar is neighbour of several; it pretends to have events that it does not send, and that do not exist.
  for (int i = 0; i < 600; ++i) {
    w.net.at(4000 + 200 * i, [&w, i] {
      sim::port p{w.net, 3};
      for (const auto& to : w.node(3)->spread().neighbours()) {
        std::uint64_t hash = 0;
        std::memcpy(&hash, to.octets().data(), sizeof hash);
        msgpack_writer m;
        m.array(3);
        m.unsigned_integer(1);
        m.unsigned_integer(1);
        m.array(2);
        m.unsigned_integer(1);
        m.blob(blake2b_256(as_byte_view(std::to_string(i))).view());
        bytes octets{std::byte{0}};
        append(octets, m.view());
        p.send(w.indices.at(hash), octets);
      }
    });
  }
  for (int i = 0; i < 50; ++i) w.publish_at(4100 + 500 * i, static_cast<std::uint32_t>(i % 3), 2);
  w.net.run(123'900);
  CHECK(w.run_until_complete(130'000));
  std::size_t blamed = 0;
  for (std::uint32_t n = 0; n < 12; ++n) {
    for (const auto& fault : w.node(n)->blamed) {
      CHECK(fault.peer == node_id(3));
      if (fault.why.code == errc::not_found) ++blamed;
    }
    const auto near = w.node(n)->spread().neighbours();
    if (n != 3) CHECK(std::find(near.begin(), near.end(), node_id(3)) == near.end());
  }
  CHECK(blamed > 0);
  check(w);
}
