// Tests of the pool's decisions on links: limits, which of two stays, ends, and random calls.
// Not messages and dials (pool_test.cpp), not two pools together (pool_convergence_test.cpp).
#include "pool_bench.hpp"

using namespace hanse;
using namespace hanse::test;

TEST_CASE("at most 64 handshakes are under way, at most 48 each way; the others get their turn") {
  bench_pool b;
  std::vector<link_id> dials;
  for (std::uint32_t i = 0; i < 100; ++i) {
    b.knows(peer_number(i), {{"tls://a.org:1", 1}});
    b.send(peer_number(i), 1);
  }
  for (const auto& d : b.take().dial) dials.push_back(d.link);
  CHECK(dials.size() == 48);
  std::vector<link_id> accepted;
  for (int i = 0; i < 100; ++i)
    if (const auto id = b.machine().accept(b.now, b.fx)) accepted.push_back(*id);
  CHECK(accepted.size() == 16);
  CHECK(b.machine().handshakes() == 64);
  CHECK(b.machine().accept(b.now, b.fx).code() == errc::table_full);
  CHECK(b.machine().counters().accepts_refused == 85);
  // Whenever one ends, whichever way, another begins.
  for (std::size_t i = 0; i < dials.size() && dials.size() < 100; ++i) {
    b.machine().link_up(dials[i], *b.machine().peer_of(dials[i]), 1, b.now, b.fx);
    for (const auto& d : b.take().dial) dials.push_back(d.link);
    CHECK(b.machine().handshakes() <= 64);
  }
  CHECK(dials.size() == 100);
  bench_pool in;
  std::size_t taken = 0;
  for (int i = 0; i < 100; ++i) taken += in.machine().accept(in.now, in.fx).has_value();
  CHECK(taken == 48);
  in.machine().link_closed(1, errc::timed_out, in.now, in.fx);
  CHECK(in.machine().accept(in.now, in.fx));
}

TEST_CASE("links are bounded, and an idle one makes room") {
  bench_pool b;
  b.config.links_max = 3;
  std::vector<link_id> links;
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto id = b.machine().accept(b.now, b.fx);
    REQUIRE(id);
    b.machine().link_up(*id, peer_number(i), 1, b.now, b.fx);
    links.push_back(*id);
    b.now += 100;
  }
  (void)b.take();
  CHECK(b.machine().accept(b.now, b.fx).code() == errc::table_full);
  CHECK(b.take().close.empty()); // none is idle for long
  b.now += 60'000;
  b.machine().active(links[0], b.now);
  CHECK(b.machine().accept(b.now, b.fx).code() == errc::table_full);
  const auto e = b.take();
  REQUIRE(e.close.size() == 1);
  CHECK(e.close[0].link == links[1]);
  CHECK(e.close[0].graceful);
  CHECK(e.down.size() == 1);
  b.machine().link_closed(links[1], errc::table_full, b.now, b.fx);
  CHECK(b.machine().accept(b.now, b.fx));
}

TEST_CASE("of two links to one peer the one dialled by the smaller identity stays, in either order") {
  for (const bool we_are_smaller : {true, false}) {
    for (const bool ours_first : {true, false}) {
      bench_pool b;
      const identity one = key_of(1).identity(), two = key_of(2).identity();
      b.config.self = we_are_smaller == (one < two) ? one : two;
      const identity peer = b.config.self == one ? two : one;
      b.knows(peer, {{"tls://a.org:1", 1}});
      const auto ours = b.dial_of(peer);
      const auto theirs = *b.machine().accept(b.now, b.fx);
      b.machine().link_up(ours_first ? ours : theirs, peer, 1, b.now, b.fx);
      b.machine().link_up(ours_first ? theirs : ours, peer, 1, b.now, b.fx);
      const auto e = b.take();
      CHECK(b.machine().link_of(peer) == (we_are_smaller ? ours : theirs));
      REQUIRE(e.close.size() == 1);
      CHECK(e.close[0].link == (we_are_smaller ? theirs : ours));
      CHECK(e.close[0].why.code == errc::duplicate_link);
      CHECK(e.close[0].graceful);
      CHECK(e.up.size() == 1);
      CHECK(e.down.empty());
    }
  }
}

TEST_CASE("a restarted peer's new link replaces the old one, whoever dialled it") {
  for (const std::uint64_t new_life : {1, 2}) {
    bench_pool b; // self is key 1
    const identity peer = key_of(2).identity();
    const bool ours_stays = b.config.self < peer && new_life == 1;
    const auto ours = b.connected(peer);
    const auto theirs = *b.machine().accept(b.now, b.fx);
    b.machine().link_up(theirs, peer, new_life, b.now, b.fx);
    const auto e = b.take();
    CHECK(b.machine().link_of(peer) == (ours_stays ? ours : theirs));
    if (new_life == 2) {
      CHECK(e.down.size() == 1);
      CHECK(e.up.size() == 1);
      CHECK_FALSE(e.close[0].graceful);
    }
  }
}

TEST_CASE("a link closed as duplicate is given time to be replaced before the peer counts as down") {
  bench_pool b;
  const auto id = b.connected(bob);
  b.machine().link_closed(id, errc::duplicate_link, b.now, b.fx);
  CHECK(b.take().down.empty());
  b.send(bob, 9);
  CHECK(b.take().dial.empty());
  b.now = b.machine().next_timer();
  b.machine().tick(b.now, b.fx);
  const auto e = b.take();
  CHECK(e.down.size() == 1);
  CHECK(e.dial.size() == 1); // nothing came, so we dial
}

