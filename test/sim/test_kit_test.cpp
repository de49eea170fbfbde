// The test kit: what it promises to machines that are put into it.
#include "hanse/sim/test_kit.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::sim;

namespace {

/// Counts what it hears, and says so every 10 ms to the next node.
struct talker final : test_machine {
  void start(port& p) override { p.after(10, 1); }
  void timer(port& p, std::uint64_t token) override {
    p.send((p.self() + 1) % p.nodes(), bytes(static_cast<std::size_t>(token)));
    p.count("ticks");
    p.after(10, token);
  }
  void received(port&, std::uint32_t, byte_view octets) override { heard += octets.size(); }
  std::uint64_t heard = 0;
};

std::unique_ptr<test_machine> make_talker(std::uint32_t) {
  return std::make_unique<talker>();
}

} // namespace

TEST_CASE("test kit: the same seed gives the same run") {
  const auto counts = [](std::uint64_t seed) {
    sim_path lossy{1, 50};
    lossy.loss_permille = 300;
    test_network net{seed, 5, lossy, make_talker};
    net.run(5000);
    return net.counts();
  };
  CHECK(counts(1) == counts(1));
  CHECK(counts(1) != counts(2));
}

TEST_CASE("test kit: a crashed node hears nothing, its timers die, and it starts anew") {
  test_network net{1, 2, {1, 1}, make_talker};
  net.crash(0, 1000, 500);
  net.run(995);
  CHECK(net.machine<talker>(0)->heard > 90);
  net.run(1200);
  CHECK(net.machine(0) == nullptr);
  const auto before = net.counts().at("ticks");
  net.run(1400);
  CHECK(net.counts().at("ticks") == before + 20); // of the other one alone
  net.run(2000);
  REQUIRE(net.machine(0) != nullptr);
  CHECK(net.machine<talker>(0)->heard < 60);
}

TEST_CASE("test kit: nothing passes a partition before its end") {
  test_network net{1, 3, {1, 1}, make_talker};
  net.partition({0}, 0, 1000);
  net.run(900);
  CHECK(net.machine<talker>(0)->heard == 0);
  CHECK(net.machine<talker>(1)->heard == 0);
  CHECK(net.machine<talker>(2)->heard > 80);
  net.run(2000);
  CHECK(net.machine<talker>(0)->heard > 80);
}

TEST_CASE("test kit: a run ends as soon as it is done") {
  test_network net{1, 2, {1, 1}, make_talker};
  CHECK(net.run(10'000, [&net] { return net.now() >= 100 && net.machine<talker>(0)->heard >= 5; }));
  CHECK(net.now() < 200);
  CHECK_FALSE(net.run(300, [] { return false; }));
  CHECK(net.now() == 300);
}
