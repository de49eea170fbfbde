// Reliable unicast, one rule at a time: order, windows, acks, skips, expiry, moves, what is refused, what is forgotten.
// Not crashes and causality (their own files), not statistics over faults (reliable_unicast_sim_test.cpp).
#include "protocols/reliable_unicast_script.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms t0 = script_start;

/// The acks among the effects since the last call, decoded.
std::vector<unicast_ack> acks_of(script_node& n) {
  std::vector<unicast_ack> all;
  for (const auto& c : n.take_all<unicast_transmit_control>())
    if (auto body = *decode_unicast_control(c.body); std::holds_alternative<unicast_ack>(body))
      all.push_back(std::get<unicast_ack>(body));
  return all;
}

} // namespace

TEST_CASE("reliable unicast: bodies are shared from arrival to delivery and from send to retransmission") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  const auto got = b.deliver(m, t0);
  REQUIRE(got.size() == 1);
  CHECK(got[0].body.view().data() == m.body.view().data());
  a.tick(t0 + 2000);
  const auto again = a.take_all<unicast_transmit>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].again);
  CHECK(*again[0].message == m);
}

TEST_CASE("reliable unicast: nothing is delivered before its mark is durable, and a message once only") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  CHECK(b.receive(m, t0) == errc::none);
  b.flush(t0);
  CHECK(b.told() == lines{"persist 1 (1 records)"});
  CHECK(b.receive(m, t0) == errc::none); // a duplicate meanwhile
  b.machine.persisted(7, t0, b.out);     // nobody asked for that
  b.flush(t0);
  CHECK(b.told() == lines{"tell b>a ack settled 0 held 1"});
  b.machine.persisted(1, t0, b.out);
  b.machine.persisted(1, t0, b.out);
  CHECK(b.told() == lines{"deliver a>b#1"});
  CHECK(b.deliver(m, t0).empty());
  b.handled(m, t0);
  b.handled(m, t0, errc::internal); // told twice: the first counts
  CHECK(b.deliver(m, t0).empty());
  CHECK(b.machine.stats().open == 0);
  CHECK(b.machine.stats().delivered == 1);
}

TEST_CASE("reliable unicast: handled comes only after delivered") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  CHECK(b.receive(m, t0) == errc::none);
  b.handled(m, t0);
  b.flush(t0);
  b.told();
  b.tick(t0 + 100);
  CHECK(b.told() == lines{"tell b>a ack settled 0 held 1"});
}

TEST_CASE("reliable unicast: acks wait for the end of a burst, and those that only say held a little longer") {
  script_node a, b;
  std::vector<envelope> all;
  for (message_id i = 1; i <= 20; ++i) all.push_back(a.sent('a', 'b', i, t0));
  for (std::size_t i = 0; i < 3; ++i) CHECK(b.receive(all[i], t0) == errc::none);
  b.commit(t0);
  CHECK(acks_of(b).empty());
  REQUIRE(b.machine.next_timer());
  CHECK(*b.machine.next_timer() <= t0 + b.config.ack_delay_ms);
  b.tick(t0 + b.config.ack_delay_ms);
  CHECK(acks_of(b).size() == 1);
  for (std::size_t i = 3; i < 20; ++i) CHECK(b.receive(all[i], t0) == errc::none); // ack_every and more
  b.flush(t0 + 21);
  CHECK(acks_of(b).size() == 1);
  for (std::size_t i = 0; i < 3; ++i) b.handled(all[i], t0 + 22);
  b.flush(t0 + 22);
  const auto acks = acks_of(b);
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].settled == 3);
}

TEST_CASE("reliable unicast: retransmission backs off to its bounds, and stops while unreachable") {
  script_node a;
  a.sent('a', 'b', 1, t0, 3'000'000);
  auto now = t0;
  std::vector<time_ms> gaps;
  for (int i = 0; i < 8; ++i) {
    const auto before = now;
    while (a.take_all<unicast_transmit>().empty()) a.tick(now = *a.machine.next_timer());
    gaps.push_back(now - before);
  }
  CHECK(gaps[0] >= a.config.rto_initial_ms);
  CHECK(gaps[1] >= 2 * a.config.rto_initial_ms);
  for (const auto g : gaps) CHECK(g <= a.config.rto_max_ms + a.config.rto_max_ms / 4);
  CHECK(gaps.back() >= a.config.rto_max_ms);
  a.machine.destination_unreachable(engine('b'), now);
  for (int i = 0; i < 100; ++i) a.tick(now += 1000);
  REQUIRE(a.send('a', 'b', 2, now));
  CHECK(a.take_all<unicast_transmit>().empty());
  a.machine.destination_reachable(engine('b'), now, a.out);
  CHECK(a.told() == lines{"transmit again a>b#1", "transmit a>b#2"});
}

