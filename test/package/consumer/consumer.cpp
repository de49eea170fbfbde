// A host program: its own actor_system, type ids and metrics, with a Hanse node inside; and the test kit beside it.
#include <hanse/actors/node.hpp>
#include <hanse/sim/test_kit.hpp>

#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/telemetry/collector/prometheus.hpp>
#include <caf/telemetry/metric_registry.hpp>

#include <cstdio>

CAF_BEGIN_TYPE_ID_BLOCK(host, caf::first_custom_type_id)
CAF_ADD_ATOM(host, host, double_atom)
CAF_END_TYPE_ID_BLOCK(host)
#ifdef HANSE_TYPE_ID_START
static_assert(caf::id_block::hanse::begin == HANSE_TYPE_ID_START, "the program is built with the library's type ids");
#endif

using doubler_actor = caf::typed_actor<caf::result<std::int32_t>(host::double_atom, std::int32_t)>;
HANSE_PROTOCOL(doubler_actor, "doubler/1.0")

struct doubler_state {
  explicit doubler_state(doubler_actor::pointer) {}
  doubler_actor::behavior_type make_behavior() {
    return {[](host::double_atom, std::int32_t n) { return 2 * n; }};
  }
};

struct flood final : hanse::sim::test_machine {
  void start(hanse::sim::port& p) override {
    if (p.self() == 0)
      for (std::uint32_t i = 1; i < p.nodes(); ++i) p.send(i, {std::byte{1}});
  }
  void received(hanse::sim::port&, std::uint32_t, hanse::byte_view) override { reached = true; }
  bool reached = false;
};

int main() {
  hanse::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::host>();
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};
  auto* mine = system.metrics().counter_singleton("host", "starts", "Starts of the host.");
  mine->inc();
  auto running = system.spawn<doubler_actor::stateful_impl<doubler_state>>(); // the host's actor, before any node

  auto memory = std::make_shared<hanse::mem_network>();
  auto here = hanse::node::start(system, {.name = "here", .listen = {"mem://here"}, .memory = memory});
  auto there = hanse::node::start(system, {.name = "there", .listen = {"mem://there"}, .memory = memory});
  if (!here || !there) return 1;
  auto hosted = (*there)->host<doubler_actor>(running, {.name = "doubler"});
  if (!hosted || !(*here)->add((*there)->ticket())) return 2;
  std::int32_t result = 0;
  caf::scoped_actor self{system};
  self->request((*here)->remote<doubler_actor>(hosted->id), std::chrono::seconds{10}, host::double_atom_v, 21)
      .receive([&](std::int32_t n) { result = n; }, [](const caf::error& why) { std::puts(to_string(why).c_str()); });
  if (result != 42) return 3;

  caf::telemetry::collector::prometheus collector;
  auto text = collector.collect_from(system.metrics());
  std::string metrics{text.begin(), text.end()};
  for (auto* name : {"host_starts", "hanse_messages_sent"})
    if (metrics.find(name) == std::string::npos) return std::puts(name), 4;

  hanse::sim::test_network net{7, 5, {5, 20}, [](std::uint32_t) { return std::make_unique<flood>(); }};
  net.run(1000);
  for (std::uint32_t i = 1; i < net.nodes(); ++i)
    if (!net.machine<flood>(i)->reached) return 5;
  std::puts("the host got 42");
}
