// Reliable unicast: every bound, from both sides of it. Small bounds under faults are in reliable_unicast_sim_test.cpp.
// Not the causal context's bound (reliable_unicast_causal_test.cpp).
#include "protocols/reliable_unicast_script.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms t0 = script_start;

reliable_config narrow(std::size_t queue, std::size_t queue_octets = 1'000'000) {
  reliable_config c;
  c.queue_max = queue;
  c.queue_octets_max = queue_octets;
  return c;
}

} // namespace

TEST_CASE("reliable unicast: the window bounds what is in flight, and what is accepted") {
  script_node a, b;
  for (message_id i = 1; i <= 300; ++i) REQUIRE(a.send('a', 'b', i, t0));
  const auto flight = a.take_all<unicast_transmit>();
  CHECK(flight.size() == stream_window_max);
  auto beyond = *flight.back().message;
  beyond.stream->seq = stream_window_max + 1;
  CHECK(b.receive(beyond, t0) == errc::queue_full);
  beyond.stream->seq = UINT64_MAX;
  CHECK(b.receive(beyond, t0) == errc::queue_full);
  CHECK(b.deliver(*flight[0].message, t0).size() == 1);
  b.handled(*flight[0].message, t0);
  b.flush(t0);
  for (const auto& c : b.take_all<unicast_transmit_control>()) a.hear(c, t0);
  CHECK(a.told() == lines{"confirmed 1", "transmit a>b#257"});
}

TEST_CASE("reliable unicast: the window counts octets too, but never shuts out a single message") {
  reliable_config c;
  c.window_octets_max = 10;
  script_node a{c};
  REQUIRE(a.send('a', 'b', 1, t0, 30'000, std::string(100, 'x')));
  REQUIRE(a.send('a', 'b', 2, t0, 30'000, "y"));
  CHECK(a.take_all<unicast_transmit>().size() == 1);
}

TEST_CASE("reliable unicast: full queues and tables refuse and take nothing") {
  script_node a{narrow(2)};
  REQUIRE(a.send('a', 'b', 1, t0));
  REQUIRE(a.send('a', 'b', 2, t0));
  CHECK(a.send('a', 'b', 3, t0).code() == errc::queue_full);
  CHECK(a.send('a', 'c', 4, t0)); // another stream has room
  script_node o{narrow(100, 10)};
  REQUIRE(o.send('a', 'b', 1, t0, 30'000, std::string(8, 'x')));
  CHECK(o.send('a', 'b', 2, t0, 30'000, std::string(3, 'x')).code() == errc::queue_full);
  CHECK(o.send('a', 'b', 2, t0, 30'000, std::string(2, 'x')));
  reliable_config c;
  c.streams_max = 1;
  c.node_octets_max = 100;
  script_node s{c};
  CHECK(s.send('a', 'b', 1, t0, 30'000, std::string(101, 'x')).code() == errc::queue_full);
  REQUIRE(s.send('a', 'b', 1, t0));
  CHECK(s.send('a', 'c', 2, t0).code() == errc::table_full);
  CHECK(s.send('a', 'b', 3, t0 + 60'000, 0).code() == errc::expired);
  CHECK(s.machine.stats().queued == 1);
  script_node r{c};
  CHECK(r.receive(a.sent('a', 'd', 7, t0), t0) == errc::none);
  CHECK(r.receive(a.sent('a', 'e', 8, t0), t0) == errc::table_full);
}

TEST_CASE("reliable unicast: what is held back is bounded, what can go on needs no room") {
  reliable_config c;
  c.pending_max = 2;
  script_node a, b{c};
  std::vector<envelope> m;
  for (message_id i = 1; i <= 4; ++i) m.push_back(a.sent('a', 'b', i, t0));
  CHECK(b.receive(m[1], t0) == errc::none);
  CHECK(b.receive(m[2], t0) == errc::none);
  CHECK(b.receive(m[3], t0) == errc::queue_full);
  CHECK(b.deliver(m[0], t0).size() == 3);
  CHECK(b.deliver(m[3], t0).size() == 1);
  CHECK(b.machine.stats().pending == 0);
  CHECK(b.machine.stats().pending_octets == 0);
}

TEST_CASE("reliable unicast: engines that handle slowly are not given more than so much") {
  reliable_config c;
  c.open_max = 2;
  script_node a, b{c};
  std::vector<envelope> m;
  for (message_id i = 1; i <= 4; ++i) m.push_back(a.sent('a', 'b', i, t0));
  for (const auto& x : m) CHECK(b.receive(x, t0) == errc::none);
  b.commit(t0);
  CHECK(b.take_all<unicast_deliver>().size() == 2);
  b.handled(m[0], t0);
  b.commit(t0);
  CHECK(b.take_all<unicast_deliver>().size() == 1);
  CHECK(b.machine.stats().open == 2);
}
