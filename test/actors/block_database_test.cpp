// The block database: a table like the one in memory, and what is left of it when the disk fails at any write.
#include "fault_disk.hpp"

#include "hanse/actors/block_database.hpp"

#include "hanse/crypto/keys.hpp"
#include "hanse/domains/block_store.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include <unistd.h>

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms start = 1'700'000'000'000;

identity make_identity(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random).identity();
}

const identity alpha = make_identity(1), beta = make_identity(2);

const bytes& block_of(std::uint64_t n) {
  static std::map<std::uint64_t, bytes> made;
  auto& b = made[n];
  if (b.empty()) {
    b.resize(n % 3 == 0 ? stored_block_size_max : 1024); // some on pages of their own
    seeded_random{n}.fill(b);
  }
  return b;
}

const digest& name_of(std::uint64_t n) {
  static std::map<std::uint64_t, digest> made;
  const auto [at, fresh] = made.try_emplace(n);
  if (fresh) at->second = blake2b_256(block_of(n));
  return at->second;
}

/// What a workload was told is durable.
struct acknowledged {
  std::uint64_t blocks = 0; ///< numbers 0 to blocks - 1, without multiples of 7, which were released
  bool finished = false;
};

/// Opens, puts, releases, commits, closes, and all of it again. Stops at the first error, and checks that it stays.
acknowledged work(fault_disk& disk) {
  acknowledged done;
  for (int session = 0; session < 2; ++session) {
    auto db = block_database::open("blocks.db", disk.vfs());
    if (!db) {
      CHECK((db.error() == errc::io_error || db.error() == errc::bad_version));
      return done;
    }
    auto store = block_store::open(**db);
    if (!store) return done;
    for (int batch = 0; batch < 3; ++batch) {
      expected<unit> went = ok();
      const auto first = done.blocks;
      for (std::uint64_t n = first; n < first + 4 && went; ++n) {
        if (auto put = store->put(alpha, name_of(n), block_of(n), lease_forever, start); !put) went = put.error();
        if (went && n % 7 == 0) went = store->release(alpha, name_of(n));
      }
      if (went) went = store->commit();
      if (!went) {
        CHECK(went.error() == errc::io_error);
        CHECK_FALSE(went.error().detail.empty());
        CHECK(store->commit().code() == errc::io_error); // poisoned: a later success would be a lie
        CHECK(store->get(name_of(1)).code() == errc::io_error);
        CHECK(store->put(alpha, name_of(99), block_of(99), lease_forever, start).code() == errc::io_error);
        return done;
      }
      done.blocks = first + 4;
    }
  }
  done.finished = true;
  return done;
}

/// Opens what is left. Everything acknowledged must be right; `may_lose`: or refused, in words.
void check_what_is_left(fault_disk& disk, const acknowledged& done, bool may_lose) {
  auto db = block_database::open("blocks.db", disk.vfs());
  if (!db && may_lose) {
    CHECK_FALSE(db.error().detail.empty());
    return;
  }
  REQUIRE_MESSAGE(db, to_string(db ? error{} : db.error()));
  auto store = block_store::open(**db);
  if (!store && may_lose) return;
  REQUIRE(store);
  for (std::uint64_t n = 0; n < 24; ++n) {
    CAPTURE(n);
    auto got = store->get(name_of(n));
    if (!got && may_lose) return;
    REQUIRE(got);
    if (*got) CHECK((**got == block_of(n))); // never anything else
    if (n < done.blocks && n % 7 != 0 && !may_lose) CHECK(got->has_value());
  }
  auto put = store->put(alpha, name_of(500), block_of(500), lease_forever, start); // and it goes on
  if (!may_lose) {
    REQUIRE(put);
    REQUIRE(store->commit());
    CHECK(**store->get(name_of(500)) == block_of(500));
  }
}

struct temporary_file {
  std::filesystem::path path;
  temporary_file() {
    char name[] = "/tmp/hanse-blocks-XXXXXX";
    REQUIRE(mkdtemp(name));
    path = std::filesystem::path{name} / "blocks.db";
  }
  ~temporary_file() { std::filesystem::remove_all(path.parent_path()); }
};

} // namespace

TEST_CASE("block database: EIO, ENOSPC or power loss at any write leaves every acknowledged block right") {
  std::uint64_t operations = 0;
  {
    fault_disk disk{1};
    CHECK(work(disk).finished);
    operations = disk.operations();
    check_what_is_left(disk, {24, true}, false);
  }
  CHECK(operations > 100);
  std::uint64_t runs = 0;
  for (const auto fault : {disk_fault::io_error, disk_fault::disk_full, disk_fault::full_once, disk_fault::power_loss})
    for (std::uint64_t at = 0; at < operations; ++at, ++runs) {
      CAPTURE(static_cast<int>(fault));
      CAPTURE(at);
      fault_disk disk{at * 10 + static_cast<std::uint64_t>(fault)};
      disk.plan(fault, at);
      const auto done = work(disk);
      disk.restart(fault == disk_fault::power_loss);
      check_what_is_left(disk, done, false);
    }
  MESSAGE("fault at each of ", operations, " operations, ", runs, " runs");
}

