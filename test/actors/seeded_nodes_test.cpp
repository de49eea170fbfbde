// Whole nodes under seeds: routers, proxies, gateways and links of CAF in an order that the seed picks, over a network
// that delays, splits and partitions. What must hold: every call has one outcome, nothing is handled twice, reliable
// calls are handled in order, and all is well once the network is.
#include "seeded_world.hpp"

#include <doctest/doctest.h>

#ifdef HANSE_HAS_SEEDED_WORLD

using namespace hanse;

namespace {

constexpr std::uint32_t node_count = 3;
constexpr time_ms load_ms = 20'000;
constexpr std::uint32_t reliable_ttl_ms = 60'000;

/// Answers to add(caller, number) and remembers what it has handled.
struct counting_engine {
  counting_engine(calculator_actor::pointer, std::vector<std::pair<std::int32_t, std::int32_t>>* handled)
      : handled(handled) {}

  calculator_actor::behavior_type make_behavior() {
    return {
        [this](calc::add_atom, std::int32_t caller, std::int32_t number) {
          handled->emplace_back(caller, number);
          return caller + number;
        },
        [](calc::stats_atom) { return calculator_stats{}; },
        [](calc::note_atom, const std::string&) {},
        [](calc::fail_atom) {},
        [](calc::never_atom) {},
        [](calc::quit_atom) {},
    };
  }

  std::vector<std::pair<std::int32_t, std::int32_t>>* handled;
};

/// Forwards add to a calculator elsewhere, in its own name.
struct forwarding_engine {
  forwarding_engine(calculator_actor::pointer self, engine_context context, const identity& far)
      : self(self), far(context.remote<calculator_actor>(far)) {}

  calculator_actor::behavior_type make_behavior() {
    return {
        [this](calc::add_atom, std::int32_t a, std::int32_t b) -> caf::result<std::int32_t> {
          auto promise = self->make_response_promise<std::int32_t>();
          compat::request(self, far, std::chrono::seconds{30}, calc::add_atom_v, a, b)
              .then([promise](std::int32_t sum) mutable { promise.deliver(sum); },
                    [promise](const caf::error& why) mutable { promise.deliver(why); });
          return promise;
        },
        [](calc::stats_atom) { return calculator_stats{}; },
        [](calc::note_atom, const std::string&) {},
        [](calc::fail_atom) {},
        [](calc::never_atom) {},
        [](calc::quit_atom) {},
    };
  }

  calculator_actor::pointer self;
  calculator_actor far;
};

struct call {
  std::uint32_t from = 0, to = 0;
  bool reliable = false;
  int outcomes = 0;
  bool answered = false;
};

struct run {
  explicit run(std::uint64_t seed) : world(seed) {
    for (std::uint32_t i = 0; i < node_count; ++i) {
      nodes.push_back(world.start("n" + std::to_string(i)));
      REQUIRE(nodes.back());
      auto hosted = nodes[i]->spawn_engine<calculator_actor, counting_engine>({.name = "counter"}, &handled[i]);
      REQUIRE(hosted);
      engines.push_back(hosted->id);
    }
    for (auto& a : nodes)
      for (auto& b : nodes)
        if (a != b) REQUIRE(a->add(b->ticket()));
    for (std::uint32_t from = 0; from < node_count; ++from)
      for (std::uint32_t to = 0; to < node_count; ++to)
        for (auto is_reliable : {false, true}) take_handle(from, to, is_reliable);
    world.run(world.now_ms() + 5000);
  }

  ~run() {
    handles.clear();
    for (auto& n : nodes) n->stop();
  }

  /// Also after an engine was taken for down (its node was out of reach): then its handle has ended, as a local one's.
  void take_handle(std::uint32_t from, std::uint32_t to, bool is_reliable) {
    remote_options o;
    o.reliable = is_reliable;
    o.ttl_ms = is_reliable ? reliable_ttl_ms : 5000;
    handles[{from, to, is_reliable}] = nodes[from]->remote<calculator_actor>(engines[to], o);
  }

  void start_call(std::uint32_t from, std::uint32_t to, bool is_reliable) {
    auto number = calls.size();
    calls.push_back({from, to, is_reliable, 0, false});
    auto handle = handles[{from, to, is_reliable}];
    auto ask = [this, handle, number, from](caf::event_based_actor* self) {
      compat::request(self, handle, caf::infinite, calc::add_atom_v, static_cast<std::int32_t>(from),
                      static_cast<std::int32_t>(number))
          .then([this, number](std::int32_t) { end_call(number, "answered"); },
                [this, number](const caf::error& why) {
                  auto& c = calls[number];
                  if (why == caf::sec::request_receiver_down) take_handle(c.from, c.to, c.reliable);
                  end_call(number, "failed: " + to_string(why));
                });
    };
    world.system().spawn(ask);
  }

  void end_call(std::size_t number, const std::string& outcome) {
    ++calls[number].outcomes;
    calls[number].answered = outcome == "answered";
    world.note("call " + std::to_string(number) + ' ' + outcome);
  }

