#include "net/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace weir::net {
namespace {

// Four times the kernel's default: fewer turns for the same bytes. A process over
// fs.pipe-user-pages-soft gets less, down to a page; what it got is asked.
constexpr int wanted_bytes = 256 * 1024;

}  // namespace

pipe pipe::open() noexcept {
  pipe p;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return p;
  p.out_ = ends[0];
  p.in_ = ends[1];
  const int bytes = ::fcntl(p.in_, F_SETPIPE_SZ, wanted_bytes);
  p.capacity_ = static_cast<std::size_t>(bytes > 0 ? bytes : ::fcntl(p.in_, F_GETPIPE_SZ));
  return p;
}

pipe& pipe::operator=(pipe&& other) noexcept {
  if (this == &other) return *this;
  close();
  in_ = std::exchange(other.in_, -1);
  out_ = std::exchange(other.out_, -1);
  capacity_ = other.capacity_;
  held = other.held;
  return *this;
}

void pipe::close() noexcept {
  if (in_ >= 0) ::close(in_);
  if (out_ >= 0) ::close(out_);
  in_ = out_ = -1;
}

pipe pipe_pool::take() {
  if (taken_ >= pipes_max_) return {};
  pipe p = free_.empty() ? pipe::open() : free_.take();
  taken_ += p ? 1 : 0;
  return p;
}

void pipe_pool::give_back(pipe p) {
  --taken_;
  if (p.held == 0) free_.give(std::move(p));
}

}  // namespace weir::net
