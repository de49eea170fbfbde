// Ed25519 by libsodium; secrets in sodium_malloc'ed memory (guard pages, locked where the system allows it).
// Not a signature format (signature.cpp).
#include "hanse/crypto/keys.hpp"

#include "hanse/crypto/internal/sodium.hpp"
#include "hanse/crypto/secret_bytes.hpp"

#include <new>

namespace hanse {

/// The 64 octets that libsodium signs with (seed, then public key), read-only once they are written.
struct key_pair::secret {
  explicit secret(std::span<const std::byte, 32> seed) {
    internal::ensure_sodium();
    octets = static_cast<std::uint8_t*>(sodium_malloc(crypto_sign_SECRETKEYBYTES));
    if (octets == nullptr) throw std::bad_alloc{};
    std::array<std::byte, crypto_sign_PUBLICKEYBYTES> public_key{};
    crypto_sign_seed_keypair(as_octets(std::span{public_key}), octets, as_octets(byte_view{seed}));
    sodium_mprotect_readonly(octets);
    id = hanse::identity::trusted(identity_kind::individual, public_key);
  }
  ~secret() { sodium_free(octets); } // wipes
  secret(const secret&) = delete;
  secret& operator=(const secret&) = delete;

  std::uint8_t* octets = nullptr;
  hanse::identity id;
};

expected<unit> check_public_key(std::span<const std::byte, 32> octets) {
  internal::ensure_sodium();
  if (crypto_core_ed25519_is_valid_point(as_octets(byte_view{octets})) != 1) return errc::weak_key;
  return ok();
}

bool verify_octets(const identity& signer, byte_view message, const signature_octets& sig) noexcept {
  if (signer.kind() != identity_kind::individual) return false;
  internal::ensure_sodium();
  return crypto_sign_verify_detached(as_octets(byte_view{sig}), as_octets(message), message.size(),
                                     as_octets(byte_view{signer.octets()})) == 0;
}

key_pair key_pair::generate(random_source& random) {
  secret_bytes seed(32);
  random.fill(seed);
  return from_seed(std::span<const std::byte>{seed}.first<32>());
}

key_pair key_pair::from_seed(std::span<const std::byte, 32> seed) {
  return key_pair{std::make_shared<const secret>(seed)};
}

const identity& key_pair::identity() const noexcept {
  return secret_->id;
}

signature_octets key_pair::sign_octets(byte_view message) const {
  signature_octets sig{};
  crypto_sign_detached(as_octets(std::span{sig}), nullptr, as_octets(message), message.size(), secret_->octets);
  return sig;
}

std::span<const std::byte, 32> key_pair::seed() const noexcept {
  return std::as_bytes(std::span<const std::uint8_t, 32>{secret_->octets, 32});
}

} // namespace hanse
