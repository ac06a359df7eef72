#include "net/buffers.hpp"

namespace weir::net {

buffer& buffer::operator=(buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  data_ = std::move(other.data_);
  return *this;
}

void buffer::release() noexcept {
  if (!data_) return;
  --pool_->taken_;
  pool_->free_.give(std::move(data_));
  data_.reset();
  pool_ = nullptr;
}

buffer buffer_pool::take() {
  buffer b;
  b.pool_ = this;
  ++taken_;
  if (free_.empty()) b.data_ = std::make_unique_for_overwrite<char[]>(bytes_);
  else b.data_ = free_.take();
  return b;
}

}  // namespace weir::net
