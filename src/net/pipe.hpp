// A kernel pipe through which body bytes move between two sockets without being copied (splice(2)),
// and the pool that a loop takes it from. A pipe in use costs two descriptors, so their number is
// bounded; whoever gets none copies instead. Used by one loop's thread.
#pragma once

#include <cstddef>
#include <utility>

#include "net/reserve.hpp"

namespace weir::net {

class pipe {
 public:
  std::size_t held = 0;   // bytes inside, counted by those who move them

  pipe() = default;
  // Without descriptors when the kernel has none to give.
  static pipe open() noexcept;
  pipe(pipe&& other) noexcept
      : held(other.held), in_(std::exchange(other.in_, -1)), out_(std::exchange(other.out_, -1)),
        capacity_(other.capacity_) {}
  pipe& operator=(pipe&& other) noexcept;
  ~pipe() { close(); }

  explicit operator bool() const noexcept { return in_ >= 0; }
  int write_end() const noexcept { return in_; }
  int read_end() const noexcept { return out_; }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  void close() noexcept;
  int in_ = -1, out_ = -1;
  std::size_t capacity_ = 0;
};

class pipe_pool {
 public:
  // At most `pipes_max` at once; 0: never any.
  explicit pipe_pool(std::size_t pipes_max) : pipes_max_(pipes_max), free_(pipes_max) {}
  // None when all are taken or the kernel refuses.
  pipe take();
  // One that holds bytes is closed, an empty one is kept for the next.
  void give_back(pipe p);
  std::size_t taken() const noexcept { return taken_; }
  void trim() { free_.trim(); }

 private:
  std::size_t pipes_max_, taken_ = 0;
  reserve<pipe> free_;
};

// A pipe taken for one relay: given back at the end of its scope.
class taken_pipe {
 public:
  explicit taken_pipe(pipe_pool& from) : from_(from), pipe_(from.take()) {}
  taken_pipe(const taken_pipe&) = delete;
  taken_pipe& operator=(const taken_pipe&) = delete;
  ~taken_pipe() {
    if (pipe_) from_.give_back(std::move(pipe_));
  }
  explicit operator bool() const noexcept { return static_cast<bool>(pipe_); }
  pipe& operator*() noexcept { return pipe_; }

 private:
  pipe_pool& from_;
  pipe pipe_;
};

}  // namespace weir::net
