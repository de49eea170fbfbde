// Ed25519 key pairs (RFC 8032) by libsodium, kept in guarded memory and wiped after use.
// Not key files (key_file.hpp), not message signatures (signature.hpp): this signs plain octets.
#pragma once

#include "hanse/crypto/identity.hpp"
#include "hanse/crypto/random.hpp"

#include <memory>

namespace hanse {

/// A detached Ed25519 signature.
using signature_octets = std::array<std::byte, 64>;

/// Whether `octets` are a canonical Ed25519 public key that is not of small order. Error: `weak_key`.
expected<unit> check_public_key(std::span<const std::byte, 32> octets);

/// Whether `sig` is the signature of `message` by the individual identity `signer`. False for any other kind.
bool verify_octets(const identity& signer, byte_view message, const signature_octets& sig) noexcept;

/// An Ed25519 key pair. Cheap to copy (shared, immutable); the secret lives in sodium_malloc'ed memory and is wiped
/// when the last copy goes. Thread-safe.
class key_pair {
public:
  /// A fresh key pair from `random`.
  static key_pair generate(random_source& random);

  /// From the 32 octets of the RFC 8032 seed.
  static key_pair from_seed(std::span<const std::byte, 32> seed);

  /// The individual identity of this key.
  const hanse::identity& identity() const noexcept;

  signature_octets sign_octets(byte_view message) const;

  /// Calls `use` with the 32-octet seed; the view is valid during the call only.
  template <class F>
  decltype(auto) with_seed(F&& use) const {
    return std::forward<F>(use)(seed());
  }

private:
  struct secret;
  explicit key_pair(std::shared_ptr<const secret> s) : secret_(std::move(s)) {}
  std::span<const std::byte, 32> seed() const noexcept;

  std::shared_ptr<const secret> secret_;
};

} // namespace hanse
