// Takes termination signals from a signalfd.
// No handlers: nothing runs in signal context.
#include "hanse/app/stop_signals.hpp"

#include <poll.h>
#include <sys/signalfd.h>

namespace hanse::app {

stop_signals::stop_signals() {
  sigemptyset(&set_);
  for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, s);
  ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
  fd_ = unique_fd{::signalfd(-1, &set_, SFD_CLOEXEC)};
}

stop_signals::~stop_signals() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int stop_signals::wait(const stop_event& other) {
  pollfd entries[2] = {{fd_.get(), POLLIN, 0}, {other.fd(), POLLIN, 0}};
  while (::poll(entries, 2, -1) < 0) {
  }
  if (entries[0].revents == 0) return 0;
  signalfd_siginfo taken{};
  return ::read(fd_.get(), &taken, sizeof taken) == sizeof taken ? static_cast<int>(taken.ssi_signo) : SIGTERM;
}

void stop_signals::let_through() {
  ::pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
}

} // namespace hanse::app
