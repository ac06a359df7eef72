#include "telemetry/line_outlet.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace weir::telemetry {
namespace {

bool is_ready(int fd, std::chrono::milliseconds patience) {
  pollfd p{fd, POLLOUT, 0};
  return ::poll(&p, 1, static_cast<int>(patience.count())) > 0;
}

}  // namespace

// A blocking descriptor cannot be written to without the risk of waiting, when another process
// writes to the same pipe; opened anew it has flags of its own. That fails where another user made
// it.
line_outlet::kind line_outlet::kind_of(int fd, int& own) {
  struct stat s {};
  if (::fstat(fd, &s) != 0 || S_ISREG(s.st_mode)) return kind::ready;
  if (S_ISSOCK(s.st_mode)) return kind::socket;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  own = ::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  return own >= 0 ? kind::own : kind::shared;
}

line_outlet::line_outlet(int fd, std::size_t waiting_bytes_max)
    : fd_(fd), kind_(kind_of(fd, own_)), waiting_bytes_max_(waiting_bytes_max) {}

line_outlet::~line_outlet() {
  if (own_ >= 0) ::close(own_);
}

void line_outlet::put(std::string_view line) {
  const std::lock_guard lock(mutex_);
  drain();
  if (waiting_bytes_ + line.size() + 1 > waiting_bytes_max_) {
    ++dropped_;
    return;
  }
  waiting_.emplace_back(line) += '\n';
  waiting_bytes_ += line.size() + 1;
  drain();
}

void line_outlet::drain() {
  while (!waiting_.empty() && write_some()) {}
}

// False: it takes nothing now. What it will never take (a closed pipe, a full disk) is dropped.
bool line_outlet::write_some() {
  std::string& line = waiting_.front();
  const char* const from = line.data() + first_done_;
  const std::size_t left = line.size() - first_done_;
  ssize_t n = 0;
  switch (kind_) {
    case kind::ready: n = ::write(fd_, from, left); break;
    case kind::own: n = ::write(own_, from, left); break;
    case kind::socket: n = ::send(fd_, from, left, MSG_DONTWAIT | MSG_NOSIGNAL); break;
    case kind::shared:
      if (!is_ready(fd_, {})) return false;
      n = ::write(fd_, from, std::min<std::size_t>(left, PIPE_BUF));
  }
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (n < 0) ++dropped_;
  first_done_ = n < 0 ? line.size() : first_done_ + static_cast<std::size_t>(n);
  if (first_done_ < line.size()) return true;
  waiting_bytes_ -= line.size();
  waiting_.pop_front();
  first_done_ = 0;
  return true;
}

bool line_outlet::flush(std::chrono::milliseconds patience) {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + patience;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      drain();
      if (waiting_.empty()) return true;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - clock::now());
    if (left.count() <= 0 || !is_ready(fd_, left)) return false;
  }
}

std::uint64_t line_outlet::dropped() const noexcept {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace weir::telemetry
