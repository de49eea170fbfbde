// How fast the simulator is: events, and virtual seconds, per second, by number of nodes and kind of signatures.
// Not a test: absolute figures are of the machine. docs/simulation.md has the aims.
#include "hanse/sim/simulation.hpp"

#include <benchmark/benchmark.h>

using namespace hanse;
using namespace hanse::sim;

namespace {

/// A minute of the unicast workload, as in apps/scenarios/unicast_50.json.
scenario unicast(std::uint32_t nodes, signing_share signatures) {
  scenario s;
  s.groups = {{"node", nodes}};
  s.duration_ms = 60'000;
  s.contacts = 3;
  s.signatures = signatures;
  link_rule all;
  all.path.latency_min = 5;
  all.path.latency_max = 50;
  s.links = {all};
  s.workload = {{}};
  return s;
}

void run_one(benchmark::State& state, signing_share signatures) {
  const auto s = unicast(static_cast<std::uint32_t>(state.range(0)), signatures);
  std::uint64_t steps = 0, virtual_ms = 0, seed = 0;
  for (auto _ : state) {
    const auto r = run(s, ++seed);
    if (r.violation) state.SkipWithError(r.violation->text.c_str());
    steps += r.steps;
    virtual_ms += r.virtual_ms;
  }
  using benchmark::Counter;
  state.counters["events/s"] = Counter(static_cast<double>(steps), Counter::kIsRate);
  state.counters["virtual_s/s"] = Counter(static_cast<double>(virtual_ms) / 1000, Counter::kIsRate);
}

void stand_ins(benchmark::State& state) {
  run_one(state, signing_share::cheap);
}
void real_signatures(benchmark::State& state) {
  run_one(state, signing_share::real);
}

} // namespace

BENCHMARK(stand_ins)->Arg(5)->Arg(50)->Arg(200)->Unit(benchmark::kMillisecond);
BENCHMARK(real_signatures)->Arg(50)->Unit(benchmark::kMillisecond);
BENCHMARK_MAIN();
