// Byte buffers of two sizes from per-loop free lists: a connection holds one only while bytes move.
// Used by one loop's thread; a buffer goes back to the list it came from.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "net/reserve.hpp"

namespace weir::net {

class buffer_pool;

class buffer {
 public:
  buffer() = default;
  buffer(buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), data_(std::move(other.data_)) {}
  buffer& operator=(buffer&& other) noexcept;
  ~buffer() { release(); }

  void release() noexcept;
  explicit operator bool() const noexcept { return data_ != nullptr; }
  char* data() const noexcept { return data_.get(); }
  inline std::size_t size() const noexcept;
  std::span<char> span() const noexcept { return {data(), size()}; }

 private:
  friend class buffer_pool;
  buffer_pool* pool_ = nullptr;
  std::unique_ptr<char[]> data_;
};

class buffer_pool {
 public:
  // Keeps at most `kept` free buffers of `bytes` each.
  buffer_pool(std::size_t bytes, std::size_t kept) : bytes_(bytes), free_(kept) {}
  buffer take();
  // Lets go of what was not needed since the last trim; returns bytes.
  std::size_t trim() { return free_.trim() * bytes_; }
  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t taken() const noexcept { return taken_; }

 private:
  friend class buffer;
  std::size_t bytes_, taken_ = 0;
  reserve<std::unique_ptr<char[]>> free_;
};

std::size_t buffer::size() const noexcept { return data_ ? pool_->bytes() : 0; }

}  // namespace weir::net
