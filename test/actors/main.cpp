// The main of the actor tests: CAF wants its type ids registered before the first actor_system.
#define DOCTEST_CONFIG_IMPLEMENT
#include "calculator.hpp"

#include <caf/init_global_meta_objects.hpp>
#include <doctest/doctest.h>

int main(int argc, char** argv) {
  hanse::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::calculator>();
  doctest::Context context{argc, argv};
  return context.run();
}
