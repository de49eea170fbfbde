// Wiping by libsodium. Not swap or core-dump protection.
#include "hanse/crypto/secret_bytes.hpp"

#include "hanse/crypto/internal/sodium.hpp"

namespace hanse {

void wipe(std::span<std::byte> secret) noexcept {
  sodium_memzero(secret.data(), secret.size());
}

} // namespace hanse
