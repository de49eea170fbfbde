// Shows a run while it goes on: a line for each thing that is done, and a moving progress line on a terminal.
// Not the summary (cluster_report.hpp). Plain lines if the output is no terminal; no colour with NO_COLOR.
#pragma once

#include "hanse/app/cluster/step_runner.hpp"

namespace hanse::app {

/// How to write to where the output goes.
struct output_style {
  bool live = false;       ///< a terminal: lines can be redrawn
  bool colour = false;     ///< a terminal without NO_COLOR and not "dumb"
  std::size_t width = 100; ///< columns
};

/// Looks at standard output and the environment.
output_style style_of_stdout();

/// Thread-safe. With `quiet` it shows nothing.
class timeline {
public:
  timeline(std::ostream& out, output_style style, bool quiet);
  ~timeline();
  timeline(const timeline&) = delete;
  timeline& operator=(const timeline&) = delete;

  void begin(std::size_t steps);
  void step_started(const std::string& name);
  void step_progress(std::uint64_t done, std::uint64_t all);
  void step_ended(const step_record& record);
  void note(const std::string& text);

private:
  void print(const std::string& line);
  void draw();
  void erase();
  std::string elapsed() const;
  std::string paint(const char* code, const std::string& text) const;
  void tick();

  std::ostream& out_;
  const output_style style_;
  const bool quiet_;
  const steady_time start_ = std::chrono::steady_clock::now();
  stop_event stopping_;
  std::mutex mutex_; ///< guards all below
  std::size_t steps_ = 0;
  std::size_t done_ = 0;
  std::string current_;
  std::uint64_t part_ = 0;
  std::uint64_t parts_ = 0;
  std::size_t frame_ = 0;
  bool drawn_ = false;
  std::thread ticker_; ///< on a terminal only
};

} // namespace hanse::app
