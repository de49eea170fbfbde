// For programs that run nodes: memory that was freed stays with the process for the next large message. Not for
// libraries to decide, so a program calls it, once, at its start. Source: mallopt(3).
#pragma once

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace hanse::app {

/// glibc gives what is free at the end of its heaps back to the kernel from 128 KiB on, and blocks of 1 MiB go through
/// the heaps: each large message was paid for in page faults again, a tenth of the processor time of `hanse get`. At
/// most so much stays in each heap. Does nothing where there is no mallopt.
inline void keep_freed_memory() noexcept {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 8 * 1024 * 1024); // what is larger is rare, and is mapped and unmapped
  mallopt(M_TRIM_THRESHOLD, 32 * 1024 * 1024);
  mallopt(M_TOP_PAD, 1024 * 1024);
#endif
}

} // namespace hanse::app
