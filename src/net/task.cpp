#include "net/task.hpp"

#include <array>
#include <cstdint>
#include <new>
#include <utility>

namespace weir::net {
namespace {

constexpr std::size_t class_bytes = 128;
constexpr std::size_t classes = 32;          // frames up to 4 KiB are kept
constexpr std::uint32_t kept_per_class = 4096;

struct free_frame {
  free_frame* next;
};

struct free_lists {
  std::array<free_frame*, classes> head{};
  std::array<std::uint32_t, classes> length{};
  ~free_lists() {
    for (free_frame* f : head)
      while (f) ::operator delete(std::exchange(f, f->next));
  }
};

thread_local free_lists frames;

constexpr std::size_t class_of(std::size_t bytes) {
  return (bytes + class_bytes - 1) / class_bytes;
}

}  // namespace

void* allocate_frame(std::size_t bytes) {
  const std::size_t c = class_of(bytes);
  if (c >= classes) return ::operator new(bytes);
  if (free_frame* f = frames.head[c]) {
    frames.head[c] = f->next;
    --frames.length[c];
    return f;
  }
  return ::operator new(c * class_bytes);
}

void release_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t c = class_of(bytes);
  if (c >= classes || frames.length[c] >= kept_per_class) return ::operator delete(frame);
  frames.head[c] = new (frame) free_frame{frames.head[c]};
  ++frames.length[c];
}

}  // namespace weir::net
