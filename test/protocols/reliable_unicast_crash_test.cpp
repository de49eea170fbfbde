// Reliable unicast across kill -9, step by step: what was not marked comes again, what was marked and perhaps handled
// is in doubt, what was durably handled is acknowledged. Nothing is delivered twice.
#include "protocols/reliable_unicast_script.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms t0 = script_start;

/// What the sender hears when it retransmits `m` to `b`.
lines retransmit(script_node& a, script_node& b, const envelope& m, time_ms now) {
  CHECK(b.receive(m, now) == errc::none);
  b.commit(now);
  lines heard;
  for (auto& e : b.take()) {
    if (const auto* c = std::get_if<unicast_transmit_control>(&e)) a.hear(*c, now);
    if (std::holds_alternative<unicast_deliver>(e)) heard.push_back("delivered");
  }
  for (auto& line : a.told()) heard.push_back(line);
  return heard;
}

} // namespace

TEST_CASE("reliable unicast crash: before the mark is durable the message comes again") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  CHECK(b.receive(m, t0) == errc::none);
  b.flush(t0); // the commit never makes it to the disk
  b.crash();
  CHECK(retransmit(a, b, m, t0 + 1000) == lines{"delivered"});
}

TEST_CASE("reliable unicast crash: after the mark and before anything else the message is in doubt") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  CHECK(b.receive(m, t0) == errc::none);
  b.flush(t0);
  b.write(); // durable, not reported: nothing was delivered, but nobody can tell
  b.crash();
  CHECK(retransmit(a, b, m, t0 + 1000) == lines{"failed 1 in_doubt"});
  CHECK(b.deliver(m, t0 + 2000).empty());
}

TEST_CASE("reliable unicast crash: delivered, or handled and not durably so, is in doubt as well") {
  for (const bool handled : {false, true}) {
    script_node a, b;
    const auto m = a.sent('a', 'b', 1, t0);
    REQUIRE(b.deliver(m, t0).size() == 1);
    if (handled) b.handled(m, t0);
    b.crash();
    CHECK(retransmit(a, b, m, t0 + 1000) == lines{"failed 1 in_doubt"});
  }
}

TEST_CASE("reliable unicast crash: what is durably handled is acknowledged, with its error") {
  for (const auto result : {errc::none, errc::schema_mismatch}) {
    script_node a, b;
    const auto m = a.sent('a', 'b', 1, t0);
    REQUIRE(b.deliver(m, t0).size() == 1);
    b.handled(m, t0, result);
    b.tick(t0 + b.config.handled_lazy_ms); // no other commit came by
    b.write();
    b.crash();
    CHECK(retransmit(a, b, m, t0 + 2000) == lines{result == errc::none ? "confirmed 1" : "failed 1 schema_mismatch"});
  }
}

TEST_CASE("reliable unicast crash: handled marks travel with the next commit, of whatever stream") {
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  const auto other = a.sent('c', 'd', 2, t0);
  REQUIRE(b.deliver(m, t0).size() == 1);
  b.handled(m, t0);
  REQUIRE(b.deliver(other, t0 + 1).size() == 1);
  b.crash();
  CHECK(retransmit(a, b, m, t0 + 1000) == lines{"confirmed 1"});
}

TEST_CASE("reliable unicast crash: what is in doubt does not stop what follows") {
  script_node a, b;
  const auto first = a.sent('a', 'b', 1, t0);
  const auto second = a.sent('a', 'b', 2, t0);
  REQUIRE(b.deliver(first, t0).size() == 1);
  b.crash();
  CHECK(b.deliver(second, t0 + 10).size() == 1);
  b.handled(second, t0 + 11);
  b.flush(t0 + 11);
  for (const auto& c : b.take_all<unicast_transmit_control>()) a.hear(c, t0 + 12);
  CHECK(a.told() == lines{"failed 1 in_doubt", "confirmed 2"});
}

