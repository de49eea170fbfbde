// See test_kit.hpp.
#include "hanse/sim/test_kit.hpp"

#include <algorithm>

namespace hanse::sim {

namespace {

std::string host_of(std::uint32_t node) {
  std::string out{"n"};
  return out.append(std::to_string(node));
}

} // namespace

std::uint32_t port::nodes() const noexcept {
  return network_.nodes();
}

time_ms port::now() const noexcept {
  return network_.now_;
}

void port::send(std::uint32_t to, bytes octets) {
  ++network_.counts_["sent"];
  network_.net_.send_datagram(host_of(self_), host_of(to), octets, network_.now_);
}

void port::after(time_ms delay, std::uint64_t token) {
  network_.at(network_.now_ + delay, [&network = network_, self = self_, life = network_.nodes_[self_].life, token] {
    auto& n = network.nodes_[self];
    if (!n.machine || n.life != life) return;
    port p{network, self};
    n.machine->timer(p, token);
  });
}

random_source& port::random() {
  return *network_.nodes_[self_].random;
}

void port::count(const std::string& name, std::uint64_t n) {
  network_.counts_[name] += n;
}

test_network::test_network(std::uint64_t seed, std::uint32_t nodes, const sim_path& everywhere, machine_factory make)
    : net_(seed, everywhere), make_(std::move(make)), nodes_(nodes) {
  for (std::uint32_t i = 0; i < nodes; ++i) {
    nodes_[i].random = std::make_unique<seeded_random>((seed << 20) ^ (1 + std::uint64_t{i}));
    at(0, [this, i] { start(i); });
  }
}

test_network::~test_network() = default;

void test_network::start(std::uint32_t node) {
  auto& n = nodes_[node];
  ++n.life;
  n.machine = make_(node);
  port p{*this, node};
  n.machine->start(p);
}

void test_network::crash(std::uint32_t node, time_ms when, time_ms down_ms) {
  at(when, [this, node, down_ms] {
    nodes_[node].machine.reset();
    at(now_ + down_ms, [this, node] {
      if (!nodes_[node].machine) start(node);
    });
  });
}

void test_network::partition(const std::vector<std::uint32_t>& part, time_ms from, time_ms until) {
  at(from, [this, part, until] {
    for (const auto inside : part)
      for (std::uint32_t outside = 0; outside < nodes(); ++outside) {
        if (std::find(part.begin(), part.end(), outside) != part.end()) continue;
        net_.clog(host_of(inside), host_of(outside), until, now_);
        net_.clog(host_of(outside), host_of(inside), until, now_);
      }
  });
}

void test_network::at(time_ms when, std::function<void()> action) {
  agenda_.at(std::max(when, now_), std::move(action));
}

bool test_network::run(time_ms until, const std::function<bool()>& done) {
  for (;;) {
    const auto next = std::min(agenda_.next(), net_.next_event_time());
    if (next > until) break;
    now_ = next;
    for (const auto& e : net_.advance(now_)) {
      const auto to = static_cast<std::uint32_t>(std::stoul(e.host.substr(1)));
      if (e.what != sim_event::kind::datagram || !nodes_[to].machine) continue;
      ++counts_["received"];
      port p{*this, to};
      nodes_[to].machine->received(p, static_cast<std::uint32_t>(std::stoul(e.from.substr(1))), e.octets);
    }
    if (agenda_.next() <= now_) agenda_.take()();
    if (done && done()) return true;
  }
  now_ = until;
  return done && done();
}

} // namespace hanse::sim
