// The entry point of the `hanse` program.
// Everything is in the library, so that tests can link another runtime under the same program.
#include "hanse/app/command.hpp"

#include <iostream>

int main(int argc, char** argv) {
  return hanse::app::run_program(argc, argv, std::cout, std::cerr);
}
