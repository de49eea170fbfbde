// Two variants of one protocol on identical seeds: does a rumour spread faster when nodes also ask for it?
// Not part of Hanse: an example of the simulator's test kit. Source: Karp et al., "Randomized rumor spreading" (2000).
#include "hanse/sim/test_kit.hpp"
#include "hanse/transport/sim_network.hpp"

#include <cstdio>
#include <cstdlib>

using namespace hanse;
using namespace hanse::sim;

// [machine]
struct rumour final : test_machine {
  explicit rumour(bool pulls) : pulls(pulls) {}

  void start(port& p) override {
    if (p.self() == 0) knows = true;
    p.after(p.random().below(100), 0);
  }
  void timer(port& p, std::uint64_t) override { // every 100 ms: tell somebody, or ask
    const auto other = static_cast<std::uint32_t>(p.random().below(p.nodes()));
    if (knows || pulls) p.send(other, {knows ? std::byte{1} : std::byte{0}});
    p.after(100, 0);
  }
  void received(port& p, std::uint32_t from, byte_view octets) override {
    if (octets[0] == std::byte{1})
      knows = true;
    else if (knows) // a question
      p.send(from, {std::byte{1}});
  }

  bool pulls, knows = false;
};

struct outcome {
  time_ms ms;
  std::uint64_t messages;
};

outcome spread(bool pulls, std::uint64_t seed) {
  sim_path lossy{5, 80};
  lossy.loss_permille = 200;
  test_network net{seed, 100, lossy, [pulls](std::uint32_t) { return std::make_unique<rumour>(pulls); }};
  net.partition({1, 2, 3, 4, 5}, 0, 1500);
  net.crash(7, 300, 500);
  net.run(60'000, [&net] {
    for (std::uint32_t i = 0; i < net.nodes(); ++i)
      if (!net.machine<rumour>(i) || !net.machine<rumour>(i)->knows) return false;
    return true;
  });
  return {net.now(), net.counts().at("sent")};
}
// [machine]

int main() {
  std::printf("seed   push: ms  messages   push-pull: ms  messages\n");
  for (int seed = 1; seed <= 5; ++seed) {
    const auto push = spread(false, seed), both = spread(true, seed);
    if (push.ms >= 60'000 || both.ms >= 60'000) return EXIT_FAILURE; // it never reached everybody
    std::printf("%4d   %8llu  %8llu   %13llu  %8llu\n", seed, (unsigned long long)push.ms,
                (unsigned long long)push.messages, (unsigned long long)both.ms, (unsigned long long)both.messages);
  }
}
