// Micro-benchmarks of what every message pays: hashing, signing, verifying, batches, envelopes. By Google Benchmark.
#include "hanse/protocols/message_batch.hpp"

#include <benchmark/benchmark.h>

namespace {

using namespace hanse;

seeded_random& source() {
  static seeded_random random{1};
  return random;
}

const key_pair& key() {
  static const key_pair pair = key_pair::generate(source());
  return pair;
}

envelope sample(std::size_t body_size) {
  envelope e;
  e.source = key().identity();
  e.destination = key().identity();
  e.id = 1'700'000'000'000'000;
  e.protocol = {"sink", 1, 0};
  e.sent_ms = 1'700'000'000'000;
  e.body = shared_bytes{bytes(body_size)};
  return e;
}

std::vector<digest> hashes(std::size_t count) {
  std::vector<digest> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(blake2b_256(as_byte_view(std::to_string(i))));
  return result;
}

void hash(benchmark::State& state) {
  bytes data(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(blake2b_256(data));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(hash)->Arg(256)->Arg(64 * 1024);

void sign_one(benchmark::State& state) {
  auto h = hashes(1)[0];
  for (auto _ : state) benchmark::DoNotOptimize(sign_single(key(), h));
}
BENCHMARK(sign_one);

void verify_one(benchmark::State& state) {
  auto h = hashes(1)[0];
  auto sig = sign_single(key(), h);
  for (auto _ : state) benchmark::DoNotOptimize(verify_single(key().identity(), h, sig));
}
BENCHMARK(verify_one);

void sign_many(benchmark::State& state) {
  auto h = hashes(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(sign_batch(key(), h, source()));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sign_many)->Arg(16)->Arg(64)->Arg(256);

void verify_many(benchmark::State& state) {
  auto h = hashes(static_cast<std::size_t>(state.range(0)));
  auto batch = sign_batch(key(), h, source());
  for (auto _ : state) benchmark::DoNotOptimize(verify_batch(key().identity(), h, batch.salts, batch.signature));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(verify_many)->Arg(16)->Arg(64)->Arg(256);

void verify_alone_by_path(benchmark::State& state) {
  auto h = hashes(256);
  auto proof = prove(sign_batch(key(), h, source()), h, 100);
  for (auto _ : state) benchmark::DoNotOptimize(verify_proof(key().identity(), h[100], proof));
}
BENCHMARK(verify_alone_by_path);

void encode_envelope(benchmark::State& state) {
  auto e = sample(128);
  bytes out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(encode_to(out, e));
  }
}
BENCHMARK(encode_envelope);

void decode_one_envelope(benchmark::State& state) {
  shared_bytes wire{encode(sample(128))};
  for (auto _ : state) benchmark::DoNotOptimize(decode_envelope(wire));
}
BENCHMARK(decode_one_envelope);

/// Everything that signing and opening costs a message of 128 octets in a batch of so many.
void seal_and_open(benchmark::State& state) {
  auto count = static_cast<std::size_t>(state.range(0));
  auto wire = encode(sample(128));
  std::vector<byte_view> messages(count, wire);
  for (auto _ : state) benchmark::DoNotOptimize(open(shared_bytes{seal(key(), messages, source())}));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(seal_and_open)->Arg(1)->Arg(16)->Arg(64)->Arg(256);

} // namespace

BENCHMARK_MAIN();
