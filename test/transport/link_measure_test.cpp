// Figures of sessions and links: memory of a thousand links, throughput through memory, cost of small frames.
// Not benchmarks to compare versions with: the bounds are loose, the figures are printed.
#include "pool_shell.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <ctime>
#include <functional>
#include <unistd.h>

using namespace hanse;
using namespace hanse::test;

namespace {

std::size_t resident_octets() {
  long pages = 0, ignored = 0;
  if (FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &ignored, &pages) != 2) pages = 0;
    std::fclose(f);
  }
  return static_cast<std::size_t>(pages) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Processor time of this thread: other work on the machine does not count.
double now_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double seconds_of(const std::function<void()>& work) {
  const auto began = now_seconds();
  work();
  return now_seconds() - began;
}

} // namespace

TEST_CASE("a thousand pairs of idle TLS links fit one process") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::size_t pairs = 50; // sanitizers keep freed memory and take their time
#else
  constexpr std::size_t pairs = 1000;
#endif
  { // what OpenSSL and the allocator need once
    link_pair warm;
    warm.up();
  }
  std::vector<std::unique_ptr<link_pair>> all;
  const auto before = resident_octets();
  const double took = seconds_of([&] {
    for (std::size_t i = 0; i < pairs; ++i) {
      all.push_back(std::make_unique<link_pair>());
      all.back()->up();
      REQUIRE(all.back()->a.up);
      all.back()->send(all.back()->a, bytes(300));
      all.back()->run();
      all.back()->tick(10'000); // a ping: buffers of idle links are given up
      all.back()->run();
      for (auto* s : {&all.back()->a, &all.back()->b}) {
        s->out = bytes{};
        s->fx = link_effects{};
        s->data.clear();
      }
    }
  });
  const auto each = (resident_octets() - before) / (2 * pairs);
  MESSAGE("memory per idle TLS link: " << each << " octets; handshakes of a pair a second: " << pairs / took);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(each < 100'000);
#endif
}

TEST_CASE("throughput of a TLS session through memory, in writes of 16 KiB") {
  link_pair p;
  p.up();
  auto& from = const_cast<secure_session&>(p.a.machine->session());
  auto& to = const_cast<secure_session&>(p.b.machine->session());
  const bytes block(16 * 1024, std::byte{7});
  bytes wire, back, room(16 * 1024);
  constexpr std::size_t blocks = 8192, burst = 16;
  double sealing = 0, opening = 0;
  std::size_t got = 0;
  for (std::size_t i = 0; i < blocks / burst; ++i) {
    wire.clear();
    sealing += seconds_of([&] {
      for (std::size_t k = 0; k < burst; ++k) REQUIRE(from.send(block, wire));
    });
    opening += seconds_of([&] {
      byte_view in = wire;
      for (;;) {
        const auto n = to.receive(in, room, back);
        REQUIRE(n);
        got += *n;
        if (*n == 0 && in.empty()) break;
      }
    });
  }
  const double megabytes = static_cast<double>(got) / 1e6;
  CHECK(got == blocks * block.size());
  MESSAGE(to.cipher() << ": seal " << megabytes / sealing << " MB/s, open " << megabytes / opening << " MB/s");
}

TEST_CASE("cost of a frame of 300 octets in bursts of 64, through both links") {
  link_pair p;
  p.up();
  const bytes payload(300, std::byte{7});
  constexpr std::size_t bursts = 4000, burst = 64;
  double sending = 0, receiving = 0;
  std::size_t got = 0;
  for (std::size_t i = 0; i < bursts; ++i) {
    sending += seconds_of([&] {
      for (std::size_t k = 0; k < burst; ++k) REQUIRE(p.a.machine->send_data(payload, p.a.fx));
      p.a.machine->flush(p.now, p.a.fx);
    });
    p.a.machine->written(p.a.fx.output.size(), p.now);
    receiving += seconds_of([&] { p.b.machine->received(p.a.fx.output, p.now, p.b.fx); });
    got += p.b.fx.data.size();
    p.a.fx.clear();
    p.b.fx.clear();
  }
  CHECK(got == bursts * burst);
  MESSAGE("per frame of 300 octets: send " << sending / static_cast<double>(got) * 1e9 << " ns, receive "
                                           << receiving / static_cast<double>(got) * 1e9 << " ns");
}

TEST_CASE("cost of sending to one of a thousand connected peers through the pool") {
  seeded_random random{1};
  pool_config config;
  config.self = key_of(1).identity();
  pool machine{config, random};
  pool_effects fx;
  std::vector<std::pair<identity, link_id>> peers;
  for (int i = 0; i < 1000; ++i) {
    std::array<std::byte, 32> octets{};
    random.fill(octets);
    const auto id = machine.accept(1, fx);
    REQUIRE(id);
    peers.emplace_back(identity::trusted(identity_kind::individual, octets), *id);
    machine.link_up(*id, peers.back().first, 1, 1, fx);
  }
  constexpr std::size_t rounds = 200, burst = 1000;
  std::vector<outbound> messages;
  double took = 0;
  std::size_t handed = 0;
  for (std::size_t r = 0; r < rounds; ++r) {
    messages.clear();
    for (std::size_t i = 0; i < burst; ++i) messages.push_back(message_of(i, 1));
    fx.clear();
    const auto& [peer, link] = peers[r * 7 % peers.size()];
    took += seconds_of([&, &who = peer, &over = link] {
      machine.set_budget(over, 1 << 20, 1, fx);
      for (auto& m : messages) machine.send(who, std::move(m), 1, fx);
    });
    for (const auto& t : fx.transmit) handed += t.messages.size();
  }
  CHECK(handed == rounds * burst);
  MESSAGE("pool: " << took / static_cast<double>(handed) * 1e9 << " ns for a message of " << sizeof(outbound)
                   << " octets");
}
