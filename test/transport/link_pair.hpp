// Two link machines with their octets in between, for tests: the stream is two buffers, time is a number.
// Not a network (sim_network.hpp): nothing is delayed unless the test holds it back.
#pragma once

#include "hanse/transport/link.hpp"
#include "hanse/transport/plain_session.hpp"
#include "hanse/transport/tls_session.hpp"

namespace hanse::test {

inline key_pair key_of(std::uint8_t number) {
  std::array<std::byte, 32> seed{};
  seed[0] = std::byte{number};
  seed[31] = std::byte{0x5a};
  return key_pair::from_seed(seed);
}

inline const tls_context& context_of(std::uint8_t number) {
  static std::map<std::uint8_t, tls_context> made;
  auto it = made.find(number);
  if (it == made.end()) it = made.emplace(number, *tls_context::make(key_of(number))).first;
  return it->second;
}

/// One side: the machine, what it did, and what it wants to send.
struct side {
  std::unique_ptr<hanse::link> machine;
  link_effects fx;
  bytes out;
  std::size_t moved = 0; ///< octets of `out` that were handed over already
  std::vector<shared_bytes> data, adverts;
  std::optional<link_up> up;
  std::optional<error> closed;

  std::size_t left() const { return out.size() - moved; }

  /// Takes the effects of the latest call.
  void settle() {
    append(out, fx.output);
    for (auto& d : fx.data) data.push_back(d);
    for (auto& a : fx.adverts) adverts.push_back(a);
    if (fx.up) up = fx.up;
    if (fx.closed) closed = fx.closed;
    fx.clear();
  }
};

struct pair_options {
  bool tls = true;
  std::uint8_t dialer = 1, acceptor = 2;
  std::optional<identity> expected;
  link_config config;
};

struct link_pair {
  seeded_random random{7};
  side a, b; // a dials
  time_ms now = 1000;

  explicit link_pair(const pair_options& o = {}) {
    auto config = [&](std::uint8_t self) {
      auto c = o.config;
      c.self = key_of(self).identity();
      c.ours.life = self;
      c.ours.id_floor = 100U + self;
      return c;
    };
    auto dial = config(o.dialer), accept = config(o.acceptor);
    dial.expected_peer = o.expected;
    a.machine = std::make_unique<hanse::link>(link_role::dialer,
                                              o.tls ? context_of(o.dialer).dial(o.expected)
                                                    : make_plain_session(link_role::dialer, dial.self, o.expected),
                                              dial, random);
    b.machine = std::make_unique<hanse::link>(
        link_role::acceptor,
        o.tls ? context_of(o.acceptor).accept() : make_plain_session(link_role::acceptor, accept.self, std::nullopt),
        accept, random);
  }

  void start() {
    a.machine->start(now, a.fx);
    b.machine->start(now, b.fx);
    a.settle();
    b.settle();
  }

  /// Hands up to `most` octets over; returns how many.
  std::size_t move(side& from, side& to, std::size_t most = SIZE_MAX) {
    const auto n = std::min(most, from.left());
    if (n == 0) return 0;
    const bytes chunk = to_bytes(byte_view{from.out}.subspan(from.moved, n));
    from.moved += n;
    if (from.moved == from.out.size()) {
      from.out.clear();
      from.moved = 0;
    }
    from.machine->written(n, now);
    to.machine->received(chunk, now, to.fx);
    to.settle();
    return n;
  }

  /// Moves everything both ways until nothing is left, in chunks of at most `most` octets.
  void run(std::size_t most = SIZE_MAX) {
    while (move(a, b, most) + move(b, a, most) > 0) {
    }
  }

  /// Likewise, in chunks of random sizes.
  void run_random(random_source& r, std::size_t most) {
    while (move(a, b, 1 + r.below(most)) + move(b, a, 1 + r.below(most)) > 0) {
    }
  }

  void up() {
    start();
    run();
  }

  void send(side& from, byte_view payload) {
    (void)from.machine->send_data(payload, from.fx);
    from.machine->flush(now, from.fx);
    from.settle();
  }

  void tick(time_ms to) {
    now = to;
    a.machine->tick(now, a.fx);
    b.machine->tick(now, b.fx);
    a.settle();
    b.settle();
  }
};

} // namespace hanse::test
