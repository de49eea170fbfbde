// A keyed hash: BLAKE2b with a key (RFC 7693 section 2.9), 32 octets, for proofs that one knows a shared secret.
// Not a signature (anyone with the key can make one) and not a password hash: keys are secrets of full strength.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/crypto/secret_bytes.hpp"

#include <initializer_list>

namespace hanse {

inline constexpr std::size_t mac_size = 32; ///< octets of a MAC and of its key

using mac_octets = std::array<std::byte, mac_size>;

/// A key for `mac`, wiped when it goes.
class mac_key {
public:
  /// The key that `secret` stands for under the fixed string `context` (which keeps uses apart): the hash of both.
  static mac_key derive(std::string_view context, byte_view secret);

  byte_view view() const noexcept { return octets_; }

private:
  secret_bytes octets_; // mac_size of them
};

/// The MAC of the concatenation of `parts`. What keeps different statements apart is the caller's: begin with a fixed
/// context string, and give every part a fixed length.
mac_octets mac(const mac_key& key, std::initializer_list<byte_view> parts) noexcept;

/// Whether two sequences are equal, in a time that depends on their lengths only. Different lengths: false.
bool equal_constant_time(byte_view a, byte_view b) noexcept;

} // namespace hanse
