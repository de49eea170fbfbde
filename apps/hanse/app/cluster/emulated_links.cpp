// One thread for all links: it polls the devices until the next packet is due.
// What a node sends passes at once; what arrives at it is delayed and lost, as with netem on the port of the bridge.
#include "hanse/app/cluster/emulated_links.hpp"

#include "hanse/app/text_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

namespace hanse::app {
namespace {

constexpr auto device = "/dev/net/tun";
constexpr std::size_t frame_max = 65'536;  // larger than any that a tap without offloads gives
constexpr std::size_t frames_at_once = 64; // of one device before the others have their turn; a guess
constexpr std::size_t broken_max = 100;    // failed reads until a device is left alone

} // namespace

expected<unique_fd> make_tap(int network, const std::string& name) {
  expected<unique_fd> made{errc::internal};
  std::thread{[&] {
    if (::setns(network, CLONE_NEWNET) != 0) {
      made = io_failure("the network namespace", errno);
      return;
    }
    unique_fd tap{::open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK)};
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (!tap || ::ioctl(tap.get(), TUNSETIFF, &request) != 0)
      made = io_failure(device, errno);
    else
      made = std::move(tap);
  }}.join();
  return made;
}

emulated_links::~emulated_links() {
  stopping_.set();
  if (thread_.joinable()) thread_.join();
}

void emulated_links::add(unique_fd node, unique_fd port) {
  auto l = std::make_unique<link>();
  l->node = std::move(node);
  l->port = std::move(port);
  links_.push_back(std::move(l));
}

void emulated_links::start() {
  thread_ = std::thread{[this] { work(); }};
}

void emulated_links::shape(std::size_t link, const link_shape& shape) {
  std::lock_guard lock{mutex_};
  links_[link]->shape = shape;
}

void emulated_links::work() {
  std::vector<char> buffer(frame_max);
  std::vector<pollfd> polled;
  while (!stopping_.is_set()) {
    polled.assign(1, {stopping_.fd(), POLLIN, 0});
    auto due = clock::now() + std::chrono::seconds{1};
    for (auto& l : links_) {
      auto events = static_cast<short>(l->broken < broken_max ? POLLIN : 0);
      polled.push_back({events == 0 ? -1 : l->node.get(), events, 0});
      polled.push_back({events == 0 ? -1 : l->port.get(), events, 0});
      if (!l->waiting.empty()) due = std::min(due, l->waiting.front().due);
    }
    auto left = std::max(clock::duration::zero(), due - clock::now());
    timespec wait{static_cast<time_t>(left / std::chrono::seconds{1}),
                  static_cast<long>((left % std::chrono::seconds{1}) / std::chrono::nanoseconds{1})};
    if (::ppoll(polled.data(), polled.size(), &wait, nullptr) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      if (polled[1 + 2 * i].revents != 0) carry(*links_[i]);
      if (polled[2 + 2 * i].revents != 0) receive(*links_[i], buffer);
      deliver(*links_[i], clock::now());
    }
  }
}

/// From the node to the bridge.
void emulated_links::carry(link& l) {
  char frame[frame_max];
  for (std::size_t i = 0; i < frames_at_once; ++i) {
    auto n = ::read(l.node.get(), frame, sizeof frame);
    if (n < 0 && errno != EAGAIN && errno != EINTR) ++l.broken;
    if (n <= 0) return;
    // A port that takes no more loses it, as a full queue does.
    if (::write(l.port.get(), frame, static_cast<std::size_t>(n)) < 0) continue;
  }
}

/// From the bridge: what is to arrive at the node, and when.
void emulated_links::receive(link& l, std::vector<char>& buffer) {
  for (std::size_t i = 0; i < frames_at_once; ++i) {
    auto n = ::read(l.port.get(), buffer.data(), buffer.size());
    if (n < 0 && errno != EAGAIN && errno != EINTR) ++l.broken;
    if (n <= 0) return;
    std::lock_guard lock{mutex_};
    const auto& s = l.shape;
    if (s.loss_percent > 0 && std::uniform_real_distribution{0.0, 100.0}(random_) < s.loss_percent) continue;
    if (l.waiting.size() >= s.packets_max()) continue;
    auto at = clock::now();
    if (s.rate_mbit > 0) {
      auto passing = std::chrono::duration<double, std::micro>{static_cast<double>(n) * 8 / s.rate_mbit};
      at = std::max(at, l.free) + std::chrono::duration_cast<clock::duration>(passing);
      l.free = at;
    }
    std::uniform_int_distribution<std::int64_t> jitter{-1000 * std::int64_t{s.jitter_ms},
                                                       1000 * std::int64_t{s.jitter_ms}};
    at += std::chrono::milliseconds{s.latency_ms} + std::chrono::microseconds{jitter(random_)};
    if (!l.waiting.empty()) at = std::max(at, l.waiting.back().due);
    l.waiting.push_back({at, {buffer.begin(), buffer.begin() + n}});
  }
}

void emulated_links::deliver(link& l, clock::time_point now) {
  while (!l.waiting.empty() && l.waiting.front().due <= now) {
    const auto& p = l.waiting.front().octets;
    if (::write(l.node.get(), p.data(), p.size()) < 0 && errno != EAGAIN && errno != EINTR) ++l.broken;
    l.waiting.pop_front();
  }
}

} // namespace hanse::app
