// Tests of the pool's decisions on messages and dials: queues, expiry, backoff, budgets.
// Not which links there are (pool_links_test.cpp), not two pools together (pool_convergence_test.cpp).
#include "pool_bench.hpp"

using namespace hanse;
using namespace hanse::test;

TEST_CASE("a message to an unknown peer is dropped with no_address") {
  bench_pool b;
  b.send(bob, 1);
  const auto e = b.take();
  REQUIRE(e.dropped.size() == 1);
  CHECK(e.dropped[0].why.code == errc::no_address);
  CHECK(e.dropped[0].message.message.id == 1);
  CHECK(b.machine().counters().dropped.at(errc::no_address) == 1);
}

TEST_CASE("a peer whose addresses are all excluded drops the queue and says why") {
  bench_pool b;
  b.knows(bob, {{"quic://a.org:1", 1}});
  b.send(bob, 1);
  const auto e = b.take();
  REQUIRE(e.dropped.size() == 1);
  CHECK(e.dropped[0].why.code == errc::no_address);
  CHECK(e.dropped[0].why.detail.find("quic") != std::string::npos);
  CHECK(b.machine().explain(bob, {}, b.now).excluded.size() == 1);
}

TEST_CASE("messages wait for the dial and are handed over in order; then they go straight") {
  bench_pool b;
  b.knows(bob, {{"tls://a.org:1", 1}});
  const auto id = b.dial_of(bob);
  b.send(bob, 2);
  b.send(bob, 3);
  CHECK(b.take().dial.empty());
  b.machine().link_up(id, bob, 1, b.now, b.fx);
  auto e = b.take();
  REQUIRE(e.transmit.size() == 1);
  REQUIRE(e.transmit[0].messages.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(e.transmit[0].messages[i].message.id == i + 1);
  REQUIRE(e.up.size() == 1);
  b.send(bob, 4);
  b.send(bob, 5);
  e = b.take();
  REQUIRE(e.transmit.size() == 1); // together
  CHECK(e.transmit[0].messages.size() == 2);
  CHECK(e.transmit[0].link == id);
}

TEST_CASE("addresses are tried in selection order, then the peer waits; wrong_peer is reported and penalised") {
  bench_pool b;
  b.knows(bob, {{"tls://low.org:1", 1}, {"tls://high.org:1", 9}, {"tls://mid.org:1", 5}});
  b.send(bob, 1);
  auto e = b.take();
  std::vector<std::string> tried;
  while (!e.dial.empty()) {
    tried.push_back(e.dial[0].address.host);
    CHECK(e.dial[0].peer == bob);
    const error why{tried.size() == 1 ? errc::wrong_peer : errc::unreachable, "x"};
    b.machine().link_closed(e.dial[0].link, why, b.now, b.fx);
    e = b.take();
    REQUIRE(e.failed.size() == 1);
    CHECK(e.failed[0].why.code == why.code);
  }
  CHECK(tried == std::vector<std::string>{"high.org", "mid.org", "low.org"});
  CHECK(b.machine().counters().dials_failed.at(errc::wrong_peer) == 1);
  b.now = b.machine().next_timer();
  b.machine().tick(b.now, b.fx);
  e = b.take();
  REQUIRE(e.dial.size() == 1);
  CHECK(e.dial[0].address.host == "mid.org"); // high.org goes last now
  CHECK(b.machine().explain(bob, {}, b.now).candidates.back().address.host == "high.org");
}

TEST_CASE("redials back off from 100 ms to 30 s with jitter") {
  std::set<time_ms> first_waits;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    bench_pool b;
    b.random = seeded_random{seed};
    b.knows(bob, {{"tls://a.org:1", 1}});
    b.machine().set_permanent(bob, true, b.now, b.fx);
    time_ms longest = 0;
    for (int i = 0; i < 40; ++i) {
      const auto e = b.take();
      REQUIRE(e.dial.size() == 1);
      b.machine().link_closed(e.dial[0].link, errc::unreachable, b.now, b.fx);
      const auto at = b.machine().next_timer();
      const auto wait = at - b.now;
      CHECK(wait >= 100);
      CHECK(wait <= 30'000);
      if (i < 5) CHECK(wait <= time_ms{200} << i);
      if (i == 0) first_waits.insert(wait);
      if (i > 10) CHECK(wait >= 15'000);
      longest = std::max(longest, wait);
      b.machine().tick(at - 1, b.fx);
      CHECK(b.fx.dial.empty());
      b.now = at;
      b.machine().tick(b.now, b.fx);
    }
    CHECK(longest > 20'000);
  }
  CHECK(first_waits.size() > 10);
}

TEST_CASE("a message to a failing peer does not get around the backoff") {
  bench_pool b;
  b.knows(bob, {{"tls://a.org:1", 1}});
  int dials = 0;
  for (int i = 0; i < 1000; ++i) {
    b.send(bob, 1, 5); // expires before the next dial
    for (const auto& d : b.take().dial) {
      ++dials;
      b.machine().link_closed(d.link, errc::unreachable, b.now, b.fx);
    }
    b.now += 10;
    b.machine().tick(b.now, b.fx);
  }
  CHECK(dials < 12); // 10 s: about 100 ms, 200 ms, 400 ms, …
}

TEST_CASE("a link that breaks as soon as it is up does not spin") {
  bench_pool b;
  b.knows(bob, {{"tls://a.org:1", 1}});
  b.machine().set_permanent(bob, true, b.now, b.fx);
  int dials = 0;
  const auto end = b.now + 60'000;
  while (b.now < end) {
    const auto e = b.take();
    for (const auto& d : e.dial) {
      ++dials;
      b.machine().link_up(d.link, bob, 1, b.now, b.fx);
      b.machine().link_closed(d.link, errc::untrusted, b.now, b.fx);
    }
    b.now = std::max(b.now + 1, b.machine().next_timer());
    b.machine().tick(b.now, b.fx);
  }
  CHECK(dials < 15);
}

TEST_CASE("messages expire in the queue, as unreachable once a dial has failed") {
  bench_pool b;
  b.knows(bob, {{"tls://a.org:1", 1}});
  const auto id = b.dial_of(bob);
  b.send(bob, 2, 1000);
  b.send(bob, 3, 2000);
  (void)b.take();
  b.now += 1000;
  b.machine().tick(b.now, b.fx);
  auto e = b.take();
  REQUIRE(e.dropped.size() == 1);
  CHECK(e.dropped[0].message.message.id == 2);
  CHECK(e.dropped[0].why.code == errc::expired);
  b.machine().link_closed(id, {errc::handshake_failed, "because"}, b.now, b.fx);
  b.now += 1000;
  b.machine().tick(b.now, b.fx);
  e = b.take();
  REQUIRE(e.dropped.size() == 1);
  CHECK(e.dropped[0].message.message.id == 3);
  CHECK(e.dropped[0].why.code == errc::unreachable);
  CHECK(e.dropped[0].why.detail == "handshake_failed: because");
  CHECK(b.machine().report(bob)->queued == 1);
}

TEST_CASE("when no address can be dialled, what may go another way is given back, and the rest waits") {
  bench_pool b;
  b.knows(bob, {{"tls://a.org:1", 2}, {"tls://b.org:1", 1}});
  auto dialled = b.dial_of(bob, 1);
  for (std::uint64_t id = 2; id < 6; ++id) {
    auto m = message_of(id, b.now);
    m.message.transport = {id == 2, id == 3, id == 4 ? security_kind::encrypted : security_kind::any};
    b.machine().send(bob, std::move(m), b.now, b.fx);
  }
  b.machine().link_closed(dialled, errc::unreachable, b.now, b.fx);
  auto e = b.take();
  CHECK(e.exhausted.empty()); // the other address is tried first
  REQUIRE(e.dial.size() == 1);
  b.machine().link_closed(e.dial[0].link, errc::unreachable, b.now, b.fx);
  CHECK(b.take().exhausted == std::vector{bob});
  const auto others = b.machine().take_undemanding(bob, b.now);
  REQUIRE(others.size() == 1);
  CHECK(others[0].message.id == 5);
  CHECK(b.machine().report(bob)->queued == 4);
  CHECK(b.machine().take_undemanding(bob, b.now).empty());
}

TEST_CASE("an expired message is not handed to a link that comes up late") {
  bench_pool b;
  b.knows(bob, {{"tls://a.org:1", 1}});
  const auto id = b.dial_of(bob);
  b.send(bob, 2, 100);
  b.now += 5000;
  b.machine().link_up(id, bob, 1, b.now, b.fx);
  const auto e = b.take();
  CHECK(e.transmit[0].messages.size() == 1);
  REQUIRE(e.dropped.size() == 1);
  CHECK(e.dropped[0].why.code == errc::expired);
}

TEST_CASE("a full queue drops the newest message, by number or by octets") {
  bench_pool b;
  b.knows(bob, {{"tls://a.org:1", 1}});
  for (std::uint64_t i = 1; i <= 1030; ++i) b.send(bob, i);
  auto e = b.take();
  REQUIRE(e.dropped.size() == 6);
  CHECK(e.dropped[0].message.message.id == 1025);
  CHECK(e.dropped[0].why.code == errc::queue_full);
  CHECK(b.machine().counters().dropped.at(errc::queue_full) == 6);
  bench_pool c;
  c.knows(bob, {{"tls://a.org:1", 1}});
  for (std::uint64_t i = 1; i <= 10; ++i) c.send(bob, i, 30'000, 900'000);
  CHECK(c.take().dropped.size() == 1); // 9 x 900,256 fit 8 MiB
  CHECK(c.machine().report(bob)->queued == 9);
}

TEST_CASE("a link takes what its budget allows, the rest waits and goes on when there is room") {
  bench_pool b;
  const auto id = b.connected(bob);
  b.machine().set_budget(id, 1000, b.now, b.fx);
  for (std::uint64_t i = 1; i <= 10; ++i) b.send(bob, i); // 256 each
  auto e = b.take();
  REQUIRE(e.transmit.size() == 1);
  CHECK(e.transmit[0].messages.size() == 4);
  CHECK(b.machine().report(bob)->queued == 6);
  b.machine().set_budget(id, 512, b.now, b.fx);
  e = b.take();
  REQUIRE(e.transmit.size() == 1);
  CHECK(e.transmit[0].messages.size() == 2);
  CHECK(e.transmit[0].messages[0].message.id == 5);
}

TEST_CASE("messages that are given back go first, and to whatever link there is") {
  bench_pool b;
  const auto id = b.connected(bob);
  b.machine().set_budget(id, 0, b.now, b.fx);
  b.send(bob, 7);
  std::vector<outbound> back;
  back.push_back(message_of(5, b.now));
  back.push_back(message_of(6, b.now));
  b.machine().give_back(bob, std::move(back), b.now, b.fx);
  CHECK(b.take().transmit.empty());
  b.machine().set_budget(id, 10'000, b.now, b.fx);
  const auto e = b.take();
  REQUIRE(e.transmit.size() == 1);
  REQUIRE(e.transmit[0].messages.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(e.transmit[0].messages[i].message.id == i + 5);
}
