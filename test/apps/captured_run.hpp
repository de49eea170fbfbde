// Runs the program within the test and keeps what it printed.
// Not for commands that start nodes or wait for signals; those run as processes (cluster tests).
#pragma once

#include "hanse/app/command.hpp"

#include <sstream>

namespace hanse::test {

struct captured_run {
  int exit_code = 0;
  std::string out;
  std::string err;

  explicit captured_run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "hanse");
    std::vector<const char*> argv;
    for (const auto& a : arguments) argv.push_back(a.c_str());
    std::ostringstream o;
    std::ostringstream e;
    exit_code = app::run_program(static_cast<int>(argv.size()), argv.data(), o, e);
    out = o.str();
    err = e.str();
  }
};

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace hanse::test
