// The entry point of the `hanse` program.
// Everything is in the library, so that tests can link another runtime under the same program.
#include "hanse/app/command.hpp"

#include "hanse/actors/memory_reuse.hpp"

#include <iostream>

int main(int argc, char** argv) {
  hanse::keep_freed_memory();
  return hanse::app::run_program(argc, argv, std::cout, std::cerr);
}
