// Counts what each thread allocates by replacing operator new for the whole program: include it in
// one file of a program. Sanitizers bring their own operators; then nothing is replaced and the
// counter never moves.
#pragma once

#include <cstdlib>
#include <new>

namespace weir::test {
inline thread_local std::size_t allocations = 0;   // of this thread so far
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// GCC, when it inlines only one side, takes malloc and free for a mismatch with new and delete.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(std::size_t n) {
  ++weir::test::allocations;
  if (void* p = std::malloc(n ? n : 1)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  ++weir::test::allocations;
  return std::malloc(n ? n : 1);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#pragma GCC diagnostic pop
#endif