TEST_CASE("reliable unicast: gaps that selective acks show are filled before any timeout") {
  script_node a;
  for (message_id i = 1; i <= 5; ++i) a.sent('a', 'b', i, t0);
  a.control('b', 'a', unicast_ack{t0 * 1000 + 1, 0, {}, {false, true, true, true, true}, {}, false}, t0 + 10);
  CHECK(a.told() == lines{"transmit again a>b#1"});
  a.control('b', 'a', unicast_ack{t0 * 1000 + 1, 0, {}, {false, true, true, true, true}, {}, false}, t0 + 11);
  CHECK(a.told().empty()); // not again within a round trip
}

TEST_CASE("reliable unicast: an expired message fails at its sender, and its receiver is told to go on") {
  script_node a, b;
  a.sent('a', 'b', 1, t0, 1000); // lost
  const auto second = a.sent('a', 'b', 2, t0);
  CHECK(b.deliver(second, t0 + 100).empty());
  a.tick(t0 + 999);
  a.take();
  a.tick(t0 + 1000);
  const auto effects = a.take();
  CHECK(describe(effects).at(0) == "failed 1 timed_out");
  CHECK(describe(effects).at(1) == "tell a>b skip to 2");
  b.hear(std::get<unicast_transmit_control>(effects.at(1)), t0 + 1001);
  b.commit(t0 + 1001);
  CHECK(b.take_all<unicast_deliver>().size() == 1);
}

TEST_CASE("reliable unicast: a skip that got lost is repeated until it is known") {
  script_node a, b;
  a.sent('a', 'b', 1, t0, 1000);
  a.tick(t0 + 1000);
  CHECK(a.told().size() == 2); // failed, skip: lost
  std::size_t skips = 0;
  auto now = t0 + 1000;
  for (int i = 0; i < 3; ++i) {
    a.tick(now = *a.machine.next_timer());
    for (const auto& c : a.take_all<unicast_transmit_control>()) {
      ++skips;
      b.hear(c, now);
    }
  }
  CHECK(skips > 0);
  b.flush(now);
  for (const auto& c : b.take_all<unicast_transmit_control>()) a.hear(c, now);
  a.tick(now + 20'000);
  CHECK(a.take_all<unicast_transmit_control>().empty());
}

TEST_CASE("reliable unicast: the receiver's clock decides, and tells a sender whose message came too late") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0, 1000);
  CHECK(b.receive(m, t0 + 1000) == errc::expired);
  CHECK(b.machine.stats().streams_in == 0); // and remembers nothing of it
  const auto acks = b.take_all<unicast_transmit_control>();
  REQUIRE(acks.size() == 1);
  a.hear(acks[0], t0 + 500);
  CHECK(a.told().at(0) == "failed 1 expired");

  const auto next = a.sent('a', 'b', 2, t0, 5000);
  CHECK(b.receive(next, t0 + 1000) == errc::none); // waits for the first
  b.take();
  b.tick(t0 + 5000);
  CHECK(b.told().at(0) == "dropped a>b#2 expired");
  CHECK(b.machine.stats().pending == 0);
}

TEST_CASE("reliable unicast: nonsense from peers is refused or ignored") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  auto bad = m;
  bad.stream.reset();
  CHECK(b.receive(bad, t0) == errc::bad_value);
  bad.stream = stream_position{m.stream->epoch, 0, {}};
  CHECK(b.receive(bad, t0) == errc::bad_value);
  bad.stream = stream_position{0, 1, {}};
  CHECK(b.receive(bad, t0) == errc::bad_value);
  bad.stream = stream_position{m.stream->epoch, 2, {{m.source, m.destination, m.stream->epoch, 1, t0 + 1}}};
  CHECK(b.receive(bad, t0) == errc::bad_value);
  bad.stream = stream_position{(t0 + clock_skew_max_ms) * 1000 + 1, 1, {}};
  CHECK(b.receive(bad, t0) == errc::clock_skew);
  bad = m;
  bad.sent_ms = t0 + clock_skew_max_ms + 1;
  bad.ttl_ms = ttl_max_ms;
  CHECK(b.receive(bad, t0) == errc::clock_skew);
  CHECK(b.machine.stats().streams_in == 0);

  a.control('b', 'a', unicast_ack{m.stream->epoch, 99, {false, true}, {true}, {}, false}, t0); // more than was sent
  CHECK(a.told() == lines{"confirmed 1"});
  a.sent('a', 'b', 2, t0);
  a.control('b', 'a', unicast_ack{m.stream->epoch + 1, 2, {}, {}, {}, false}, t0); // another epoch
  a.control('c', 'a', unicast_ack{m.stream->epoch, 2, {}, {}, {}, false}, t0);     // another engine
  a.control('b', 'a', unicast_settled{}, t0);
  CHECK(a.told().empty());
  CHECK_FALSE(a.machine.receive_control(engine('b'), engine('a'), as_byte_view("x"), t0, a.out));
}

