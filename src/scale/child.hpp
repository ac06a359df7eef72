// A child process in a process group of its own: spawned, watched through a pidfd and reaped
// without SIGCHLD, so that it gets into nobody's way. It inherits the environment and the working
// directory; every descriptor but 0, 1 and 2 is closed, no signal is blocked or ignored. Weir
// itself must not ignore SIGCHLD, or the kernel reaps before it can. Invariants: whoever drops it
// while it runs kills its whole group and reaps it; the group's number is never used after the
// reaping, when it may be somebody else's.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace weir::scale {

// A descriptor that is closed with its object. Never 0, 1 or 2 when made by the functions below.
class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~unique_fd();
  int value() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

class child {
 public:
  struct started;
  // Starts argv[0] with `input` as its standard input (a file in memory, so that it can be read
  // again and never blocks) and one pipe for what it writes to 1 and 2. The error says what failed.
  static base::result<started, std::string> spawn(const std::vector<std::string>& argv,
                                                  const std::string& input);
  child() = default;
  child(child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  child& operator=(child&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~child();

  bool owned() const noexcept { return pid_ > 0; }  // not yet reaped
  // True when reap() will not wait. Asked when started::ended is readable, which loops may say
  // when it is not so.
  bool ended() const noexcept;
  // To the whole group; nothing once it is reaped.
  void signal_group(int number) const noexcept;
  // Waits for its end, and says how that was: "" for exit status 0. Once.
  std::string reap();

 private:
  explicit child(pid_t pid) noexcept : pid_(pid) {}
  pid_t pid_ = -1;
};

struct child::started {
  child process;
  unique_fd ended;   // readable when the process has ended
  unique_fd output;  // non-blocking
};

}  // namespace weir::scale
