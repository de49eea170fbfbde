// What an event costs: published, signed in a batch, sent over a full mesh of two, read, verified, put in order and
// delivered; all in one thread, without the network between. By Google Benchmark; allocations are counted.
#include "hanse/protocols/topics.hpp"

#include "protocols/allocations.hpp"

#include <benchmark/benchmark.h>

namespace {

using namespace hanse;

/// Two nodes in a domain with one topic; node 0 publishes, node 1 subscribes.
struct pair {
  seeded_random random{1};
  key_event_verifier verifier;
  key_pair topic_key = key_pair::generate(random), domain_key = key_pair::generate(random);
  key_pair keys[2] = {key_pair::generate(random), key_pair::generate(random)};
  std::unique_ptr<topics> nodes[2];
  time_ms now = 1'000'000;
  std::uint64_t delivered = 0;
  topics_effects out[2];

  pair() {
    topic_advert advert;
    advert.topic = topic_key.identity();
    advert.domain = domain_key.identity();
    for (int i : {0, 1}) {
      nodes[i] = std::make_unique<topics>(keys[i].identity(), verifier, random);
      topic_domain view;
      view.members = {keys[0].identity(), keys[1].identity()};
      if (!nodes[i]->domain_changed(advert.domain, view, now, out[i])) std::abort();
      if (!nodes[i]->add_advert(sign(advert, topic_key).wire, now, out[i])) std::abort();
    }
    auto signer = std::make_shared<key_event_signer>(keys[0], random);
    if (!nodes[0]->add_publisher(advert.topic, std::move(signer), now, now, out[0])) std::abort();
    if (!nodes[1]->subscribe(advert.topic, 1, 0, now, out[1])) std::abort();
    for (int i = 0; i < 4000; ++i, ++now) step(0), step(1);
    if (!nodes[1]->info(advert.topic)->joined) std::abort();
  }

  void step(int i) {
    nodes[i]->tick(now, out[i]);
    pass(i);
  }

  void pass(int i) {
    auto effects = std::move(out[i]);
    out[i].clear();
    for (auto& effect : effects) {
      if (auto* m = std::get_if<peer_message>(&effect))
        static_cast<void>(nodes[1 - i]->receive(keys[i].identity(), m->body, now, out[1 - i]));
      if (std::holds_alternative<topic_deliver>(effect)) ++delivered;
    }
  }

  void burst(std::size_t events, const shared_bytes& body) {
    for (std::size_t i = 0; i < events; ++i)
      if (!nodes[0]->publish(topic_key.identity(), keys[0].identity(), body, event_mode::causal, now)) std::abort();
    nodes[0]->flush(now, out[0]);
    pass(0);
    pass(1);
  }
};

void publish_to_deliver(benchmark::State& state) {
  pair p;
  const auto count = static_cast<std::size_t>(state.range(0));
  const shared_bytes body{bytes(128)};
  p.delivered = 0;
  const auto before = test::allocation_count();
  for (auto _ : state) p.burst(count, body);
  const auto events = static_cast<double>(state.iterations()) * static_cast<double>(count);
  if (static_cast<double>(p.delivered) != events) state.SkipWithError("events are missing");
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["allocations_per_event"] = static_cast<double>(test::allocation_count() - before) / events;
}
BENCHMARK(publish_to_deliver)->Arg(1)->Arg(16)->Arg(64)->Arg(256)->Arg(1024);

} // namespace

BENCHMARK_MAIN();