TEST_CASE("reliable unicast: a skip jumps any distance at once, but not over what an engine is handling") {
  script_node a, b;
  const auto epoch = t0 * 1000 + 1;
  b.control('a', 'b', unicast_skip{epoch, INT64_MAX}, t0);
  b.commit(t0);
  CHECK(b.machine.stats().streams_in == 1);
  b.control('a', 'b', unicast_skip{epoch + (clock_skew_max_ms + 1) * 1000, 2}, t0); // an epoch from the future
  CHECK(b.told().back() == "tell b>a ack settled 9223372036854775806");

  script_node d;
  const auto m = a.sent('a', 'b', 1, t0);
  REQUIRE(d.deliver(m, t0).size() == 1);
  d.control('a', 'b', unicast_skip{m.stream->epoch, 1000}, t0);
  d.flush(t0);
  const auto acks = acks_of(d);
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].settled == 0); // the first is still being handled, and counted
  CHECK(d.machine.stats().open == 1);
  d.handled(m, t0);
  d.flush(t0);
  CHECK(acks_of(d).at(0).settled == stream_window_max);
  CHECK(d.machine.stats().open == 0);
}

TEST_CASE("reliable unicast: a destination that moves is sent what was never transmitted; the rest is in doubt") {
  script_node a, old_node, new_node;
  for (message_id i = 1; i <= stream_window_max + 2; ++i) REQUIRE(a.send('a', 'b', i, t0));
  CHECK(old_node.deliver(*a.take_all<unicast_transmit>().at(0).message, t0).size() == 1);
  a.machine.destination_moved(engine('b'), t0 + 1, a.out);
  const auto effects = a.take();
  std::size_t in_doubt = 0;
  for (const auto& line : describe(effects)) in_doubt += line.ends_with("in_doubt");
  CHECK(in_doubt == stream_window_max);
  std::vector<envelope> got;
  for (const auto& e : effects) {
    if (const auto* c = std::get_if<unicast_transmit_control>(&e)) new_node.hear(*c, t0 + 2);
    if (const auto* t = std::get_if<unicast_transmit>(&e))
      for (auto& m : new_node.deliver(*t->message, t0 + 2)) got.push_back(std::move(m));
  }
  REQUIRE(got.size() == 2);
  CHECK(got[0].stream->seq == stream_window_max + 1);
  for (const auto& m : got) new_node.handled(m, t0 + 3);
  new_node.flush(t0 + 3);
  for (const auto& c : new_node.take_all<unicast_transmit_control>()) a.hear(c, t0 + 4);
  CHECK(a.told() == lines{"confirmed 257", "confirmed 258"});
}

TEST_CASE("reliable unicast: a destination that lost its place is told where to go on") {
  script_node a, b, fresh;
  const auto first = a.sent('a', 'b', 1, t0);
  REQUIRE(b.deliver(first, t0).size() == 1);
  b.handled(first, t0);
  b.flush(t0);
  for (const auto& c : b.take_all<unicast_transmit_control>()) a.hear(c, t0);
  a.take();
  const auto second = a.sent('a', 'b', 2, t0);
  CHECK(fresh.deliver(second, t0 + 1000).empty()); // another node, without marks, and no one said so
  fresh.machine.flush(t0 + 1000, fresh.out);
  CHECK(fresh.receive(second, t0 + 1000) == errc::none);
  fresh.flush(t0 + 1000);
  for (const auto& c : fresh.take_all<unicast_transmit_control>()) a.hear(c, t0 + 1000);
  const auto skip = a.take_all<unicast_transmit_control>();
  REQUIRE(skip.size() == 1);
  fresh.hear(skip[0], t0 + 1001);
  fresh.commit(t0 + 1001);
  CHECK(fresh.take_all<unicast_deliver>().size() == 1);
}