TEST_CASE("reliable unicast crash: held messages are lost with the receiver and come again at once") {
  script_node a, b;
  const auto first = a.sent('a', 'b', 1, t0);
  const auto second = a.sent('a', 'b', 2, t0);
  CHECK(b.receive(second, t0) == errc::none);
  b.flush(t0);
  for (const auto& c : b.take_all<unicast_transmit_control>()) a.hear(c, t0 + 1);
  b.crash();
  CHECK(b.deliver(first, t0 + 100).size() == 1);
  b.handled(first, t0 + 100);
  b.flush(t0 + 100);
  for (const auto& c : b.take_all<unicast_transmit_control>()) a.hear(c, t0 + 101); // does not say held any more
  a.take();
  std::size_t again = 0;
  for (auto now = t0 + 102; now < t0 + 2500; now += 50) {
    a.tick(now);
    for (const auto& t : a.take_all<unicast_transmit>()) again += t.message->stream->seq == 2;
  }
  CHECK(again > 0);
}

TEST_CASE("reliable unicast crash: a sender begins a new epoch, and its earlier life is refused") {
  script_node a, b;
  const auto first = a.sent('a', 'b', 1, t0);
  const auto second = a.sent('a', 'b', 2, t0);
  const auto third = a.sent('a', 'b', 3, t0);
  REQUIRE(b.deliver(first, t0).size() == 1);
  CHECK(b.receive(third, t0) == errc::none); // waits for the second
  a.crash();
  const auto reborn = a.sent('a', 'b', 4, t0 + 100);
  CHECK(reborn.stream->epoch > first.stream->epoch);
  CHECK(reborn.stream->seq == 1);
  b.take();
  CHECK(b.deliver(reborn, t0 + 101).size() == 1);
  CHECK(b.machine.stats().pending == 0);
  CHECK(b.receive(second, t0 + 102) == errc::replayed);
  CHECK(b.machine.stats().open == 2); // the first is still being handled
  b.handled(first, t0 + 103);
  b.handled(reborn, t0 + 103);
  CHECK(b.machine.stats().open == 0);
  b.crash(); // the new epoch is durable
  CHECK(b.receive(second, t0 + 104) == errc::replayed);
}

TEST_CASE("reliable unicast crash: damaged records are refused") {
  script_node a, b;
  for (message_id i = 1; i <= 5; ++i) {
    const auto m = a.sent('a', 'b', i, t0);
    REQUIRE(b.deliver(m, t0).size() == 1);
    if (i == 2) b.handled(m, t0, errc::engine_error);
  }
  REQUIRE(b.disk.size() == 1);
  const auto key = b.disk.begin()->first, value = b.disk.begin()->second;
  seeded_random random{1};
  {
    reliable_unicast fresh{random};
    CHECK(fresh.restore(key, value));
  }
  for_each_other_length(value, [&](byte_view bad) {
    reliable_unicast fresh{random};
    CHECK_FALSE(fresh.restore(key, bad));
  });
  for_each_bit_flip(value, [&](byte_view bad) { // some are other, valid records: none may do harm
    script_node other;
    other.disk[key] = to_bytes(bad);
    reliable_unicast fresh{random};
    if (!fresh.restore(key, bad)) return;
    other.crash();
    (void)other.deliver(a.sent('x', 'b', 1, t0), t0);
    other.tick(t0 + 10'000);
  });
  for_each_other_length(key, [&](byte_view bad) {
    reliable_unicast fresh{random};
    CHECK_FALSE(fresh.restore(bad, value));
  });
  reliable_config c;
  c.streams_max = 1;
  reliable_unicast full{random, c};
  CHECK(full.restore(key, value));
  bytes other_key = key;
  other_key[5] ^= std::byte{1};
  CHECK(full.restore(other_key, value).code() == errc::table_full);
}

TEST_CASE("reliable unicast crash: a life whose clock is an hour ahead does not forget what can still come again") {
  constexpr time_ms hour = 3'600'000;
  script_node a, b;
  const auto m = a.sent('a', 'b', 1, t0);
  REQUIRE(b.deliver(m, t0).size() == 1);
  b.handled(m, t0);
  b.tick(t0 + 2000); // writes that it was handled
  b.commit(t0 + 2000);
  b.crash();
  for (time_ms t = t0 + hour; t < t0 + hour + 10'000; t += 1000) { // ten seconds of another time
    b.tick(t);
    b.commit(t);
  }
  b.crash();
  CHECK(b.deliver(m, t0 + 13'000).empty());
  for (time_ms t = t0 + 14'000; t < t0 + 3 * hour; t += 60'000) {
    b.tick(t);
    b.commit(t);
  }
  CHECK(b.machine.stats().streams_in == 0); // in the end it does
}
