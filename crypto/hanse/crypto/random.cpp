// Random sources by libsodium: the system's, and ChaCha20 (original, 64-bit nonce) as a seeded stream.
// Not a place for distributions beyond a uniform number.
#include "hanse/crypto/random.hpp"

#include "hanse/crypto/internal/sodium.hpp"

#include <algorithm>

namespace hanse {

std::uint64_t random_source::next_u64() {
  std::array<std::byte, 8> octets{};
  fill(octets);
  std::uint64_t value = 0;
  for (auto octet : octets) value = value << 8 | std::to_integer<std::uint64_t>(octet);
  return value;
}

std::uint64_t random_source::below(std::uint64_t bound) {
  assert(bound > 0);
  // 2^64 mod bound values at the low end would make some remainders likelier: draw again when one comes.
  const std::uint64_t biased = (0 - bound) % bound;
  std::uint64_t value = next_u64();
  while (value < biased) value = next_u64();
  return value % bound;
}

void system_random::fill(std::span<std::byte> out) {
  internal::ensure_sodium();
  randombytes_buf(out.data(), out.size());
}

seeded_random::seeded_random(std::uint64_t seed) noexcept {
  for (std::size_t i = 0; i < 8; ++i) key_[i] = static_cast<std::uint8_t>(seed >> (8 * i));
}

void seeded_random::fill(std::span<std::byte> out) {
  internal::ensure_sodium();
  while (!out.empty()) {
    if (used_ == buffer_.size()) {
      std::array<std::uint8_t, crypto_stream_chacha20_NONCEBYTES> nonce{};
      for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::uint8_t>(block_ >> (8 * i));
      crypto_stream_chacha20(buffer_.data(), buffer_.size(), nonce.data(), key_.data());
      ++block_;
      used_ = 0;
    }
    auto count = std::min(out.size(), buffer_.size() - used_);
    std::memcpy(out.data(), buffer_.data() + used_, count);
    used_ += count;
    out = out.subspan(count);
  }
}

} // namespace hanse