TEST_CASE("reliable unicast: engines that stop take their streams with them") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  const auto n = a.sent('a', 'b', 2, t0);
  const auto gap = a.sent('a', 'b', 4 - 1, t0);
  auto late = gap;
  late.stream->seq = 4;
  REQUIRE(b.deliver(m, t0).size() == 1);
  CHECK(b.receive(n, t0) == errc::none);    // its mark is under way
  CHECK(b.receive(late, t0) == errc::none); // behind a gap
  b.machine.engine_removed(engine('b'), t0, b.out);
  CHECK(b.machine.stats().open == 0);
  CHECK(b.machine.stats().pending == 0);
  b.commit(t0);
  const auto effects = b.take();
  CHECK(
      std::none_of(effects.begin(), effects.end(), [](auto& e) { return std::holds_alternative<unicast_deliver>(e); }));
  for (const auto& e : effects)
    if (const auto* c = std::get_if<unicast_transmit_control>(&e)) a.hear(*c, t0);
  auto told = a.told();
  CHECK(std::count(told.begin(), told.end(), "failed 1 in_doubt") == 1);
  CHECK(std::count(told.begin(), told.end(), "failed 2 engine_down") == 1);
  a.machine.engine_removed(engine('a'), t0, a.out);
  CHECK(a.told() == lines{"failed 3 engine_down"});
  CHECK(a.machine.stats().streams_out == 0);
  CHECK(a.machine.stats().queued_octets == 0);

  REQUIRE(a.send('a', 'b', 9, t0));
  a.take();
  a.machine.destination_failed(engine('b'), error{errc::not_found}, t0, a.out);
  CHECK(a.told() == lines{"failed 9 not_found"});
}

TEST_CASE("reliable unicast: idle streams are closed, and forgotten when nothing of them could be replayed") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0, 1000);
  REQUIRE(b.deliver(m, t0).size() == 1);
  b.handled(m, t0);
  b.flush(t0);
  for (const auto& c : b.take_all<unicast_transmit_control>()) a.hear(c, t0);
  a.tick(t0 + a.config.idle_ms);
  CHECK(a.machine.stats().streams_out == 0);
  CHECK(a.sent('a', 'b', 5, t0).stream->epoch > m.stream->epoch);

  const auto keep = std::max<time_ms>(1000 + clock_skew_max_ms, 2 * b.config.idle_ms);
  for (time_ms t = 0; t < keep; t += 1000) b.tick(t0 + t);
  b.write();
  CHECK(b.machine.stats().streams_in == 1);
  CHECK(b.disk.size() == 1);
  b.tick(t0 + keep);
  b.tick(t0 + keep + b.config.handled_lazy_ms);
  b.write();
  CHECK(b.machine.stats().streams_in == 0);
  CHECK(b.disk.empty());
  CHECK(b.receive(m, t0 + keep) == errc::expired);
}

TEST_CASE("reliable unicast: what the receiver refuses is settled with its reason, in its turn, and blocks nothing") {
  script_node a, b;
  std::vector<envelope> m;
  for (message_id i = 1; i <= 3; ++i) m.push_back(a.sent('a', 'b', i, t0));
  REQUIRE(b.machine.refuse(m[1], errc::permission_denied, t0, b.out)); // out of its turn: nothing is held or settled
  b.flush(t0);
  CHECK(b.told() == lines{"tell b>a ack settled 0 lost"});
  CHECK(b.receive(m[2], t0) == errc::none);
  REQUIRE(b.machine.refuse(m[0], errc::permission_denied, t0, b.out));
  REQUIRE(b.machine.refuse(m[0], errc::permission_denied, t0, b.out)); // again: the ack was lost
  REQUIRE(b.machine.refuse(m[1], errc::permission_denied, t0, b.out));
  b.flush(t0);
  const auto effects = b.take();
  const auto text = describe(effects);
  CHECK(std::ranges::count(text, "dropped a>b#1 permission_denied") == 1);
  CHECK(std::ranges::count(text, "dropped a>b#2 permission_denied") == 1);
  for (const auto& e : effects)
    if (const auto* c = std::get_if<unicast_transmit_control>(&e)) a.hear(*c, t0);
  const auto told = a.told();
  CHECK(std::ranges::count(told, "failed 1 permission_denied") == 1);
  CHECK(std::ranges::count(told, "failed 2 permission_denied") == 1);
}
