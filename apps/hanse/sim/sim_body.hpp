// What messages, events and values of a run say: their number, and octets that follow from it. Internal to the
// simulator.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <algorithm>
#include <cstdint>

namespace hanse::sim {

/// A body begins with the number; the rest follows from it. At least 8 octets.
inline bytes body_of(std::uint64_t number, std::size_t size) {
  bytes out(std::max<std::size_t>(size, 8));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(number >> (8 * (i % 8)) ^ i / 8);
  return out;
}

inline std::uint64_t number_in(byte_view body) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8 && i < body.size(); ++i) out |= std::to_integer<std::uint64_t>(body[i]) << (8 * i);
  return out;
}

/// FNV-1a: the judges' own way to tell bodies apart.
inline std::uint64_t fingerprint(byte_view body) {
  std::uint64_t h = 14695981039346656037U;
  for (const auto b : body) h = (h ^ std::to_integer<std::uint64_t>(b)) * 1099511628211U;
  return h;
}

} // namespace hanse::sim
