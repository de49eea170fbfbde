// The screen is written in one piece per redraw and never cleared first: nothing flickers.
#include "hanse/app/watch/terminal.hpp"

#include "hanse/app/cluster/timeline.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace hanse::app {
namespace {

using namespace std::chrono_literals;

constexpr auto size_check = 200ms; // how soon a changed size is seen

const char* code_of(line_kind kind, bool colour) {
  switch (kind) {
  case line_kind::title:
    return "\033[7m";
  case line_kind::heading:
    return "\033[1m";
  case line_kind::alarm:
    return colour ? "\033[31m" : "\033[1m";
  default:
    return "";
  }
}

} // namespace

bool terminal::is_there() {
  return ::isatty(STDIN_FILENO) == 1 && style_of_stdout().live;
}

terminal::terminal() : colour_(style_of_stdout().colour) {
  ::tcgetattr(STDIN_FILENO, &before_);
  auto raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VSUSP] = _POSIX_VDISABLE; // stopped by Ctrl-Z the shell would get the terminal as it is now
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  write("\033[?1049h\033[?25l\033[2J");
}

terminal::~terminal() {
  write("\033[0m\033[?25h\033[?1049l");
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

screen_size terminal::size() const {
  winsize w{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_row == 0) return {};
  return {w.ws_col, w.ws_row};
}

void terminal::draw(const std::vector<screen_line>& lines) {
  const auto rows = size().rows;
  std::string text = "\033[H";
  for (std::size_t i = 0; i < lines.size() && i < rows; ++i) {
    if (i > 0) text += "\r\n";
    text += code_of(lines[i].kind, colour_) + lines[i].text + "\033[0m\033[K";
  }
  write(text + "\033[J");
}

std::optional<char> terminal::key(steady_time deadline, const stop_event& stop) const {
  const auto before = size();
  while (!stop.is_set() && size() == before) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= 0ms) return {};
    pollfd entries[2] = {{STDIN_FILENO, POLLIN, 0}, {stop.fd(), POLLIN, 0}};
    const auto wait = std::min<std::chrono::nanoseconds>(left, size_check);
    ::poll(entries, 2, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
    if (entries[0].revents == 0) continue;
    char c = 0;
    if (::read(STDIN_FILENO, &c, 1) == 1) return c;
    if ((entries[0].revents & (POLLHUP | POLLERR)) != 0) return 'q'; // the terminal is gone
  }
  return {};
}

void terminal::write(const std::string& text) const {
  for (std::size_t done = 0; done < text.size();) {
    const auto n = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

} // namespace hanse::app
