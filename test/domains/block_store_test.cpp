// The block store: quotas, leases and their end, damage and repair, and when writes may be acknowledged.
#include "hanse/domains/block_store.hpp"

#include "hanse/crypto/keys.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

constexpr time_ms start = 1'700'000'000'000;
constexpr time_ms hour = 3600 * 1000;

identity make_identity(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random).identity();
}

const identity alpha = make_identity(1), beta = make_identity(2);

bytes block_of(std::uint64_t seed, std::size_t size = 1024) {
  bytes b(size);
  seeded_random{seed}.fill(b);
  return b;
}

struct fixture {
  memory_block_table table;
  block_store store;
  explicit fixture(const block_store_config& config = {}) : store(*block_store::open(table, config)) {}
  expected<time_ms> put(std::uint64_t seed, time_ms until = start + hour, const identity& domain = alpha) {
    const auto b = block_of(seed);
    return store.put(domain, blake2b_256(b), b, until, start);
  }
  digest name(std::uint64_t seed) const { return blake2b_256(block_of(seed)); }
  bool has(std::uint64_t seed) { return *store.has(name(seed)); }
};

} // namespace

TEST_CASE("block store: what is put comes back; a wrong name and a block too large are refused") {
  fixture f;
  CHECK(*f.put(1) == start + hour);
  CHECK(**f.store.get(f.name(1)) == block_of(1));
  CHECK_FALSE(f.store.get(f.name(2))->has_value());
  CHECK(f.store.put(alpha, f.name(2), block_of(3), start + 1, start).code() == errc::bad_checksum);
  CHECK_FALSE(f.has(2));
  const auto large = block_of(4, stored_block_size_max + 1);
  CHECK(f.store.put(alpha, blake2b_256(large), large, start + 1, start).code() == errc::too_long);
  CHECK(f.put(5, start).code() == errc::expired);
  CHECK(f.store.stats().refused == 3);
}

TEST_CASE("filling a store: each domain is refused above its own quota, others go on, and room comes back") {
  fixture f{{.quota_octets = 10 * 1024}};
  f.store.set_quota(beta, 2 * 1024);
  for (std::uint64_t i = 0; i < 10; ++i) CHECK(f.put(i));
  CHECK(f.put(10).code() == errc::table_full);
  CHECK(f.put(3)); // it is there already
  CHECK(f.put(20, start + hour, beta));
  CHECK(f.put(0, start + hour, beta)); // shared, but counted
  CHECK(f.put(21, start + hour, beta).code() == errc::table_full);
  CHECK_FALSE(f.has(10));
  REQUIRE(f.store.release(alpha, f.name(1)));
  CHECK(f.put(10));
  CHECK(f.store.stats().usage.at(alpha).octets == 10 * 1024);
  CHECK(f.store.stats().usage.at(beta).blocks == 2);
}

TEST_CASE("filling a store: domains are bounded, too") {
  fixture f{{.domains_max = 3}};
  for (std::uint64_t i = 0; i < 3; ++i) CHECK(f.put(i, start + hour, make_identity(10 + i)));
  CHECK(f.put(9, start + hour, make_identity(99)).code() == errc::table_full);
  CHECK(f.put(9, start + hour, make_identity(10)));
}

