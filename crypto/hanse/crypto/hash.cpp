// BLAKE2b-256 by libsodium's generic hash.
// Not streaming for callers: messages are at most a frame long.
#include "hanse/crypto/hash.hpp"

#include "hanse/crypto/internal/sodium.hpp"

namespace hanse {

digest blake2b_256(std::initializer_list<byte_view> parts) noexcept {
  internal::ensure_sodium();
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, digest::size_bytes);
  for (auto part : parts) crypto_generichash_update(&state, as_octets(part), part.size());
  digest result;
  crypto_generichash_final(&state, as_octets(std::span{result.octets}), digest::size_bytes);
  return result;
}

digest blake2b_256_keyed(std::span<const std::byte, 32> key, byte_view data) noexcept {
  internal::ensure_sodium();
  digest result;
  crypto_generichash(as_octets(std::span{result.octets}), digest::size_bytes, as_octets(data), data.size(),
                     as_octets(byte_view{key}), key.size());
  return result;
}

} // namespace hanse
