// Reliable unicast: what a message depends on, who waits for it and how long, and how dependencies are got rid of.
// Not the guarantee as a whole, which the vector-clock oracle judges (reliable_unicast_sim_test.cpp).
#include "protocols/reliable_unicast_script.hpp"

#include "hanse/protocols/internal/causal_context.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms t0 = script_start;
constexpr std::uint64_t epoch0 = t0 * 1000;

/// A message from nowhere in particular: what any peer could sign.
envelope forged(char from, char to, std::uint64_t seq, std::vector<causal_dep> deps, std::uint32_t ttl = 30'000) {
  envelope m;
  m.source = engine(from);
  m.destination = engine(to);
  m.id = epoch0 + seq;
  m.protocol = {"test", 1, 0};
  m.sent_ms = t0;
  m.ttl_ms = ttl;
  m.stream = stream_position{epoch0, seq, std::move(deps)};
  return m;
}

causal_dep dep(char from, char to, std::uint64_t seq, time_ms expires = t0 + 30'000, std::uint64_t epoch = epoch0) {
  return {engine(from), engine(to), epoch, seq, expires};
}

} // namespace

TEST_CASE("causal: a message names the unacknowledged ones to others, the last of each stream") {
  script_node a;
  a.sent('a', 'c', 1, t0, 50'000);
  a.sent('a', 'c', 2, t0, 1000);
  a.sent('a', 'd', 3, t0);
  const auto m = a.sent('a', 'b', 4, t0);
  REQUIRE(m.stream->deps.size() == 2);
  CHECK(describe(m.stream->deps[0]) == "a>c#2");
  CHECK(m.stream->deps[0].expires_ms == t0 + 50'000); // the first of that stream may come as late as that
  CHECK(describe(m.stream->deps[1]) == "a>d#1");
  CHECK(a.sent('a', 'b', 5, t0).stream->deps.size() == 2); // not its own stream
  CHECK(a.sent('x', 'b', 6, t0).stream->deps.empty());     // not other engines' streams
  a.control('c', 'a', unicast_ack{t0 * 1000 + 1, 1, {}, {}, {}, false}, t0);
  CHECK(a.sent('a', 'b', 7, t0).stream->deps.size() == 2);
  a.control('c', 'a', unicast_ack{t0 * 1000 + 1, 2, {}, {}, {}, false}, t0);
  const auto after = a.sent('a', 'b', 8, t0).stream->deps;
  REQUIRE(after.size() == 1);
  CHECK(describe(after[0]) == "a>d#1");
}

TEST_CASE("causal: deps of what was delivered are carried on, but for those addressed to the engine itself") {
  script_node b;
  const auto m = forged('a', 'b', 1, {dep('a', 'c', 5), dep('x', 'd', 6)});
  REQUIRE(b.deliver(m, t0).size() == 1);
  REQUIRE(b.deliver(forged('e', 'b', 1, {dep('x', 'b', 1, t0)}), t0).size() == 1);
  const auto on = b.sent('b', 'z', 9, t0);
  REQUIRE(on.stream->deps.size() == 2);
  CHECK(describe(on.stream->deps[0]) == "a>c#5");
  CHECK(describe(on.stream->deps[1]) == "x>d#6");
  CHECK(b.sent('q', 'z', 10, t0).stream->deps.empty());
  // The destination's ack of a message that depended on a delivery there proves that delivery.
  const auto to_c = b.sent('b', 'c', 11, t0);
  CHECK(to_c.stream->deps.size() == 3);
  b.control('c', 'b', unicast_ack{to_c.stream->epoch, 1, {}, {}, {}, false}, t0);
  CHECK(b.sent('b', 'y', 12, t0).stream->deps.size() == 2); // x>d and b>z
}

TEST_CASE("causal: an expired-on-arrival answer proves nothing about what the message depended on") {
  script_node b;
  REQUIRE(b.deliver(forged('a', 'b', 1, {dep('a', 'c', 5)}), t0).size() == 1);
  const auto to_c = b.sent('b', 'c', 11, t0);
  b.control('c', 'b', unicast_ack{to_c.stream->epoch, 1, {}, {}, {{1, errc::expired}}, false}, t0);
  CHECK(b.told() == lines{"failed 11 expired"});
  CHECK(b.sent('b', 'y', 12, t0).stream->deps.size() == 1);
}

TEST_CASE("causal: untrusted sources' deps are honoured for themselves and carried no further") {
  script_node b;
  const auto m = forged('a', 'b', 1, {dep('a', 'c', 5), dep('x', 'b', 1)});
  CHECK(b.machine.receive(m, t0, b.out, causal_past::ignore).code() == errc::none);
  b.commit(t0);
  CHECK(b.take_all<unicast_deliver>().empty());
  REQUIRE(b.deliver(forged('x', 'b', 1, {}), t0).size() == 2);
  CHECK(b.sent('b', 'z', 9, t0).stream->deps.empty());
}

TEST_CASE("causal: a message waits for what it depends on here, and for nothing else") {
  script_node b;
  CHECK(b.deliver(forged('a', 'b', 1, {dep('x', 'b', 2), dep('y', 'c', 9)}), t0).empty());
  CHECK(b.deliver(forged('a', 'b', 2, {}), t0).empty()); // in order behind it
  CHECK(b.deliver(forged('z', 'b', 1, {}), t0).size() == 1);
  CHECK(b.deliver(forged('x', 'b', 1, {}), t0).size() == 1);
  const auto all = b.deliver(forged('x', 'b', 2, {}), t0);
  REQUIRE(all.size() == 3);
  CHECK(letter_of(all[0].source) == "x");
  CHECK(letter_of(all[1].source) == "a");
  CHECK(all[2].stream->seq == 2);
}

TEST_CASE("causal: nobody waits beyond the expiry, and what expired is not delivered afterwards") {
  script_node b;
  CHECK(b.deliver(forged('a', 'b', 1, {dep('x', 'b', 1, t0 + 500)}), t0).empty());
  b.tick(t0 + 499);
  b.commit(t0 + 499);
  CHECK(b.take_all<unicast_deliver>().empty());
  REQUIRE(b.machine.next_timer());
  CHECK(*b.machine.next_timer() <= t0 + 500);
  b.tick(t0 + 500);
  b.commit(t0 + 500);
  CHECK(b.take_all<unicast_deliver>().size() == 1);
  CHECK(b.receive(forged('x', 'b', 1, {}, 500), t0 + 500) == errc::expired);
}

TEST_CASE("causal: a forged dependency stalls its own stream only, and no longer than the message lives") {
  script_node b;
  CHECK(b.deliver(forged('a', 'b', 1, {dep('x', 'b', 1, INT64_MAX)}, 1000), t0).empty());
  CHECK(b.deliver(forged('a', 'b', 2, {}), t0).empty());
  CHECK(b.deliver(forged('c', 'b', 1, {}), t0).size() == 1);
  b.tick(t0 + 1000);
  b.commit(t0 + 1000);
  auto told = b.told();
  CHECK(std::count(told.begin(), told.end(), "dropped a>b#1 expired") == 1);
  CHECK(std::count(told.begin(), told.end(), "deliver a>b#2") == 1);
}

TEST_CASE("causal: a newer epoch of a stream ends the wait for its older ones") {
  script_node b;
  CHECK(b.deliver(forged('a', 'b', 1, {dep('x', 'b', 7, t0 + 30'000, epoch0 - 1)}), t0).empty());
  CHECK(b.deliver(forged('x', 'b', 1, {}), t0).size() == 2);
}

TEST_CASE("causal: more dependencies than a message may carry hold it back; probes set it free") {
  script_node a;
  for (char to = 'A'; to < 'A' + static_cast<char>(causal_deps_max) + 1; ++to)
    REQUIRE(a.deliver(forged(to, 'a', 1, {dep(to, 'z', 1)}), t0).size() == 1);
  a.take();
  REQUIRE(a.send('a', 'b', 1, t0));
  REQUIRE(a.send('a', 'b', 2, t0));
  CHECK(a.take_all<unicast_transmit>().empty());
  CHECK(a.machine.stats().queued == 2);
  a.tick(t0 + 100);
  std::vector<unicast_transmit_control> probes;
  for (auto& c : a.take_all<unicast_transmit_control>())
    if (std::holds_alternative<unicast_probe>(*decode_unicast_control(c.body))) probes.push_back(c);
  REQUIRE(probes.size() == 1);
  CHECK(letter_of(probes[0].destination) == "z");

  script_node z;
  REQUIRE(z.deliver(forged('A', 'z', 1, {}), t0).size() == 1);
  CHECK(z.receive(forged('B', 'z', 1, {}), t0) == errc::none); // released, its mark not durable: does not count
  z.flush(t0);
  z.take();
  z.hear(probes[0], t0);
  CHECK(z.told() == lines{"tell z>a settled A#1"});
  z.hear(probes[0], t0);
  a.hear(z.take_all<unicast_transmit_control>().at(0), t0 + 200);
  const auto sent = a.take_all<unicast_transmit>();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].message->stream->deps.size() == causal_deps_max);
  CHECK(sent[1].message->stream->deps.size() == causal_deps_max);
}

TEST_CASE("causal: probes are answered for what was delivered, outlived or ended") {
  script_node z;
  REQUIRE(z.deliver(forged('a', 'z', 1, {}), t0).size() == 1);
  std::vector<unicast_mark> marks{{engine('a'), epoch0 - 5, 9, t0 + 100}, // an earlier life
                                  {engine('a'), epoch0, 1, t0 + 100},
                                  {engine('a'), epoch0, 2, t0 + 100},
                                  {engine('b'), epoch0, 1, t0},
                                  {engine('c'), epoch0, 1, t0 + 1}};
  z.take();
  z.control('q', 'z', unicast_probe{marks}, t0);
  CHECK(z.told() == lines{"tell z>q settled a#9 a#1 b#1"});
}

TEST_CASE("causal: a dependency outlives its expiry by the skew that clocks may have") {
  script_node b;
  REQUIRE(b.deliver(forged('a', 'b', 1, {dep('a', 'c', 1, t0 + 1000)}), t0).size() == 1);
  CHECK(b.sent('b', 'x', 2, t0 + 1000 + clock_skew_max_ms).stream->deps.size() == 1);
  CHECK(b.sent('b', 'y', 3, t0 + 1001 + clock_skew_max_ms).stream->deps.size() == 1); // only b>x by now
}

TEST_CASE("causal: what was given up without being sent holds nobody up") {
  script_node a;
  a.machine.destination_unreachable(engine('c'), t0);
  REQUIRE(a.send('a', 'c', 1, t0, 1000));
  CHECK(a.sent('a', 'b', 2, t0).stream->deps.size() == 1);
  a.tick(t0 + 1000);
  CHECK(a.sent('a', 'b', 3, t0 + 1000).stream->deps.empty());
}

TEST_CASE("causal: an engine without room for more dependencies is given none") {
  reliable_config c;
  c.context_max = 40;
  script_node b{c};
  std::vector<causal_dep> many;
  for (char x = 'A'; x < 'A' + 30; ++x) many.push_back(dep(x, 'z', 1));
  REQUIRE(b.deliver(forged('a', 'b', 1, many), t0).size() == 1);
  CHECK(b.deliver(forged('c', 'b', 1, many), t0).empty());
  for (std::size_t i = 0; b.machine.stats().streams_out < 10; ++i)
    REQUIRE(b.send('b', static_cast<char>('0' + i), i + 1, t0));
  CHECK(b.send('b', 'y', 99, t0).code() == errc::queue_full);
  CHECK(b.send('b', '0', 100, t0)); // an open stream has its place
  std::vector<unicast_mark> marks;
  for (const auto& d : many) marks.push_back({d.source, d.epoch, d.seq, d.expires_ms});
  b.control('z', 'b', unicast_settled{marks}, t0);
  b.tick(t0 + 100);
  b.commit(t0 + 100);
  CHECK(b.take_all<unicast_deliver>().size() == 1);
}

TEST_CASE("causal: local messages beside the machine pass their past on, unless it is still on its way here") {
  script_node n;
  n.sent('a', 'z', 1, t0);
  CHECK(n.machine.pass_context(engine('a'), engine('b'), t0));
  CHECK(n.sent('b', 'y', 2, t0).stream->deps.size() == 1);
  CHECK(n.machine.pass_context(engine('q'), engine('b'), t0)); // nothing to pass
  const auto remote = n.sent('a', 'c', 3, t0);
  CHECK_FALSE(n.machine.pass_context(engine('a'), engine('c'), t0));
  REQUIRE(n.deliver(remote, t0).size() == 1); // c is here: looped back
  CHECK(n.machine.pass_context(engine('a'), engine('c'), t0));
}

TEST_CASE("causal: two messages never wait for each other through a later one of a settled stream") {
  // Both wait with a full past; what settles while they wait must count for both, though the streams go on.
  script_node a;
  for (char to = 'A'; to < 'A' + static_cast<char>(causal_deps_max) + 1; ++to)
    REQUIRE(a.send('a', to, static_cast<message_id>(to), t0));
  a.take();
  REQUIRE(a.send('a', 'x', 200, t0)); // waits for 33
  for (char to = 'A'; to < 'A' + static_cast<char>(causal_deps_max) + 1; ++to)
    REQUIRE(a.send('a', to, 300 + static_cast<message_id>(to), t0)); // wait for that one as well
  CHECK(a.take_all<unicast_transmit>().empty());
  for (char to = 'A'; to < 'A' + 3; ++to)
    a.control(to, 'a', unicast_ack{t0 * 1000 + static_cast<message_id>(to), 1, {}, {}, {}, false}, t0 + 1);
  bool found = false;
  for (const auto& t : a.take_all<unicast_transmit>()) found |= t.message->destination == engine('x');
  CHECK(found);
}

TEST_CASE("causal context: one entry per stream, the newest and the longest-lived") {
  internal::causal_context c;
  CHECK(c.add(dep('a', 'b', 3, t0 + 5)));
  CHECK_FALSE(c.add(dep('a', 'b', 2, t0 + 4)));
  CHECK(c.add(dep('a', 'b', 2, t0 + 9)));
  CHECK(c.add(dep('a', 'b', 1, t0 + 1, epoch0 + 1)));
  REQUIRE(c.size() == 1);
  CHECK(c.all()[0] == dep('a', 'b', 1, t0 + 9, epoch0 + 1));
  CHECK(c.add(dep('a', 'a', 1)));
  CHECK(c.all()[0].destination == engine('a'));
  CHECK(c.without(engine('a'), engine('a')).size() == 1);
  CHECK_FALSE(c.prune(engine('a'), engine('c'), epoch0, 9));
  CHECK(c.prune(engine('a'), engine('b'), epoch0, 9));
  CHECK(c.size() == 2); // an older epoch's positions: not this one
  CHECK(c.live(dep('a', 'b', 1, 0, epoch0 + 1)));
  CHECK_FALSE(c.live(dep('a', 'b', 9)));
  CHECK(c.prune(engine('a'), engine('b'), epoch0 + 1, 1));
  CHECK(c.size() == 1);
  c.keep_settled(true);
  CHECK(c.prune(engine('a'), engine('a'), epoch0, 1));
  CHECK(c.size() == 1);
  CHECK(c.live_size() == 0);
  CHECK(c.all().empty());
  CHECK(c.add(dep('a', 'a', 2)));
  CHECK_FALSE(c.live(dep('a', 'a', 1)));
  CHECK(c.live(dep('a', 'a', 2)));
  CHECK(c.live_size() == 1);
}
