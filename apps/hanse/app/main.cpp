// The entry point of the `hanse` program.
// Everything is in the library, so that tests can link another runtime under the same program.
#include "hanse/app/command.hpp"
#include "hanse/app/memory_reuse.hpp"

#include <iostream>

int main(int argc, char** argv) {
  hanse::app::keep_freed_memory();
  return hanse::app::run_program(argc, argv, std::cout, std::cerr);
}
