// ChaCha20 by libsodium; see the header.
#include "hanse/crypto/chacha20.hpp"

#include "hanse/crypto/internal/sodium.hpp"

namespace hanse {

void chacha20_xor(std::span<std::byte> out, byte_view in, std::span<const std::byte, 32> key,
                  std::uint8_t first_nonce_octet) noexcept {
  assert(out.size() == in.size());
  internal::ensure_sodium();
  const std::array<std::uint8_t, crypto_stream_chacha20_ietf_NONCEBYTES> nonce{first_nonce_octet};
  crypto_stream_chacha20_ietf_xor_ic(as_octets(out), as_octets(in), in.size(), nonce.data(), 0,
                                     as_octets(byte_view{key}));
}

} // namespace hanse
