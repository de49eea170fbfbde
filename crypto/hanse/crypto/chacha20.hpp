// ChaCha20 (RFC 8439, 12-octet nonce, counter from 0) for convergent encryption, where the key is a hash of the
// content. Not an AEAD and not for messages: a key is used for one text only. Sealed boxes are in sealed_box.hpp.
#pragma once

#include "hanse/crypto/bytes.hpp"

namespace hanse {

/// Writes `in` xor the key stream to `out`, which has the same size and is either the same place or does not overlap.
/// The nonce is `first_nonce_octet` and eleven zeros (what ERIS 1.0 asks for). Encrypts and decrypts.
void chacha20_xor(std::span<std::byte> out, byte_view in, std::span<const std::byte, 32> key,
                  std::uint8_t first_nonce_octet) noexcept;

} // namespace hanse
