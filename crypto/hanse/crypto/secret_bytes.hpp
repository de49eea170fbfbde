// A byte vector that is wiped before its memory goes back to the heap: seeds, passphrases, derived keys in passing.
// Not guarded memory: a key that lives long is in a key_pair (keys.hpp). A move leaves nothing behind, a copy is one
// more.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <memory>

namespace hanse {

/// Overwrites `secret` with zeros in a way that the compiler keeps.
void wipe(std::span<std::byte> secret) noexcept;

/// std::allocator that wipes what it gives back.
template <class T>
struct wiping_allocator {
  using value_type = T;

  wiping_allocator() = default;
  template <class U>
  wiping_allocator(const wiping_allocator<U>&) noexcept {} // NOLINT: implicit, as allocators must be

  T* allocate(std::size_t n) { return std::allocator<T>{}.allocate(n); }
  void deallocate(T* p, std::size_t n) noexcept {
    wipe(std::as_writable_bytes(std::span{p, n}));
    std::allocator<T>{}.deallocate(p, n);
  }

  friend bool operator==(const wiping_allocator&, const wiping_allocator&) { return true; }
};

/// Octets that are wiped on destruction and on reallocation. A byte_view of it is taken implicitly.
using secret_bytes = std::vector<std::byte, wiping_allocator<std::byte>>;

/// A copy of `text`; the caller still has to wipe the original.
inline secret_bytes to_secret(std::string_view text) {
  auto view = as_byte_view(text);
  return {view.begin(), view.end()};
}

} // namespace hanse
