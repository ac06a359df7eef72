#include "telemetry/log_file.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace weir::telemetry {
namespace {

base::error_code last_error() { return {errno, boost::system::system_category()}; }

// Regular files and devices such as /dev/null; pipes, sockets and terminals may have to be waited
// for.
bool is_always_ready(int fd) {
  struct stat s {};
  if (::fstat(fd, &s) != 0) return false;
  return S_ISREG(s.st_mode) || (S_ISCHR(s.st_mode) && !::isatty(fd));
}

base::error_code await_ready(int fd, std::chrono::milliseconds wait) {
  pollfd p{fd, POLLOUT, 0};
  const int ready = ::poll(&p, 1, static_cast<int>(wait.count()));
  if (ready > 0) return {};
  if (ready < 0 && errno != EINTR) return last_error();
  return make_error_code(boost::system::errc::timed_out);
}

}  // namespace

log_file::log_file(int fd, bool owned)
    : fd_(fd), owned_(owned), always_ready_(is_always_ready(fd)) {}

log_file::log_file(log_file&& other) noexcept
    : fd_(other.fd_),
      owned_(std::exchange(other.owned_, false)),
      always_ready_(other.always_ready_) {}

log_file& log_file::operator=(log_file&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(owned_, other.owned_);
  std::swap(always_ready_, other.always_ready_);
  return *this;
}

log_file::~log_file() {
  if (owned_) ::close(fd_);
}

base::result<log_file> log_file::open(const std::string& path) {
  if (path == "-") return log_file(STDOUT_FILENO, false);
  // O_NONBLOCK: a named pipe that nobody reads is an error at once, instead of a hang at start.
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
  if (fd < 0) return last_error();
  return log_file(fd, true);
}

base::result<std::size_t> log_file::write(const std::array<std::string_view, 2>& runs,
                                          std::chrono::milliseconds wait) {
  iovec parts[2];
  for (std::size_t i = 0; i < 2; ++i)
    parts[i] = {const_cast<char*>(runs[i].data()), runs[i].size()};
  int count = 2;
  if (!always_ready_) {
    if (const auto ec = await_ready(fd_, wait)) return ec;
    if (parts[0].iov_len > PIPE_BUF) parts[0].iov_len = PIPE_BUF;
    count = 1;
  }
  const ssize_t n = ::writev(fd_, parts, count);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EINTR) return std::size_t{0};
  if (errno == EAGAIN) return make_error_code(boost::system::errc::timed_out);
  return last_error();
}

}  // namespace weir::telemetry