TEST_CASE("disconnect closes, drops and forgets") {
  bench_pool b;
  const auto id = b.connected(bob);
  b.machine().set_budget(id, 0, b.now, b.fx);
  b.send(bob, 9);
  b.machine().disconnect(bob, {errc::untrusted, "banned"}, b.now, b.fx);
  const auto e = b.take();
  REQUIRE(e.close.size() == 1);
  CHECK_FALSE(e.close[0].graceful);
  CHECK(e.dropped[0].why.code == errc::untrusted);
  CHECK(e.down.size() == 1);
  CHECK_FALSE(b.machine().knows(bob));
  CHECK(b.machine().next_timer() == UINT64_MAX);
  b.machine().link_closed(id, errc::untrusted, b.now, b.fx);
  CHECK(b.machine().links() == 0);
  CHECK(b.take().empty());
}

TEST_CASE("shutdown ends links gracefully and takes nothing new") {
  bench_pool b;
  const auto id = b.connected(bob);
  b.machine().shutdown(errc::cancelled, b.now, b.fx);
  const auto e = b.take();
  REQUIRE(e.close.size() == 1);
  CHECK(e.close[0].link == id);
  CHECK(e.close[0].graceful);
  CHECK(b.machine().accept(b.now, b.fx).code() == errc::cancelled);
  b.send(bob, 1);
  CHECK(b.take().dropped[0].why.code == errc::cancelled);
}

TEST_CASE("a peer without link and messages is forgotten after a minute") {
  bench_pool b;
  b.knows(bob, {{"tls://a.org:1", 1}});
  CHECK(b.machine().knows(bob));
  b.now += 60'000;
  b.machine().tick(b.now, b.fx);
  CHECK_FALSE(b.machine().knows(bob));
  CHECK(b.machine().next_timer() == UINT64_MAX);
}

TEST_CASE("peers are bounded, also against strangers that connect") {
  bench_pool b;
  b.config.peers_max = 2;
  b.knows(peer_number(1), {{"tls://a.org:1", 1}});
  b.knows(peer_number(2), {{"tls://a.org:1", 1}});
  CHECK(b.machine().set_addresses(peer_number(3), {}, address_origin::advertised, b.now, b.fx).code() ==
        errc::table_full);
  const auto id = *b.machine().accept(b.now, b.fx);
  b.machine().link_up(id, peer_number(4), 1, b.now, b.fx);
  const auto e = b.take();
  REQUIRE(e.close.size() == 1);
  CHECK(e.close[0].why.code == errc::table_full);
  CHECK(e.up.empty());
}

TEST_CASE("random calls never break the pool's bounds, and every link that closed is forgotten") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    bench_pool b;
    b.random = seeded_random{seed};
    b.config.links_max = 20;
    b.config.handshakes_max = 8;
    b.config.handshakes_max_each_way = 6;
    seeded_random r{seed * 31};
    std::set<link_id> open;
    std::map<link_id, identity> dialled;
    const auto learn = [&] {
      auto e = b.take();
      for (const auto& d : e.dial) {
        open.insert(d.link);
        dialled[d.link] = d.peer;
      }
      for (const auto& c : e.close) CHECK(open.contains(c.link));
      for (const auto& t : e.transmit) CHECK(open.contains(t.link));
    };
    const auto any_open = [&] { return *std::next(open.begin(), static_cast<std::ptrdiff_t>(r.below(open.size()))); };
    for (int i = 0; i < 600; ++i) {
      const auto peer = peer_number(static_cast<std::uint32_t>(r.below(30)));
      switch (r.below(10)) {
      case 0:
        b.knows(peer, {{"tls://a.org:1", 1}, {"tls://b.org:1", 1}});
        break;
      case 1:
      case 2:
        b.send(peer, 1, static_cast<std::uint32_t>(1 + r.below(5000)));
        break;
      case 3:
        if (const auto id = b.machine().accept(b.now, b.fx)) open.insert(*id);
        break;
      case 4:
      case 5:
        if (!open.empty()) {
          const auto id = any_open();
          b.machine().link_up(id, dialled.contains(id) ? dialled[id] : peer, r.below(2), b.now, b.fx);
        }
        break;
      case 6:
      case 7:
        if (!open.empty()) {
          const auto id = any_open();
          open.erase(id);
          const errc codes[] = {errc::duplicate_link, errc::unreachable, errc::link_closed, errc::wrong_peer};
          b.machine().link_closed(id, codes[r.below(4)], b.now, b.fx);
        }
        break;
      case 8:
        b.machine().set_permanent(peer, r.below(2) == 0, b.now, b.fx);
        break;
      default:
        b.now += r.below(20'000);
        b.machine().tick(b.now, b.fx);
      }
      learn();
      CHECK(b.machine().handshakes() <= 8);
      CHECK(b.machine().links() <= 20);
      CHECK(b.machine().links() == open.size());
    }
    b.machine().shutdown(errc::cancelled, b.now, b.fx);
    learn();
    for (const auto id : open) b.machine().link_closed(id, errc::cancelled, b.now, b.fx);
    CHECK(b.machine().links() == 0);
    CHECK(b.machine().handshakes() == 0);
  }
}
