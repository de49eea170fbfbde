// libsodium, initialised once. Not a wrapper of its functions: include this and call them.
// Initialisation also chooses the fast code paths of this processor.
#pragma once

#include <sodium.h>

#include <cstdlib>

namespace hanse::internal {

/// Initialises libsodium at the first call. Thread-safe. Ends the program if the system has no randomness at all.
inline void ensure_sodium() noexcept {
  static const int state = sodium_init();
  if (state < 0) std::abort();
}

} // namespace hanse::internal
