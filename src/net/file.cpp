#include "net/file.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace weir::net {

file_call_hook before_file_call = nullptr;

file_call_plan plan_of(file_call c) noexcept {
  return before_file_call ? before_file_call(c) : file_call_plan{};
}

namespace {

int fails(int error) noexcept {
  errno = error;
  return -1;
}

// Where O_TMPFILE is not known: EOPNOTSUPP of the file system, EISDIR of old kernels.
int make_and_unlink(std::string path) noexcept {
  path += "/.weir-XXXXXX";
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd >= 0) ::unlink(path.c_str());
  return fd;
}

}  // namespace

int open_unnamed(const std::string& folder) noexcept {
  if (const int error = plan_of(file_call::open).error) return fails(error);
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
  return make_and_unlink(folder);
}

std::int64_t read_at(int fd, std::uint64_t offset, std::span<char> into) noexcept {
  std::size_t done = 0;
  while (done < into.size()) {
    const file_call_plan plan = plan_of(file_call::read);
    if (plan.error) return fails(plan.error);
    const std::size_t wanted = std::min(into.size() - done, plan.bytes_max);
    const ssize_t n = ::pread(fd, into.data() + done, wanted, static_cast<off_t>(offset + done));
    if (n == 0) break;
    if (n < 0 && errno != EINTR) return -1;
    done += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
  }
  return static_cast<std::int64_t>(done);
}

int write_at(int fd, std::uint64_t offset, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const file_call_plan plan = plan_of(file_call::write);
    if (plan.error) return plan.error;
    const std::size_t wanted = std::min(bytes.size(), plan.bytes_max);
    const ssize_t n = ::pwrite(fd, bytes.data(), wanted, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return ENOSPC;
    offset += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

}  // namespace weir::net