TEST_CASE("a block goes with its last lease: when all have ended, and an hour of grace is over") {
  fixture f;
  REQUIRE(f.put(1, start + hour));
  REQUIRE(f.put(1, start + 3 * hour, beta));
  REQUIRE(f.put(2, start + hour));
  REQUIRE(f.put(3, lease_forever));
  REQUIRE(f.store.tick(start + 2 * hour - 1));
  CHECK(f.has(2));
  REQUIRE(f.store.tick(start + 2 * hour + 10'000));
  CHECK_FALSE(f.has(2));
  CHECK(f.has(1));
  REQUIRE(f.store.tick(start + 4 * hour + 20'000));
  CHECK_FALSE(f.has(1));
  REQUIRE(f.store.tick(start + 100'000 * hour));
  CHECK(f.has(3));
  CHECK(f.store.stats().usage.at(alpha).blocks == 1);
  CHECK_FALSE(f.store.stats().usage.contains(beta));
}

TEST_CASE("leases: the longer one stays, long ones are cut, and many that end together end in steps") {
  fixture f{{.lease_max_ms = 10 * hour, .gc_step_max = 4}};
  CHECK(*f.put(1, start + 5 * hour) == start + 5 * hour);
  CHECK(*f.put(1, start + 2 * hour) == start + 5 * hour);
  CHECK(*f.put(1, start + 50 * hour) == start + 10 * hour);
  CHECK(*f.store.extend(beta, f.name(1), start + hour, start) == start + hour);
  CHECK(f.store.extend(beta, f.name(2), start + hour, start).code() == errc::not_found);
  CHECK(f.store.release(beta, f.name(2)).code() == errc::not_found);
  for (std::uint64_t i = 10; i < 20; ++i) REQUIRE(f.put(i));
  REQUIRE(f.store.tick(start + 3 * hour));
  CHECK(f.store.stats().expired == 4);
  CHECK(*f.store.next_timer() <= start + 3 * hour);
  REQUIRE(f.store.tick(start + 3 * hour));
  REQUIRE(f.store.tick(start + 3 * hour));
  CHECK(f.store.stats().expired == 11);
}

TEST_CASE("a damaged block is never served: reading or scrubbing finds it, and a good copy takes its place") {
  fixture f;
  for (std::uint64_t i = 0; i < 20; ++i) REQUIRE(f.put(i));
  f.table.damage(f.name(7), 1000);
  f.table.damage(f.name(8), 0);
  CHECK_FALSE(f.store.get(f.name(7))->has_value());
  CHECK_FALSE(f.has(7));
  CHECK(f.store.take_lost(alpha) == std::vector{f.name(7)});
  CHECK(f.has(8)); // nobody has looked
  while (!*f.store.scrub(6)) {
  }
  CHECK_FALSE(f.has(8));
  auto lost = f.store.take_lost(alpha);
  CHECK(lost.size() == 2); // the first is still to be repaired
  REQUIRE(f.put(7));
  REQUIRE(f.put(8));
  CHECK(**f.store.get(f.name(7)) == block_of(7));
  CHECK(f.store.stats().corrupt == 2);
  CHECK(f.store.stats().usage.at(alpha).blocks == 20);
  while (!*f.store.scrub(6)) {
  }
  CHECK(f.store.take_lost(alpha).empty());
}

TEST_CASE("the scrub goes through everything by itself, some blocks a step") {
  fixture f{{.scrub_every_ms = 100, .scrub_step_max = 8}};
  for (std::uint64_t i = 0; i < 30; ++i) REQUIRE(f.put(i, lease_forever));
  f.table.damage(f.name(29), 5);
  for (auto now = start; f.store.stats().scrub_passes == 0; now = *f.store.next_timer()) {
    REQUIRE(f.store.tick(now));
    REQUIRE(now < start + 1000);
  }
  CHECK(f.store.take_lost(alpha) == std::vector{f.name(29)});
}

TEST_CASE("passes of the scrub begin an hour apart, and those of an empty store are none") {
  fixture f{{.scrub_every_ms = 100, .scrub_step_max = 8}};
  const auto run = [&f](time_ms until) {
    std::size_t ticks = 0;
    for (auto now = start; now < until; now = std::max(now, *f.store.next_timer()), ++ticks) {
      REQUIRE(f.store.tick(now));
      REQUIRE(ticks < 10'000);
    }
  };
  run(start + 3 * hour);
  CHECK(f.store.stats().scrub_passes == 0);
  for (std::uint64_t i = 0; i < 30; ++i) REQUIRE(f.put(i, lease_forever));
  run(start + 10 * hour);
  CHECK(f.store.stats().scrub_passes == 7);
  CHECK(f.store.stats().scrubbed == 7 * 30);
}

TEST_CASE("damaged blocks are told to the domains that hold them, as many as are asked for") {
  fixture f;
  for (std::uint64_t i = 0; i < 4; ++i) REQUIRE(f.put(i, lease_forever));
  REQUIRE(f.store.extend(beta, f.name(1), lease_forever, start));
  REQUIRE(f.store.extend(beta, f.name(2), lease_forever, start));
  for (std::uint64_t i = 0; i < 4; ++i) {
    f.table.damage(f.name(i), 9);
    CHECK_FALSE(f.store.get(f.name(i))->has_value());
  }
  REQUIRE(f.store.release(beta, f.name(2)));
  CHECK(f.store.take_lost(beta) == std::vector{f.name(1)});
  CHECK(f.store.take_lost(beta).empty());
  REQUIRE(f.put(0));
  CHECK(f.store.take_lost(alpha, 2).size() == 2);
  CHECK(f.store.take_lost(alpha).size() == 1);
}

TEST_CASE("writes are committed together: 64 of them, or after 5 ms, and nothing counts as committed before") {
  fixture f;
  REQUIRE(f.store.tick(start));
  REQUIRE(f.put(1));
  const auto batch = f.store.batch();
  f.store.await_commit(start);
  CHECK(*f.store.next_timer() == start + 5);
  REQUIRE(f.store.tick(start + 4));
  CHECK(f.store.committed() < batch);
  CHECK(f.table.commits() == 0);
  REQUIRE(f.store.tick(start + 5));
  CHECK(f.store.committed() >= batch);
  CHECK(f.table.commits() == 1);
  for (std::uint64_t i = 10; i < 74; ++i) {
    CHECK_FALSE(f.store.commit_due(start + 6));
    REQUIRE(f.put(i));
    f.store.await_commit(start + 6);
  }
  CHECK(f.store.commit_due(start + 6));
  f.table.crash(); // before the commit
  CHECK_FALSE(f.has(10));
  CHECK(f.has(1));
}

TEST_CASE("writes nobody waits for are committed when they are many") {
  fixture f{{.commit_octets_max = 10'000}};
  for (std::uint64_t i = 0; i < 9; ++i) REQUIRE(f.put(i));
  CHECK_FALSE(f.store.commit_due(start + hour));
  REQUIRE(f.put(9));
  CHECK(f.store.commit_due(start));
}

TEST_CASE("a store that is opened again knows how much each domain holds") {
  fixture f{{.quota_octets = 3 * 1024}};
  for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(f.put(i));
  auto again = block_store::open(f.table, {.quota_octets = 3 * 1024});
  REQUIRE(again);
  CHECK(again->stats().usage.at(alpha).octets == 3 * 1024);
  const auto b = block_of(9);
  CHECK(again->put(alpha, blake2b_256(b), b, start + hour, start).code() == errc::table_full);
}
