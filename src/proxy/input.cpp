#include "proxy/input.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace weir::proxy {

void input::compact() noexcept {
  if (begin_ == 0) return;
  std::memmove(data(), data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

std::span<char> input::room(net::buffer_pool& pool, std::size_t max) {
  if (!small_ && large_.empty()) small_ = pool.take();
  if (end_ == capacity()) compact();
  if (end_ == capacity() && capacity() < max) {
    std::vector<char> wider(std::min(max, capacity() * 4));
    std::memcpy(wider.data(), data(), end_);
    large_.swap(wider);
    small_.release();
  }
  return {data() + end_, capacity() - end_};
}

void input::consume(std::size_t n) noexcept {
  begin_ += n;
  if (begin_ == end_) begin_ = end_ = 0;
}

void input::reset(net::buffer_pool& pool, std::string_view rest) {
  const std::string kept(rest);
  release();
  if (kept.empty()) return;
  if (kept.size() <= pool.bytes()) small_ = pool.take();
  else large_.resize(kept.size());
  std::memcpy(data(), kept.data(), kept.size());
  end_ = kept.size();
}

void input::release() noexcept {
  small_.release();
  large_.clear();
  if (large_.capacity()) std::vector<char>().swap(large_);
  begin_ = end_ = 0;
}

}  // namespace weir::proxy
