// The replay window against a plain set of all ids ever accepted, its restarts, its bounds and what it costs.
// Not reliable streams, whose retransmissions never come here.
#include "protocols/allocations.hpp"
#include "protocols/samples.hpp"

#include "hanse/protocols/message_clock.hpp"
#include "hanse/protocols/replay_window.hpp"

#include <set>

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms start = 1'700'000'000'000;
constexpr message_id start_id = start * 1000;

/// Writes the mark that is due, if any.
void sync(replay_window& w, time_ms now) {
  if (const auto mark = w.mark_to_persist(now)) w.persisted(*mark);
}

/// Accepts as a node does: what waits is asked again after a commit.
errc take(replay_window& w, const identity& from, message_id id, time_ms now, time_ms expires = 0) {
  if (expires == 0) expires = now + 1000;
  auto v = w.accept(from, test::id(2), id, expires, now);
  if (v && *v == replay_verdict::wait) {
    sync(w, now);
    v = w.accept(from, test::id(2), id, expires, now);
    CHECK((!v || *v == replay_verdict::fresh));
  }
  return v.code();
}

identity numbered(std::uint64_t n) {
  std::array<std::byte, 32> octets{};
  for (std::size_t i = 0; i < 8; ++i) octets[i] = static_cast<std::byte>(n * 0x9e3779b97f4a7c15u >> (8 * i));
  return identity::trusted(identity_kind::individual, octets);
}

} // namespace

TEST_CASE("replay window: each id once, in any order, per source and destination") {
  replay_window w;
  const auto a = numbered(1), b = numbered(3);
  CHECK(take(w, a, start_id + 5, start) == errc::none);
  CHECK(take(w, a, start_id + 3, start) == errc::none);
  CHECK(take(w, a, start_id + 4, start) == errc::none);
  for (message_id i = 3; i <= 5; ++i) CHECK(take(w, a, start_id + i, start) == errc::replayed);
  CHECK(take(w, b, start_id + 5, start) == errc::none);
  CHECK(*w.accept(a, numbered(9), start_id + 5, start + 1000, start) == replay_verdict::fresh);
  CHECK(w.seen(a, test::id(2), start_id + 4));
  CHECK_FALSE(w.seen(a, test::id(2), start_id + 6));
}

TEST_CASE("replay window: nothing is accepted above what is durable; a message waits for the commit") {
  replay_window w;
  const auto a = numbered(1);
  const auto ask = [&](message_id id) { return *w.accept(a, test::id(2), id, start + 1000, start); };
  CHECK(ask(start_id) == replay_verdict::wait);
  CHECK(ask(start_id) == replay_verdict::wait); // nothing was recorded
  const auto mark = w.mark_to_persist(start);
  REQUIRE(mark);
  CHECK(*mark >= start_id);
  CHECK_FALSE(w.mark_to_persist(start)); // once
  CHECK(ask(start_id) == replay_verdict::wait);
  w.persisted(*mark + 10'000'000); // not more than was asked for
  CHECK(ask(start_id) == replay_verdict::fresh);
  CHECK(ask(*mark + 1) == replay_verdict::wait);
}

