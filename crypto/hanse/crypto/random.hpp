// Randomness as an injected dependency: the operating system's for programs, a seeded one for tests and simulation.
// Not for use below a machine's constructor argument: no code in the pure layers calls the system source by itself.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <cstdint>

namespace hanse {

/// A source of random octets. Not thread-safe unless the implementation says so.
class random_source {
public:
  virtual ~random_source() = default;

  /// Fills `out` with random octets.
  virtual void fill(std::span<std::byte> out) = 0;

  /// A uniform number below `bound` (> 0), by rejection.
  std::uint64_t below(std::uint64_t bound);

  std::uint64_t next_u64();
};

/// The operating system's cryptographic source (libsodium). Thread-safe.
class system_random final : public random_source {
public:
  void fill(std::span<std::byte> out) override;
};

/// ChaCha20 keyed by a seed: the same seed gives the same octets on every platform. For tests and simulation only.
class seeded_random final : public random_source {
public:
  explicit seeded_random(std::uint64_t seed) noexcept;
  void fill(std::span<std::byte> out) override;

private:
  std::array<std::uint8_t, 32> key_{};
  std::uint64_t block_ = 0;
  std::array<std::uint8_t, 512> buffer_{};
  std::size_t used_ = 512;
};

} // namespace hanse
