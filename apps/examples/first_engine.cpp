// The README's first engine: a typed actor on one node, called from another through the same typed handle.
// Both nodes live in this process and talk over TLS on loopback, as two processes would.
#include <hanse/actors/node.hpp>

#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>

#include <iostream>

// clang-format off
// [engine]
CAF_BEGIN_TYPE_ID_BLOCK(greeter, caf::first_custom_type_id)
  CAF_ADD_ATOM(greeter, greeting, greet_atom)
CAF_END_TYPE_ID_BLOCK(greeter)

using greeter_actor = caf::typed_actor<caf::result<std::string>(greeting::greet_atom, std::string)>;
HANSE_PROTOCOL(greeter_actor, "greeter/1.0")

struct greeter_engine {
  explicit greeter_engine(greeter_actor::pointer) {}
  greeter_actor::behavior_type make_behavior() {
    return {[](greeting::greet_atom, const std::string& who) { return "hello, " + who; }};
  }
};
// [engine]
// clang-format on

int main() {
  hanse::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::greeter>();
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};

  // [use]
  auto here = hanse::node::start(system, {.name = "here", .listen = {"tls://127.0.0.1:0"}});
  auto there = hanse::node::start(system, {.name = "there", .listen = {"tls://127.0.0.1:0"}});
  if (!here || !there) return 1;
  auto engine = (*there)->spawn_engine<greeter_actor, greeter_engine>({.name = "greeter"});
  auto known = (*here)->add((*there)->ticket());
  if (!engine || !known) return 1;

  auto greeter = (*here)->remote<greeter_actor>(engine->id); // a typed handle to another node
  caf::scoped_actor self{system};
  self->request(greeter, std::chrono::seconds{10}, greeting::greet_atom_v, "world")
      .receive([](const std::string& text) { std::cout << text << std::endl; },
               [](const caf::error& why) { std::cout << to_string(why) << std::endl; });
  // [use]
}
