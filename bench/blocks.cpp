// Figures of block storage: ERIS encoding and putting against the machine's plain hash rate in the same run, reading
// back, and two exchanges in memory. Every aim is a ratio to the hash rate, as processors differ.
// Usage: blocks [MEBIBYTES [DIRECTORY]]; the database is made in DIRECTORY and removed.
#include "hanse/actors/block_database.hpp"
#include "hanse/crypto/chacha20.hpp"
#include "hanse/domains/block_exchange.hpp"
#include "hanse/domains/content_transfer.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>

#include <sys/resource.h>

namespace {

using namespace hanse;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t piece = 1024 * 1024;
constexpr time_ms wall = 1'700'000'000'000;

double hash_rate = 0;

/// Runs `work` and prints its rate, in MB/s of wall clock and of the processor's time.
template <class F>
double measure(const char* name, std::uint64_t octets, F&& work) {
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const auto start = clock_type::now();
  work();
  const auto seconds = std::chrono::duration<double>(clock_type::now() - start).count();
  getrusage(RUSAGE_SELF, &after);
  const auto cpu_of = [](const rusage& u) {
    return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
  };
  const auto cpu = cpu_of(after) - cpu_of(before);
  const auto rate = static_cast<double>(octets) / 1e6 / cpu;
  if (hash_rate == 0) hash_rate = rate;
  std::printf("%-44s %8.0f %14.0f %18.2f %12ld\n", name, static_cast<double>(octets) / 1e6 / seconds, rate,
              rate / hash_rate, after.ru_maxrss / 1024);
  return rate;
}

void require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

key_pair key_of(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random);
}

/// Content that does not repeat and costs little to make: random, with a counter in each block.
class content_source {
public:
  content_source() : octets_(piece) { seeded_random{1}.fill(octets_); }
  byte_view next() {
    for (std::size_t at = 0; at < piece; at += 1024, ++count_) std::memcpy(octets_.data() + at, &count_, sizeof count_);
    return octets_;
  }

private:
  bytes octets_;
  std::uint64_t count_ = 0;
};

eris_capability put(block_store& store, const identity& domain, std::uint64_t octets) {
  content_source source;
  content_put put{store, domain, eris_block_size::large, eris_null_secret, lease_forever};
  for (std::uint64_t at = 0; at < octets; at += piece) require(put.feed(source.next(), wall).has_value(), "put");
  auto c = put.finish(wall);
  require(c.has_value(), "put");
  return *c;
}

/// One exchange asks the other for everything; bodies go over as they are, unsigned and unencrypted.
void exchange(std::uint64_t octets) {
  const auto domain = key_of(9).identity();
  memory_block_table tables[2];
  block_store stores[2]{*block_store::open(tables[0]), *block_store::open(tables[1])};
  seeded_random random{5};
  block_exchange_config config;
  config.domain = domain;
  block_exchange ends[2]{{stores[0], key_of(0), random, config}, {stores[1], key_of(1), random, config}};
  const identity ids[2]{key_of(0).identity(), key_of(1).identity()};
  for (int i = 0; i < 2; ++i) ends[i].set_member(ids[1 - i], 128);
  const auto c = put(stores[0], domain, octets);
  measure("get by exchange, two stores in memory", octets, [&] {
    content_get get{ends[1], c, {ids[0]}};
    std::deque<std::pair<int, bytes>> under_way; // to whom
    std::uint64_t came = 0;
    while (!get.done()) {
      block_effects out;
      require(get.pump(
                     wall, UINT64_MAX, [&](byte_view part) { came += part.size(); }, out)
                  .has_value(),
              "get");
      const auto perform = [&](int self, block_effects& effects) {
        for (auto& e : effects) {
          if (auto* m = std::get_if<peer_message>(&e)) under_way.emplace_back(1 - self, std::move(m->body));
          if (auto* a = std::get_if<block_arrived>(&e)) get.on(*a);
        }
        effects.clear();
      };
      perform(1, out);
      if (under_way.empty()) continue;
      const auto [to, body] = std::move(under_way.front());
      under_way.pop_front();
      require(ends[to].receive(ids[1 - to], body, wall, out).has_value(), "receive");
      perform(to, out);
    }
    require(came == octets, "size");
  });
}

} // namespace

int main(int argc, char** argv) {
  const std::uint64_t octets = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 256) * piece;
  const std::filesystem::path folder = argc > 2 ? argv[2] : std::filesystem::temp_directory_path();
  const auto file = folder / "hanse-bench-blocks.db";
  const auto remove = [&file] {
    for (const auto* end : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(file.string() + end);
  };
  const auto domain = key_of(9).identity();
  std::printf("%-44s %8s %14s %18s %12s\n", "", "MB/s", "MB/s of CPU", "CPU, hash = 1", "memory MiB");
  content_source source;
  measure("plain BLAKE2b-256 of 32 KiB blocks", octets, [&] {
    for (std::uint64_t at = 0; at < octets; at += piece) {
      const auto part = source.next();
      for (std::size_t k = 0; k < piece; k += stored_block_size_max)
        (void)blake2b_256(part.subspan(k, stored_block_size_max));
    }
  });
  bytes block(stored_block_size_max);
  measure("plain ChaCha20 of 32 KiB blocks", octets, [&] {
    for (std::uint64_t at = 0; at < octets; at += block.size()) chacha20_xor(block, block, eris_null_secret, 0);
  });
  measure("ERIS encode", octets, [&] {
    eris_encoder encoder{eris_block_size::large, eris_null_secret, [](const digest&, byte_view) { return ok(); }};
    for (std::uint64_t at = 0; at < octets; at += piece) require(encoder.update(source.next()).has_value(), "encode");
    require(encoder.finish().has_value(), "encode");
  });
  remove();
  {
    auto db = block_database::open(file);
    require(db.has_value(), "open");
    auto store = block_store::open(**db);
    require(store.has_value(), "open");
    eris_capability c;
    measure("put into SQLite, durable", octets, [&] { c = put(*store, domain, octets); });
    seeded_random random{5};
    block_exchange_config config;
    config.domain = domain;
    block_exchange alone{*store, key_of(0), random, config};
    measure("get from SQLite, hashed and decoded", octets, [&] {
      content_get get{alone, c};
      block_effects out;
      std::uint64_t came = 0;
      require(get.pump(
                     wall, UINT64_MAX, [&](byte_view part) { came += part.size(); }, out)
                  .has_value(),
              "get");
      require(get.done() && came == octets, "get");
    });
  }
  remove();
  exchange(std::min<std::uint64_t>(octets, 64 * piece));
}
