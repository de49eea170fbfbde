// See stacks.hpp. The same typed actor serves both stacks; only the handle that the client gets differs.
#include "bench/stacks.hpp"

#include "hanse/actors/node.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/io/middleman.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <sstream>

#include <unistd.h>

namespace bench {
struct sync_atom;
using sink_actor = caf::typed_actor<caf::result<void>(caf::byte_buffer), caf::result<uint64_t>(sync_atom)>;
} // namespace bench

CAF_BEGIN_TYPE_ID_BLOCK(bench, caf::first_custom_type_id)
CAF_ADD_ATOM(bench, bench, sync_atom)
CAF_ADD_TYPE_ID(bench, (bench::sink_actor))
CAF_END_TYPE_ID_BLOCK(bench)

HANSE_PROTOCOL(bench::sink_actor, "sink/1.0")

namespace bench {

namespace {

using clock_type = std::chrono::steady_clock;

struct sink_engine {
  explicit sink_engine(sink_actor::pointer) {}
  sink_actor::behavior_type make_behavior() {
    return {[this](const caf::byte_buffer&) { ++count; }, [this](sync_atom) { return count; }};
  }
  std::uint64_t count = 0;
};

struct config : caf::actor_system_config {
  config() {
    load<caf::io::middleman>();
    set("caf.scheduler.max-threads", 2);
  }
};

/// Sends `total` messages of `size` octets, `burst` at a time, with at most `bursts_under_way` bursts unanswered.
struct flood {
  std::uint64_t total, burst, bursts_under_way;
  std::size_t size;
};

double run_flood(caf::actor_system& system, const sink_actor& sink, const flood& f) {
  std::promise<double> done;
  auto began = clock_type::now();
  system.spawn([&](caf::event_based_actor* self) {
    auto sent = std::make_shared<std::uint64_t>(0);
    auto answered = std::make_shared<std::uint64_t>(0);
    auto more = std::make_shared<std::function<void()>>();
    *more = [&, self, sent, answered, more, payload = caf::byte_buffer(f.size)] {
      for (std::uint64_t i = 0; i < f.burst; ++i) self->send(sink, payload);
      *sent += f.burst;
      self->request(sink, caf::infinite, sync_atom_v).then([&, sent, answered, more](std::uint64_t) {
        *answered += f.burst;
        if (*answered >= f.total) {
          done.set_value(std::chrono::duration<double>(clock_type::now() - began).count());
          *more = nullptr;
        } else if (*sent < f.total) {
          (*more)();
        }
      });
    };
    auto start = *more;
    for (std::uint64_t i = 0; i < f.bursts_under_way; ++i) start();
  });
  return done.get_future().get();
}

double median_round_trip_us(caf::actor_system& system, const sink_actor& sink, int count) {
  std::vector<double> times;
  caf::scoped_actor self{system};
  for (int i = 0; i < count; ++i) {
    auto began = clock_type::now();
    self->request(sink, caf::infinite, sync_atom_v).receive([](std::uint64_t) {}, [](const caf::error&) {});
    times.push_back(std::chrono::duration<double, std::micro>(clock_type::now() - began).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void print(const char* name, double value) {
  std::printf("%s %f\n", name, value);
  std::fflush(stdout);
}

void run_workload(caf::actor_system& system, const sink_actor& sink, const std::string& workload) {
  (void)run_flood(system, sink, {2000, 500, 2, 128}); // warm up
  if (workload == "small") {
    flood f{400'000, 500, 8, 128};
    auto seconds = run_flood(system, sink, f);
    print("messages", static_cast<double>(f.total));
    print("messages_per_s", static_cast<double>(f.total) / seconds);
  } else if (workload == "large") {
    flood f{8'000, 8, 8, 64 * 1024};
    auto seconds = run_flood(system, sink, f);
    print("mb_per_s", static_cast<double>(f.total * f.size) / seconds / 1e6);
  } else if (workload == "round_trip") {
    print("p50_us", median_round_trip_us(system, sink, 3000));
  } else {
    flood f{1'000'000, 500, 8, 128};
    print("messages_per_s", static_cast<double>(f.total) / run_flood(system, sink, f));
  }
}

void wait_for_sigterm() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  int number = 0;
  sigwait(&set, &number);
  _exit(0); // nothing is left to measure; actors that hold each other need not be waited for
}

int run_hanse(const std::string& role, const std::string& workload, const std::string& address) {
  config cfg;
  caf::actor_system system{cfg};
  auto node = hanse::node::start(system, {.name = role, .listen = {"tls://127.0.0.1:0"}});
  if (!node) return 1;
  auto here = (*node)->spawn_engine<sink_actor, sink_engine>({.name = "sink"});
  if (!here) return 1;
  if (role == "server") {
    std::printf("%s %s\n", (*node)->ticket().c_str(), to_string(here->id).c_str());
    std::fflush(stdout);
    wait_for_sigterm();
    return 0;
  }
  std::istringstream in{address};
  std::string ticket, id;
  in >> ticket >> id;
  if (!(*node)->add(ticket)) return 1;
  auto far = hanse::identity::parse(id);
  auto sink = workload == "local" ? (*node)->remote<sink_actor>(here->id) : (*node)->remote<sink_actor>(*far);
  run_workload(system, sink, workload);
  return 0;
}

int run_caf(const std::string& role, const std::string& workload, const std::string& address) {
  config cfg;
  caf::actor_system system{cfg};
  auto here = system.spawn<sink_actor::stateful_impl<sink_engine>>();
  if (role == "server") {
    auto port = system.middleman().publish(here, 0, "127.0.0.1");
    if (!port) return 1;
    std::printf("%d\n", static_cast<int>(*port));
    std::fflush(stdout);
    wait_for_sigterm();
    return 0;
  }
  if (workload == "local") {
    run_workload(system, here, workload);
    return 0;
  }
  auto far = system.middleman().remote_actor<sink_actor>("127.0.0.1", static_cast<std::uint16_t>(std::stoi(address)));
  if (!far) return 1;
  run_workload(system, *far, workload);
  return 0;
}

} // namespace

int run_role(const std::string& role, const std::string& stack, const std::string& argument) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr); // before any thread starts: sigwait takes it
  hanse::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::bench>();
  auto space = argument.find(' ');
  auto workload = argument.substr(0, space);
  auto address = space == argument.npos ? std::string{} : argument.substr(space + 1);
  auto status = stack == "hanse" ? run_hanse(role, workload, address) : run_caf(role, workload, address);
  std::fflush(stdout);
  _exit(status); // what is measured is over; the actor systems need not wind down
}

} // namespace bench
