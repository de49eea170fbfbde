// Message ids: they rise strictly, through clocks that stand still or go back, raises by peers, and restarts.
// Not the replay check that relies on it (replay_window_test.cpp).
#include "protocols/samples.hpp"

#include "hanse/protocols/message_clock.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_us start = 1'700'000'000'000'000;

/// A clock whose leases become durable at once.
message_clock running(time_us now, message_id lease = 0) {
  message_clock c{lease};
  const auto due = c.lease_to_persist(now);
  REQUIRE(due);
  c.persisted(*due);
  return c;
}

} // namespace

TEST_CASE("message clock: ids are the clock's microseconds, and rise when it stands still or goes back") {
  auto c = running(start);
  CHECK(c.next(start) == start);
  CHECK(c.next(start) == start + 1);
  CHECK(c.next(start - 1'000'000) == start + 2);
  CHECK(c.next(start + 100) == start + 100);
  CHECK(c.last() == start + 100);
}

TEST_CASE("message clock: no id is handed out before a lease above it is durable") {
  message_clock c;
  CHECK_FALSE(c.next(start));
  const auto lease = c.lease_to_persist(start);
  REQUIRE(lease);
  CHECK(*lease == start + message_lease_us);
  CHECK_FALSE(c.next(start));
  c.persisted(*lease + 1'000'000);                       // more than was asked for is not believed
  CHECK(c.next(start + 2 * message_lease_us) == *lease); // behind the clock rather than above the lease
  CHECK_FALSE(c.next(start + 2 * message_lease_us));
}

TEST_CASE("message clock: leases are asked for in time, once each, and not by an idle node") {
  auto c = running(start);
  CHECK_FALSE(c.lease_to_persist(start));
  CHECK(c.next(start));
  CHECK_FALSE(c.lease_to_persist(start + message_lease_us / 2 - 1));
  const auto next = c.lease_to_persist(start + message_lease_us / 2);
  REQUIRE(next);
  CHECK(*next == start + message_lease_us / 2 + message_lease_us);
  CHECK_FALSE(c.lease_to_persist(start + 100 * message_lease_us)); // nothing was sent since
  c.persisted(*next);
  CHECK(c.next(start + 100 * message_lease_us) == *next);
  CHECK(c.lease_to_persist(start + 100 * message_lease_us));
}

TEST_CASE("message clock: a restart begins above the lease, whatever the clock says") {
  auto c = running(start);
  const auto last = c.next(start + message_lease_us);
  REQUIRE(last);
  auto again = running(start - 3600'000'000ull, start + message_lease_us);
  CHECK(*again.next(start - 3600'000'000ull) > *last);
}

TEST_CASE("message clock: a peer's floor raises it, a far one only as far as the skew that is allowed") {
  auto c = running(start);
  CHECK(c.raise_to(start + 500, start));
  CHECK(c.next(start) == start + 501);
  CHECK(c.raise_to(start + 7, start)); // lower: nothing to do
  CHECK(c.next(start) == start + 502);
  CHECK_FALSE(c.raise_to(UINT64_MAX, start));
  CHECK(c.last() == start + clock_skew_max_ms * 1000);
  CHECK_FALSE(c.next(start)); // above the lease by now
  const auto lease = c.lease_to_persist(start);
  REQUIRE(lease);
  c.persisted(*lease);
  CHECK(c.next(start) == start + clock_skew_max_ms * 1000 + 1);
}

TEST_CASE("message clock: through any course of clocks, raises and crashes no id comes twice") {
  const auto seed = fresh_seed();
  CAPTURE(seed);
  std::mt19937_64 rng{seed};
  message_id durable = 0, highest = 0;
  for (int life = 0; life < 200; ++life) {
    message_clock c{durable};
    auto now = start + rng() % 100'000'000;
    for (int i = 0; i < 100; ++i) {
      if (rng() % 4 != 0) now += rng() % 4'000'000;
      if (rng() % 20 == 0) c.raise_to(now + rng() % 300'000'000, now);
      if (const auto lease = c.lease_to_persist(now); lease && rng() % 3 != 0) {
        durable = std::max(durable, *lease); // else: the crash comes before the commit
        c.persisted(*lease);
      }
      if (const auto id = c.next(now)) {
        REQUIRE(*id > highest);
        highest = *id;
      }
    }
  }
}

TEST_CASE("message clock: a lease of a clock that was an hour ahead is not kept, one that a right clock allows is") {
  const auto furthest = start + clock_skew_max_ms * 1000 + message_lease_us;
  CHECK(lease_at_start(0, start) == 0);
  CHECK(lease_at_start(start - 5, start) == start - 5);
  CHECK(lease_at_start(furthest, start) == furthest);
  const auto acceptable = start + clock_skew_max_ms * 1000 / 2;
  CHECK(lease_at_start(furthest + 1, start) == acceptable);
  CHECK(lease_at_start(start + 3'600'000'000, start) == acceptable);
}
