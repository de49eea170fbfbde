// The program's operator new and delete, with a count for each thread; see allocations.hpp.
// Not a pool: memory is malloc's.
#include "protocols/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::size_t octets = 0;
thread_local std::size_t count = 0;

} // namespace

std::size_t hanse::test::allocated_octets() noexcept {
  return octets;
}

std::size_t hanse::test::allocation_count() noexcept {
  return count;
}

void* operator new(std::size_t size) {
  octets += size;
  ++count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc{};
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept { // the standard library's temporary buffers
  octets += size;
  ++count;
  return std::malloc(size);
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
