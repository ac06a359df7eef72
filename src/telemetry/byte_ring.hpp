// A bounded ring of bytes between one producer thread and one consumer thread, without locks. The
// producer writes whole lines, each in one contiguous run: the buffer has room for one line past
// its end, and what ran over is copied to the front. The consumer sees whole lines and may take any
// part.
// Invariant: head - tail <= capacity; the bytes between belong to the consumer, the rest to the
// producer.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace weir::telemetry {

class byte_ring {
 public:
  // Holds at least `bytes` (rounded up to a power of two), and at least two lines of the longest.
  byte_ring(std::size_t bytes, std::size_t line_max)
      : line_max_(line_max),
        capacity_(std::bit_ceil(bytes > 2 * line_max ? bytes : 2 * line_max)),
        buffer_(std::make_unique_for_overwrite<char[]>(capacity_ + line_max)) {}

  // Producer: where to write the next line, of line_max bytes at most; nullptr when the ring is
  // full.
  char* begin_line() noexcept {
    if (free_bytes() < line_max_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (free_bytes() < line_max_) return nullptr;
    }
    return buffer_.get() + at(head_mine_);
  }
  // Producer: the line ends there.
  void end_line(const char* end) noexcept {
    const std::size_t stop = static_cast<std::size_t>(end - buffer_.get());
    if (stop > capacity_) std::memcpy(buffer_.get(), buffer_.get() + capacity_, stop - capacity_);
    head_mine_ += stop - at(head_mine_);
    head_.store(head_mine_, std::memory_order_release);
  }

  // Consumer: what is there, oldest first, in one or two runs.
  std::array<std::string_view, 2> readable() const noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    const auto size = static_cast<std::size_t>(head_.load(std::memory_order_acquire) - tail);
    const std::size_t first = size < capacity_ - at(tail) ? size : capacity_ - at(tail);
    return {std::string_view(buffer_.get() + at(tail), first),
            std::string_view(buffer_.get(), size - first)};
  }
  void consume(std::size_t n) noexcept {
    tail_.store(tail_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

  std::size_t capacity() const noexcept { return capacity_; }

 private:
  std::size_t at(std::uint64_t position) const noexcept {
    return static_cast<std::size_t>(position & (capacity_ - 1));
  }
  std::size_t free_bytes() const noexcept {
    return capacity_ - static_cast<std::size_t>(head_mine_ - tail_seen_);
  }

  const std::size_t line_max_;
  const std::size_t capacity_;
  const std::unique_ptr<char[]> buffer_;
  alignas(64) std::uint64_t head_mine_ = 0;   // the producer's
  std::uint64_t tail_seen_ = 0;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace weir::telemetry
