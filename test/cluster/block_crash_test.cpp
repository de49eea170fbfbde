// kill -9 of a process that puts blocks, 200 times at random moments: every block it said is durable is there and
// right. HANSE_KILLS in the environment sets another number, for a soak. The process is this program again.
#include "hanse/actors/block_database.hpp"

#include "hanse/crypto/keys.hpp"
#include "hanse/domains/block_store.hpp"

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace hanse;

namespace {

constexpr time_ms start = 1'700'000'000'000;
constexpr std::uint64_t kept_rounds = 8; // leases of earlier rounds are released, so that the file stays small

identity domain() {
  seeded_random random{1};
  return key_pair::generate(random).identity();
}

/// Block `n`: 1 KiB, or 32 KiB each fourth time.
bytes block_of(std::uint64_t n) {
  bytes b(n % 4 == 0 ? stored_block_size_max : 1024, static_cast<std::byte>(n));
  for (int i = 0; i < 8; ++i) b[static_cast<std::size_t>(i)] = static_cast<std::byte>(n >> (8 * i));
  return b;
}

/// Puts blocks from `first` on for ever, and writes each number to standard output once it is durable.
int put_for_ever(const std::string& file, std::uint64_t first) {
  auto db = block_database::open(file);
  if (!db) return 2;
  auto store = block_store::open(**db);
  if (!store) return 3;
  seeded_random random{first};
  for (std::uint64_t next = first;;) {
    const auto from = next;
    for (auto left = 1 + random.below(12); left > 0; --left, ++next) {
      const auto b = block_of(next);
      if (!store->put(domain(), blake2b_256(b), b, lease_forever, start)) return 4;
      if (next >= 400 && random.below(2) == 0) { // pages come free and are used again
        const auto old = block_of(next - 400);
        (void)store->release(domain(), blake2b_256(old));
      }
    }
    if (!store->commit()) return 5;
    const std::uint64_t said[] = {from, next};
    if (::write(STDOUT_FILENO, said, sizeof said) != sizeof said) return 6;
  }
}

struct temporary_directory {
  std::filesystem::path path;
  temporary_directory() {
    char name[] = "/tmp/hanse-block-crash-XXXXXX";
    REQUIRE(mkdtemp(name));
    path = name;
  }
  ~temporary_directory() { std::filesystem::remove_all(path); }
};

/// Runs the child, kills it after a while, and returns the ranges that it acknowledged.
std::vector<std::pair<std::uint64_t, std::uint64_t>> run_and_kill(const std::string& file, std::uint64_t first,
                                                                  std::uint64_t after_us) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const auto pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    execl("/proc/self/exe", "block_crash_test", "--put", file.c_str(), std::to_string(first).c_str(), nullptr);
    _exit(127);
  }
  ::close(ends[1]);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> said;
  std::uint64_t range[2];
  const auto read_one = [&] {
    if (::read(ends[0], range, sizeof range) != sizeof range) return false;
    said.emplace_back(range[0], range[1]);
    return true;
  };
  REQUIRE(read_one()); // it runs
  std::thread killer{[pid, after_us] {
    std::this_thread::sleep_for(std::chrono::microseconds{after_us});
    kill(pid, SIGKILL);
  }};
  while (read_one()) {
  }
  killer.join();
  ::close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  return said;
}

} // namespace

TEST_CASE("no acknowledged block is lost or wrong after kill -9 at any moment") {
  const auto* wanted = std::getenv("HANSE_KILLS");
  const auto kills = wanted ? std::strtoull(wanted, nullptr, 10) : 200;
  temporary_directory dir;
  const auto file = (dir.path / "blocks.db").string();
  seeded_random random{42};
  std::uint64_t next = 0, checked = 0;
  for (std::uint64_t round = 0; round < kills; ++round) {
    CAPTURE(round);
    const auto said = run_and_kill(file, next, random.below(30'000));
    auto db = block_database::open(file);
    REQUIRE_MESSAGE(db, to_string(db ? error{} : db.error()));
    auto store = block_store::open(**db);
    REQUIRE(store);
    const auto end = said.back().second;
    for (const auto& [from, to] : said)
      for (auto n = from; n < to; ++n) {
        const auto b = block_of(n);
        auto got = store->get(blake2b_256(b));
        REQUIRE(got);
        if (!*got && n + 400 <= end + 12) continue; // released by this very life, perhaps
        REQUIRE_MESSAGE(got->has_value(), "block ", n, " was acknowledged and is lost");
        REQUIRE((**got == b));
        ++checked;
      }
    CHECK(store->stats().corrupt == 0);
    // what is left of earlier lives is right, too
    const auto all = store->list(std::nullopt, 100'000);
    REQUIRE(all);
    if (round % 20 == 19) {
      for (bool round_done = false; !round_done;) {
        auto scrubbed = store->scrub(1000);
        REQUIRE(scrubbed);
        round_done = *scrubbed;
      }
      CHECK(store->stats().corrupt == 0);
    }
    if (all->size() > 100 * kept_rounds)
      for (const auto& b : *all) (void)store->release(domain(), b.name);
    REQUIRE(store->commit());
    next = end + 1000; // above what may have been put and not acknowledged
  }
  MESSAGE(kills, " kills, ", checked, " acknowledged blocks read back");
}

int main(int argc, char** argv) {
  if (argc == 4 && argv[1] == std::string{"--put"}) return put_for_ever(argv[2], std::strtoull(argv[3], nullptr, 10));
  doctest::Context context{argc, argv};
  return context.run();
}
