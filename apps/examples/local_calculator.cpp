// A calculator with several clients. local_calculator.cpp is an ordinary CAF program, networked_calculator.cpp the same
// with the calculator in another process; docs/embedding.md shows the difference, and a test compares the two.
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <iostream>

// clang-format off
CAF_BEGIN_TYPE_ID_BLOCK(calculator_app, caf::first_custom_type_id)
  CAF_ADD_ATOM(calculator_app, app, add_atom)
  CAF_ADD_ATOM(calculator_app, app, divide_atom)
CAF_END_TYPE_ID_BLOCK(calculator_app)

using calculator = caf::typed_actor<caf::result<std::int32_t>(app::add_atom, std::int32_t, std::int32_t),
                                    caf::result<std::int32_t>(app::divide_atom, std::int32_t, std::int32_t)>;
// clang-format on

struct calculator_state {
  explicit calculator_state(calculator::pointer) {}
  calculator::behavior_type make_behavior() {
    return {
        [](app::add_atom, std::int32_t a, std::int32_t b) { return a + b; },
        [](app::divide_atom, std::int32_t a, std::int32_t b) -> caf::result<std::int32_t> {
          if (b == 0) return caf::make_error(caf::sec::invalid_argument, "division by zero");
          return a / b;
        },
    };
  }
};

void client(caf::event_based_actor* self, const calculator& server, std::int32_t n) {
  auto print = [n](const char* what, const std::string& result) {
    std::cout << std::to_string(n) + what + result + "\n";
  };
  self->request(server, std::chrono::seconds{10}, app::add_atom_v, n, n)
      .then([print](std::int32_t sum) { print(" doubled is ", std::to_string(sum)); },
            [print](const caf::error& why) { print(" doubled: ", to_string(why)); });
  self->request(server, std::chrono::seconds{10}, app::divide_atom_v, n, n - 1)
      .then([print](std::int32_t quotient) { print(" by one less is ", std::to_string(quotient)); },
            [print](const caf::error& why) { print(" by one less: ", to_string(why)); });
}

int main() {
  caf::core::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::calculator_app>();
  caf::actor_system_config config;
  caf::actor_system system{config};

  auto server = system.spawn<calculator::stateful_impl<calculator_state>>();
  std::vector<caf::actor> clients;
  for (std::int32_t n = 1; n <= 3; ++n) clients.push_back(system.spawn(client, server, n));
  caf::scoped_actor self{system};
  for (auto& c : clients) self->wait_for(c);
}
