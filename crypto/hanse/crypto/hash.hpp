// BLAKE2b with a 32-octet digest (RFC 7693), the one hash of Hanse.
// Not a MAC and not a password hash.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <compare>
#include <initializer_list>

namespace hanse {

/// A BLAKE2b-256 digest.
struct digest {
  static constexpr std::size_t size_bytes = 32;
  std::array<std::byte, size_bytes> octets{};

  byte_view view() const noexcept { return octets; }
  friend auto operator<=>(const digest&, const digest&) = default;
};

/// The digest of the concatenation of `parts`. Domain separation is the caller's: begin with a fixed context string.
digest blake2b_256(std::initializer_list<byte_view> parts) noexcept;

inline digest blake2b_256(byte_view data) noexcept {
  return blake2b_256({data});
}

/// The keyed form of RFC 7693 section 2.5: another hash function for every key.
digest blake2b_256_keyed(std::span<const std::byte, 32> key, byte_view data) noexcept;

} // namespace hanse
