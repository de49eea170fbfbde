// A terminal as a screen that is redrawn: alternate screen, single keys, and everything as it was at the end.
// Plain ANSI (ECMA-48) sequences that every terminal of today knows, so no ncurses. Not the content (top_screen.hpp).
#pragma once

#include "hanse/app/line_channel.hpp"
#include "hanse/app/watch/top_screen.hpp"

#include <optional>
#include <termios.h>

namespace hanse::app {

struct screen_size {
  std::size_t columns = 80, rows = 24;
  friend bool operator==(const screen_size&, const screen_size&) = default;
};

/// Takes over standard input and output, which have to be a terminal, until the destructor. Ctrl-C stays a signal.
class terminal {
public:
  terminal();
  ~terminal();
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  screen_size size() const;
  void draw(const std::vector<screen_line>& lines);

  /// The next key, or nothing: `deadline` came, `stop` was set, or the size changed.
  std::optional<char> key(steady_time deadline, const stop_event& stop) const;

  /// Whether both are a terminal that can be redrawn.
  static bool is_there();

private:
  void write(const std::string& text) const;

  termios before_{};
  bool colour_ = true;
};

} // namespace hanse::app
