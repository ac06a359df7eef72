#include "net/task.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <utility>

namespace weir::net {
namespace {

constexpr std::size_t class_bytes = 32;
constexpr std::size_t classes = 128;         // frames up to 4 KiB are kept
constexpr std::uint32_t kept_per_class = 4096;

struct free_frame {
  free_frame* next;
};

struct free_lists {
  std::array<free_frame*, classes> head{};
  std::array<std::uint32_t, classes> length{}, least{};   // least since the last trim
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
    frames.least[c] = std::min(frames.least[c], --frames.length[c]);
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

std::size_t trim_frames() noexcept {
  std::size_t freed = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::uint32_t n = std::exchange(frames.least[c], 0); n > 0; --n) {
      ::operator delete(std::exchange(frames.head[c], frames.head[c]->next));
      --frames.length[c];
      freed += c * class_bytes;
    }
    frames.least[c] = frames.length[c];
  }
  return freed;
}

}  // namespace weir::net