  void load() {
    auto end = world.now_ms() + load_ms;
    time_ms next_fault = world.now_ms();
    auto& random = world.random();
    while (world.now_ms() < end) {
      auto from = static_cast<std::uint32_t>(random.below(node_count));
      auto step = 1 + random.below(node_count - 1);
      start_call(from, static_cast<std::uint32_t>((from + step) % node_count), random.below(2) == 0);
      if (world.now_ms() >= next_fault) {
        world.network().heal(world.now_ms());
        auto alone = "n" + std::to_string(random.below(node_count));
        std::set<std::string> others;
        for (std::uint32_t i = 0; i < node_count; ++i)
          if (auto name = "n" + std::to_string(i); name != alone) others.insert(name);
        world.network().partition({alone}, others, random.below(2) == 0, world.now_ms());
        next_fault += 1000 + random.below(4000);
      }
      world.run(world.now_ms() + random.below(60));
    }
    world.network().heal(world.now_ms());
    world.run(world.now_ms() + reliable_ttl_ms + 10'000);
  }

  void check() {
    std::set<std::pair<std::uint32_t, std::int32_t>> seen;
    for (std::uint32_t i = 0; i < node_count; ++i) {
      std::map<std::int32_t, std::int32_t> last; // reliable ones, by caller
      for (auto& [caller, number] : handled[i]) {
        CHECK_MESSAGE(seen.emplace(i, number).second, "call " << number << " was handled twice");
        auto& c = calls[static_cast<std::size_t>(number)];
        CHECK(c.to == i);
        if (!c.reliable) continue;
        auto before = last.find(caller);
        CHECK_MESSAGE((before == last.end() || before->second < number), "reliable calls out of order");
        last[caller] = number;
      }
    }
    for (std::size_t i = 0; i < calls.size(); ++i) {
      CHECK_MESSAGE(calls[i].outcomes == 1, "call " << i << " has " << calls[i].outcomes << " outcomes");
      if (calls[i].answered) CHECK(seen.contains({calls[i].to, static_cast<std::int32_t>(i)}));
    }
  }

  seeded_world world;
  std::vector<std::unique_ptr<node>> nodes;
  std::array<std::vector<std::pair<std::int32_t, std::int32_t>>, node_count> handled;
  std::vector<identity> engines;
  std::map<std::tuple<std::uint32_t, std::uint32_t, bool>, calculator_actor> handles; ///< caller, callee, reliable
  std::deque<call> calls;
};

} // namespace

TEST_CASE("whole nodes under seeds: one outcome for each call, nothing twice, reliable ones in order") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    run r{seed};
    r.load();
    r.check();
    auto first = r.calls.size();
    for (auto& [key, handle] : r.handles)
      if (auto [from, to, reliable] = key; from != to) r.start_call(from, to, reliable);
    r.world.run(r.world.now_ms() + 5000);
    for (auto i = first; i < r.calls.size(); ++i) CHECK_MESSAGE(r.calls[i].answered, "not healed: call " << i);
    auto answered = std::count_if(r.calls.begin(), r.calls.end(), [](auto& c) { return c.answered; });
    MESSAGE("seed " << seed << ": " << r.calls.size() << " calls, " << answered << " answered");
  }
}

TEST_CASE("whole nodes under seeds: what waits for a link does not overtake the advert of its engine") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::vector<std::pair<std::int32_t, std::int32_t>> handled;
    seeded_world world{seed};
    auto a = world.start("a"), b = world.start("b");
    auto far = b->spawn_engine<calculator_actor, counting_engine>({.name = "counter"}, &handled);
    REQUIRE(far);
    REQUIRE(a->add(b->ticket()));
    world.run(world.now_ms() + 5000); // a knows where the engine is, and loses its link
    world.network().partition({"a"}, {"b"}, true, world.now_ms());
    world.run(world.now_ms() + 120'000);
    auto near = a->spawn_engine<calculator_actor, forwarding_engine>({.name = "forwarder"}, far->id);
    REQUIRE(near);
    std::string outcome;
    world.system().spawn([&outcome, near = near->handle](caf::event_based_actor* self) {
      compat::request(self, near, caf::infinite, calc::add_atom_v, 20, 22)
          .then([&outcome](std::int32_t sum) { outcome = std::to_string(sum); },
                [&outcome](const caf::error& why) { outcome = to_string(why); });
    });
    world.run(world.now_ms() + 100);
    world.network().heal(world.now_ms());
    world.run(world.now_ms() + 40'000);
    CHECK(outcome == "42");
    a->stop();
    b->stop();
  }
}

TEST_CASE("whole nodes under seeds: one seed gives one run") {
  auto trace_of = [](std::uint64_t seed) {
    run r{seed};
    r.load();
    return r.world.trace();
  };
  auto first = trace_of(42), again = trace_of(42);
  auto differ = std::mismatch(first.begin(), first.end(), again.begin(), again.end());
  CHECK_MESSAGE(differ.first == first.end(),
                "first: " << *differ.first << "\nagain: " << (differ.second == again.end() ? "" : *differ.second));
  CHECK(first.size() == again.size());
  CHECK(trace_of(43) != first);
}

#endif