TEST_CASE("block database: with a disk that lies about fsync and then loses power, a block is right or refused") {
  for (std::uint64_t at = 0; at < 160; ++at) {
    CAPTURE(at);
    fault_disk disk{at};
    disk.plan(disk_fault::lying_sync, at);
    const auto done = work(disk);
    disk.restart(true);
    check_what_is_left(disk, done, true);
  }
}

TEST_CASE("block database: a bit that flips anywhere in the file is never served as a block") {
  fault_disk disk{1};
  REQUIRE(work(disk).finished);
  const auto size = disk.size_of("blocks.db");
  REQUIRE(size > 100'000);
  for (std::uint64_t i = 0; i < 300; ++i) {
    const auto at = i < 100 ? i : (i * 7919 * 131) % size; // the header, and all over the file
    CAPTURE(at);
    disk.damage("blocks.db", at);
    check_what_is_left(disk, {24, true}, true);
    disk.damage("blocks.db", at); // back
  }
}

TEST_CASE("block database: the same as the table in memory, operation by operation") {
  temporary_file file;
  auto db = block_database::open(file.path);
  REQUIRE_MESSAGE(db, to_string(db ? error{} : db.error()));
  memory_block_table memory;
  seeded_random random{11};
  for (int i = 0; i < 3000; ++i) {
    const auto name = name_of(random.below(40));
    const auto& domain = random.below(2) == 0 ? alpha : beta;
    const block_lease lease{name, domain, random.below(1000)};
    for (block_table* t : std::initializer_list<block_table*>{db->get(), &memory}) {
      switch (i % 7) {
      case 0:
        REQUIRE(t->put(name, block_of(3)));
        break; // names are the store's business
      case 1:
        REQUIRE(t->lease(lease));
        break;
      case 2:
        REQUIRE(t->lease({name, domain, 5}));
        break;
      case 3:
        REQUIRE(t->release(name, domain));
        break;
      case 4:
        REQUIRE(t->mark_bad(name));
        break;
      case 5:
        REQUIRE(t->remove(name));
        break;
      default:
        REQUIRE(t->commit());
      }
    }
    CHECK(*(*db)->find(name) == *memory.find(name));
    CHECK(*(*db)->get(name) == *memory.get(name));
    if (i % 50 == 0) {
      CHECK(*(*db)->blocks_after(std::nullopt, 10) == *memory.blocks_after(std::nullopt, 10));
      CHECK(*(*db)->blocks_after(name, 1000) == *memory.blocks_after(name, 1000));
      CHECK((*db)->leases_of(name)->size() == memory.leases_of(name)->size());
      CHECK((*db)->leases_until(500, 1000)->size() == memory.leases_until(500, 1000)->size());
      const auto a = *(*db)->usage(), b = *memory.usage();
      REQUIRE(a.size() == b.size());
      for (const auto& [d, u] : a) CHECK((u.blocks == b.at(d).blocks && u.octets == b.at(d).octets));
    }
  }
}

TEST_CASE("block database: a second owner, another kind of file and a later version are refused in words") {
  temporary_file file;
  {
    auto first = block_database::open(file.path);
    REQUIRE(first);
    REQUIRE((*first)->put(name_of(1), block_of(1)));
    REQUIRE((*first)->commit());
    auto second = block_database::open(file.path);
    REQUIRE_FALSE(second);
    CHECK(second.error().detail.find("another node") != std::string::npos);
  }
  const auto other = file.path.parent_path() / "other";
  std::ofstream{other} << "this is not a database, however long it may be, and it never was one";
  CHECK(block_database::open(other).code() == errc::io_error);
}

TEST_CASE("block database: what was not committed is gone after closing, what was committed is there") {
  temporary_file file;
  {
    auto db = block_database::open(file.path);
    REQUIRE(db);
    REQUIRE((*db)->put(name_of(1), block_of(1)));
    REQUIRE((*db)->lease({name_of(1), alpha, 9}));
    REQUIRE((*db)->commit());
    REQUIRE((*db)->put(name_of(2), block_of(2)));
    REQUIRE((*db)->lease({name_of(2), beta, 9}));
  }
  auto db = block_database::open(file.path);
  REQUIRE(db);
  CHECK(**(*db)->get(name_of(1)) == block_of(1));
  CHECK_FALSE((*db)->get(name_of(2))->has_value());
  CHECK(*(*db)->leases_of(name_of(1)) == std::vector{block_lease{name_of(1), alpha, 9}});
  CHECK(*(*db)->leases_until(9, 10) == std::vector{block_lease{name_of(1), alpha, 9}});
}
