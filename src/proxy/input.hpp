// The bytes read from a client ahead of their use: the head being read, the body bytes and further
// requests that came with it. Starts in a small pooled buffer and grows only for a large head.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "net/buffers.hpp"

namespace weir::proxy {

class input {
 public:
  std::string_view view() const noexcept { return {data() + begin_, end_ - begin_}; }
  bool empty() const noexcept { return begin_ == end_; }

  // Room to read into, at least one byte; grows up to `max` bytes held, then it is empty.
  std::span<char> room(net::buffer_pool& pool, std::size_t max);
  void filled(std::size_t n) noexcept { end_ += n; }
  void consume(std::size_t n) noexcept;
  // Replaces everything by `rest`, which may lie within.
  void reset(net::buffer_pool& pool, std::string_view rest);
  void release() noexcept;

 private:
  char* data() const noexcept {
    return large_.empty() ? small_.data() : const_cast<char*>(large_.data());
  }
  std::size_t capacity() const noexcept { return large_.empty() ? small_.size() : large_.size(); }
  void compact() noexcept;

  net::buffer small_;
  std::vector<char> large_;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace weir::proxy
