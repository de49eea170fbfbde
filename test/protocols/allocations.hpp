// Counts what the program allocates, so that a test can say "a bomb of 5 octets makes us allocate no more than this".
// Not a leak check (the sanitizers are). The program's operator new is replaced in allocations.cpp.
#pragma once

#include <cstddef>

namespace hanse::test {

/// Octets this thread has asked of operator new so far; never goes down.
std::size_t allocated_octets() noexcept;

/// How many times it asked.
std::size_t allocation_count() noexcept;

/// What `action` allocates.
template <class F>
std::size_t octets_allocated_by(F&& action) {
  const auto before = allocated_octets();
  action();
  return allocated_octets() - before;
}

template <class F>
std::size_t allocations_by(F&& action) {
  const auto before = allocation_count();
  action();
  return allocation_count() - before;
}

} // namespace hanse::test