TEST_CASE("replay window: marks stay ahead of steady traffic, and an idle node writes none") {
  replay_window w;
  const auto a = numbered(1);
  CHECK(take(w, a, start_id, start) == errc::none);
  for (time_ms t = 1; t < 10'000; t += 10) {
    sync(w, start + t);
    CHECK(*w.accept(a, test::id(2), start_id + t * 1000, start + t + 1000, start + t) == replay_verdict::fresh);
  }
  sync(w, start + 20'000);
  for (time_ms t = 20'000; t < 100'000; t += 1000) CHECK_FALSE(w.mark_to_persist(start + t));
}

TEST_CASE("replay window: a restart refuses everything up to the mark, and honest ids rise above the floor") {
  const auto a = numbered(1);
  message_id durable = 0;
  {
    replay_window w;
    CHECK(*w.accept(a, test::id(2), start_id, start + 1000, start) == replay_verdict::wait);
    durable = *w.mark_to_persist(start);
    w.persisted(durable);
    CHECK(take(w, a, start_id, start) == errc::none);
  }
  replay_window w{durable};
  CHECK(w.floor() == durable);
  CHECK(take(w, a, start_id, start) == errc::replayed);
  CHECK(take(w, a, durable, start) == errc::replayed);
  message_clock sender{start_id};
  sender.persisted(*sender.lease_to_persist(start_id));
  sender.raise_to(w.floor(), start_id);
  CHECK(take(w, a, *sender.next(start_id), start) == errc::none);
}

TEST_CASE("replay window: a forged id moves the mark no further than honest clocks may be raised") {
  replay_window w;
  const auto top = (start + clock_skew_max_ms) * 1000;
  CHECK(take(w, numbered(1), top, start) == errc::none);
  CHECK(take(w, numbered(1), top + 1, start) == errc::clock_skew);
  while (const auto mark = w.mark_to_persist(start)) {
    CHECK(*mark <= top);
    w.persisted(*mark);
  }
}

TEST_CASE("replay window: times outside of what is remembered are refused") {
  replay_window w;
  const auto a = numbered(1);
  const auto now = start + 10'000'000;
  CHECK(take(w, a, start_id, now, now - clock_skew_max_ms) == errc::none);
  CHECK(take(w, a, start_id + 1, now, now - clock_skew_max_ms - 1) == errc::expired);
  CHECK(take(w, a, start_id + 2, now, now + ttl_max_ms + clock_skew_max_ms) == errc::none);
  CHECK(take(w, a, start_id + 3, now, now + ttl_max_ms + clock_skew_max_ms + 1) == errc::clock_skew);
}

TEST_CASE("replay window: reordering by up to half a window is let through, older ids count as seen") {
  replay_window w;
  const auto a = numbered(1);
  for (message_id i = 1; i <= 3000; ++i)
    if (i != 2600) REQUIRE(take(w, a, start_id + i * 1000, start) == errc::none);
  CHECK(take(w, a, start_id + 2600 * 1000, start) == errc::none);
  CHECK(take(w, a, start_id + 2600 * 1000, start) == errc::replayed);
  CHECK(take(w, a, start_id + 500, start) == errc::replayed);
  CHECK(w.remembered_ids() <= replay_window_size);
}

TEST_CASE("replay window: agrees with a set of everything accepted, over restarts and clocks that go back") {
  const auto seed = fresh_seed();
  CAPTURE(seed);
  std::mt19937_64 rng{seed};
  std::set<std::pair<std::uint64_t, message_id>> accepted;
  std::vector<std::pair<std::uint64_t, message_id>> sent;
  message_id durable = 0;
  std::size_t fresh = 0;
  auto now = start;
  for (int life = 0; life < 50; ++life) {
    replay_window w{durable};
    for (int i = 0; i < 400; ++i) {
      now += rng() % 50;
      if (rng() % 10 == 0) w.sweep(now);
      if (const auto mark = w.mark_to_persist(now); mark && rng() % 2 != 0) {
        durable = *mark;
        w.persisted(*mark);
      }
      auto m = std::pair{rng() % 4, std::max(now * 1000, w.floor()) + rng() % 3000};
      if (!sent.empty() && rng() % 3 == 0) m = sent[rng() % sent.size()]; // a replay, or a late duplicate
      sent.push_back(m);
      const auto v = w.accept(numbered(m.first), test::id(2), m.second, m.second / 1000 + 200, now);
      if (!v || *v != replay_verdict::fresh) continue;
      REQUIRE(accepted.insert(m).second);
      ++fresh;
    }
    now -= std::min<time_ms>(now - start, rng() % 5000);
  }
  CHECK(fresh > 3000);
}

TEST_CASE("replay window: full of live pairs it refuses new ones, and forgets dead ones") {
  replay_window w;
  for (std::size_t i = 0; i < replay_pairs_max; ++i)
    REQUIRE(take(w, numbered(i + 10), start_id + i, start, start + 5000) == errc::none);
  CHECK(take(w, numbered(1), start_id, start) == errc::table_full);
  CHECK(take(w, numbered(10), start_id + 1, start) == errc::none); // a known pair goes on
  const auto later = start + 5000 + clock_skew_max_ms;
  CHECK(take(w, numbered(1), later * 1000, later) == errc::table_full);
  CHECK(take(w, numbered(1), later * 1000, later + 1001) == errc::none);
  CHECK(w.size() == 1);
  CHECK(w.remembered_ids() == 1);
}

TEST_CASE("replay window: a known pair whose window has grown costs no allocation") {
  replay_window w;
  const auto a = numbered(1);
  const auto to = test::id(2);
  for (message_id i = 1; i <= 2000; ++i) REQUIRE(take(w, a, start_id + i, start) == errc::none);
  sync(w, start);
  CHECK(allocations_by([&] {
          for (message_id i = 2001; i <= 4000; ++i) (void)w.accept(a, to, start_id + i, start + 1000, start);
        }) == 0);
  CHECK(w.seen(a, to, start_id + 4000));
}

TEST_CASE("replay window: a mark of a clock that was ahead leaves room for what honest peers send") {
  const auto highest = (start + clock_skew_max_ms) * 1000;
  CHECK(floor_at_start(0, start) == 0);
  CHECK(floor_at_start(highest, start) == highest);
  CHECK(floor_at_start(highest + 1, start) == highest);
  CHECK(floor_at_start(highest + 3'600'000'000, start) == highest);
}
