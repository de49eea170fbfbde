// One exchange of blocks without a network: what it hears is given to it, what it says is looked at. For the tests of
// its halves; many of them on a network are block_exchange_sim_test.cpp.
#pragma once

#include "hanse/domains/block_exchange.hpp"

#include <doctest/doctest.h>

namespace hanse::test {

inline constexpr time_ms start = 1'700'000'000'000;

inline key_pair key_of(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random);
}

inline const identity domain = key_of(99).identity();

inline bytes block_of(std::uint64_t seed, std::size_t size = 1024) {
  bytes b(size);
  seeded_random{seed}.fill(b);
  return b;
}

/// One machine and what it says. Its peers are keys 1, 2, 3.
struct fixture {
  memory_block_table table;
  block_store store;
  seeded_random random{1};
  block_exchange exchange;
  block_effects out;

  explicit fixture(block_exchange_config config = {}, const block_store_config& store_config = {})
      : store(*block_store::open(table, store_config)), exchange(store, key_of(0), random, with_domain(config)) {
    for (std::uint64_t i = 1; i <= 3; ++i) exchange.set_member(key_of(i).identity(), 128);
  }
  static block_exchange_config with_domain(block_exchange_config c) {
    c.domain = domain;
    return c;
  }
  digest keep(std::uint64_t seed, std::size_t size = 1024) {
    const auto b = block_of(seed, size);
    const auto name = blake2b_256(b);
    REQUIRE(store.put(domain, name, b, lease_forever, start));
    return name;
  }
  expected<unit> hear(std::uint64_t from, const block_message& m, time_ms now = start) {
    return exchange.receive(key_of(from).identity(), encode(m), now, out);
  }
  /// Takes the messages of one type out of the effects.
  template <class M>
  std::vector<std::pair<identity, bytes>> said() {
    std::vector<std::pair<identity, bytes>> result;
    for (const auto& e : out)
      if (const auto* p = std::get_if<peer_message>(&e); p && std::holds_alternative<M>(*decode_block_message(p->body)))
        result.emplace_back(p->to, p->body);
    return result;
  }
  template <class E>
  std::vector<E> effects() {
    std::vector<E> result;
    for (const auto& e : out)
      if (const auto* p = std::get_if<E>(&e)) result.push_back(*p);
    return result;
  }
};

} // namespace hanse::test
