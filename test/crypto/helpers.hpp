// What the crypto tests share: keys by number, hashes of texts, every flipped bit, every truncation.
// Not for other layers' tests.
#pragma once

#include "hanse/crypto/signature.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace hanse::test {

/// The same key pair for the same number, always.
inline key_pair key(std::uint64_t number) {
  seeded_random random{number};
  return key_pair::generate(random);
}

inline identity id(std::uint64_t number) {
  return key(number).identity();
}

inline digest hash_of(std::string_view text) {
  return blake2b_256(as_byte_view(text));
}

inline bytes unhex(std::string_view text) {
  return from_hex(text).value();
}

template <std::size_t Size>
std::array<std::byte, Size> unhex_array(std::string_view text) {
  const auto octets = unhex(text);
  assert(octets.size() == Size); // not REQUIRE: tables are made before doctest runs
  std::array<std::byte, Size> out;
  std::copy(octets.begin(), octets.end(), out.begin());
  return out;
}

/// How many of the inputs that differ from `good` in one bit are accepted by `accepts`. Names the first in the log.
template <class Accepts>
std::size_t count_accepted_flips(byte_view good, Accepts accepts) {
  std::size_t accepted = 0;
  bytes bad = to_bytes(good);
  for (std::size_t i = 0; i < bad.size() * 8; ++i) {
    const auto mask = static_cast<std::byte>(1U << (i % 8));
    bad[i / 8] ^= mask;
    if (accepts(byte_view{bad}) && ++accepted == 1) MESSAGE("accepted with bit " << i % 8 << " of octet " << i / 8);
    bad[i / 8] ^= mask;
  }
  return accepted;
}

/// How many proper prefixes of `good` are accepted by `accepts`, and whether it is with one octet more.
template <class Accepts>
std::size_t count_accepted_lengths(byte_view good, Accepts accepts) {
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < good.size(); ++size)
    if (accepts(good.first(size))) ++accepted;
  for (auto more : {std::byte{0}, std::byte{'\n'}, std::byte{0xff}}) {
    bytes longer = to_bytes(good);
    longer.push_back(more);
    if (accepts(byte_view{longer})) ++accepted;
  }
  return accepted;
}

} // namespace hanse::test
