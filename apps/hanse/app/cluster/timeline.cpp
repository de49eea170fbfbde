// Draws the timeline with carriage returns and "erase to end of line" only, which every terminal knows.
// The ticking thread keeps the elapsed time moving while a step waits.
#include "hanse/app/cluster/timeline.hpp"

#include "hanse/app/text_table.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <sys/ioctl.h>

namespace hanse::app {
namespace {

using namespace std::chrono_literals;

constexpr auto redraw_interval = 100ms;
constexpr std::size_t bar_width = 24;
constexpr const char* green = "32";
constexpr const char* red = "31";
constexpr const char* dim = "2";

std::string padded(std::string text, std::size_t width) {
  auto have = width_of(text);
  return have < width ? text + std::string(width - have, ' ') : text;
}

} // namespace

output_style style_of_stdout() {
  output_style style;
  auto* term = std::getenv("TERM");
  auto* no_color = std::getenv("NO_COLOR");
  auto dumb = !term || std::string_view{term} == "dumb";
  style.live = ::isatty(STDOUT_FILENO) == 1 && !dumb;
  style.colour = style.live && !(no_color && *no_color);
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) style.width = size.ws_col;
  return style;
}

timeline::timeline(std::ostream& out, output_style style, bool quiet) : out_(out), style_(style), quiet_(quiet) {
  if (style_.live && !quiet_) ticker_ = std::thread{[this] { tick(); }};
}

timeline::~timeline() {
  stopping_.set();
  if (ticker_.joinable()) ticker_.join();
  std::lock_guard lock{mutex_};
  erase();
  out_.flush();
}

void timeline::tick() {
  while (!stopping_.wait_until(std::chrono::steady_clock::now() + redraw_interval)) {
    std::lock_guard lock{mutex_};
    ++frame_;
    draw();
  }
}

void timeline::begin(std::size_t steps) {
  std::lock_guard lock{mutex_};
  steps_ = steps;
}

void timeline::step_started(const std::string& name) {
  std::lock_guard lock{mutex_};
  current_ = name;
  part_ = parts_ = 0;
  draw();
}

void timeline::step_progress(std::uint64_t done, std::uint64_t all) {
  std::lock_guard lock{mutex_};
  part_ = done;
  parts_ = all;
}

void timeline::step_ended(const step_record& r) {
  std::lock_guard lock{mutex_};
  ++done_;
  auto failed = r.status == step_record::state::failed;
  auto skipped = r.status == step_record::state::skipped;
  auto word = failed ? paint(red, "FAILED") : skipped ? paint(red, "skip  ") : paint(green, "ok    ");
  auto line = paint(dim, elapsed()) + "  " + word + "  " + padded(r.name, 44) + "  " +
              padded(duration_text(r.elapsed_us), 9) + "  ";
  print(line + printable(failed ? r.problem : r.detail, 400));
}

void timeline::note(const std::string& text) {
  std::lock_guard lock{mutex_};
  print(paint(dim, elapsed()) + "          " + text);
}

std::string timeline::paint(const char* code, const std::string& text) const {
  return style_.colour ? std::string{"\033["} + code + "m" + text + "\033[0m" : text;
}

std::string timeline::elapsed() const {
  char text[32];
  auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  std::snprintf(text, sizeof text, "%8.3f s", seconds);
  return text;
}

void timeline::print(const std::string& line) {
  if (quiet_) return;
  erase();
  out_ << line << '\n';
  draw();
  out_.flush();
}

void timeline::erase() {
  if (drawn_) out_ << "\r\033[K";
  drawn_ = false;
}

void timeline::draw() {
  if (!style_.live || quiet_ || steps_ == 0 || done_ >= steps_) return;
  constexpr const char* frames[] = {"|", "/", "-", "\\"};
  auto filled = std::min(bar_width, done_ * bar_width / steps_);
  std::string bar = std::string(filled, '#') + std::string(bar_width - filled, '-');
  auto line = elapsed() + "  [" + bar + "] " + std::to_string(done_) + "/" + std::to_string(steps_) + " " +
              frames[frame_ % 4] + " " + current_;
  if (parts_ > 1) line += "  " + std::to_string(part_) + "/" + std::to_string(parts_);
  erase();
  out_ << printable(line, style_.width - 2);
  drawn_ = true;
  out_.flush();
}

} // namespace hanse::app
