// Asks for passphrases on /dev/tty with echo off, and puts the terminal back also when a signal ends the program.
// The environment variable is for scripts and tests; it is less safe than a file.
#include "hanse/app/passphrase.hpp"

#include "hanse/app/text_file.hpp"
#include "hanse/app/unique_fd.hpp"
#include "hanse/crypto/key_file.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;

/// Turns echo off for its lifetime. Signals from the keyboard are held back meanwhile, so that the terminal is always
/// put back first; they are delivered after.
class echo_off {
public:
  explicit echo_off(int tty) : tty_(tty) {
    sigset_t held;
    sigemptyset(&held);
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) sigaddset(&held, signal);
    ::pthread_sigmask(SIG_BLOCK, &held, &signals_before_);
    is_terminal_ = ::tcgetattr(tty_, &before_) == 0;
    if (!is_terminal_) return;
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG); // Ctrl-C arrives as a character, see read_line
    quiet.c_lflag |= ECHONL;
    ::tcsetattr(tty_, TCSAFLUSH, &quiet);
  }
  ~echo_off() {
    if (is_terminal_) ::tcsetattr(tty_, TCSAFLUSH, &before_);
    ::pthread_sigmask(SIG_SETMASK, &signals_before_, nullptr);
  }
  echo_off(const echo_off&) = delete;
  echo_off& operator=(const echo_off&) = delete;

private:
  int tty_;
  bool is_terminal_ = false;
  termios before_{};
  sigset_t signals_before_{};
};

expected<secret_bytes> read_line(int fd) {
  secret_bytes line;
  line.reserve(passphrase_size_max + 1); // never reallocated: no copies left behind
  while (line.size() <= passphrase_size_max) {
    char c = 0;
    auto n = ::read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_failure("passphrase", errno);
    if (c == 3) return error{errc::cancelled, "interrupted"};
    if (n == 0 || c == '\n') return line;
    line.push_back(static_cast<std::byte>(c));
  }
  return error{errc::bad_value, "a passphrase has at most " + std::to_string(passphrase_size_max) + " octets"};
}

expected<secret_bytes> prompt_line(int tty, std::string_view prompt) {
  [[maybe_unused]] auto n = ::write(tty, prompt.data(), prompt.size());
  echo_off quiet{tty};
  return read_line(tty);
}

expected<secret_bytes> ask_terminal(const passphrase_options& options) {
  unique_fd tty{::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)};
  if (!tty)
    return error{
        errc::wrong_passphrase,
        "a passphrase is needed, and there is no terminal to ask for it (set HANSE_PASSPHRASE or give a file)"};
  HANSE_TRY(auto first, prompt_line(tty.get(), options.prompt));
  if (!options.confirm) return first;
  HANSE_TRY(auto second, prompt_line(tty.get(), "Once more: "));
  if (!equal(first, second)) return error{errc::bad_value, "the two passphrases differ"};
  return first;
}

expected<secret_bytes> read_file(const fs::path& file) {
  unique_fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return io_failure(file, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return io_failure(file, errno);
  if (S_ISREG(info.st_mode) && (info.st_mode & 077) != 0)
    return error{errc::bad_permissions, file.string() + ": others can read it (run: chmod 600 " + file.string() + ")"};
  return read_line(fd.get());
}

expected<secret_bytes> find_passphrase(const passphrase_options& options) {
  if (!options.file.empty()) return read_file(options.file);
  if (auto* value = std::getenv("HANSE_PASSPHRASE")) return to_secret(value);
  return ask_terminal(options);
}

} // namespace

expected<secret_bytes> get_passphrase(const passphrase_options& options) {
  HANSE_TRY(auto passphrase, find_passphrase(options));
  if (passphrase.empty()) return error{errc::bad_value, "the passphrase is empty"};
  if (passphrase.size() > passphrase_size_max)
    return error{errc::bad_value, "a passphrase has at most " + std::to_string(passphrase_size_max) + " octets"};
  return passphrase;
}

} // namespace hanse::app
