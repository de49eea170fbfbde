// One pool with its effects at hand, for tests that make its decisions one by one.
// Not a node (pool_shell.hpp): the test plays links and network.
#pragma once

#include "pool_shell.hpp"

#include <doctest/doctest.h>

namespace hanse::test {

/// A pool, its effects and a time.
struct bench_pool {
  seeded_random random{42};
  pool_config config;
  std::optional<pool> p;
  pool_effects fx;
  time_ms now = 1'000'000;

  bench_pool() {
    config.self = key_of(1).identity();
    config.addresses.schemes = {"tls", "mem"};
  }
  pool& machine() {
    if (!p) p.emplace(config, random);
    return *p;
  }
  void knows(const identity& peer, std::vector<weighted_address> list) {
    REQUIRE(machine().set_addresses(peer, std::move(list), address_origin::configured, now, fx));
  }
  void send(const identity& peer, std::uint64_t id, std::uint32_t ttl = 30'000, std::size_t body = 0) {
    machine().send(peer, message_of(id, now, ttl, body), now, fx);
  }
  pool_effects take() { return std::exchange(fx, {}); }
  link_id dial_of(const identity& peer, std::uint64_t message = 1) {
    send(peer, message);
    auto e = take();
    REQUIRE(e.dial.size() == 1);
    return e.dial[0].link;
  }
  link_id connected(const identity& peer) {
    knows(peer, {{"tls://a.org:1", 1}});
    const auto id = dial_of(peer);
    machine().link_up(id, peer, 1, now, fx);
    CHECK(take().up.size() == 1);
    return id;
  }
};

/// Distinct identities in any number; keys that nobody has.
inline identity peer_number(std::uint32_t n) {
  std::array<std::byte, 32> octets{};
  octets[0] = std::byte{1};
  std::memcpy(octets.data() + 4, &n, sizeof n);
  return identity::trusted(identity_kind::individual, octets);
}

inline const identity bob = key_of(2).identity();

} // namespace hanse::test
