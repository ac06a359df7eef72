#include "store/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace weir::store {

file_hook before_file_call = nullptr;

namespace {

file_plan plan_of(file_call c) noexcept {
  return before_file_call ? before_file_call(c) : file_plan{};
}

base::error_code error(int number) { return {number, boost::system::system_category()}; }

// Of a call that gives -1 and errno, done again when a signal came between.
template <class Call>
base::error_code checked(file_call c, Call call) {
  const file_plan plan = plan_of(c);
  if (plan.error) return error(plan.error);
  while (call() != 0)
    if (errno != EINTR) return error(errno);
  return {};
}

int flags_of(file::mode how) noexcept {
  switch (how) {
    case file::mode::read: return O_RDONLY | O_CLOEXEC;
    case file::mode::create: return O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    case file::mode::change: return O_WRONLY | O_CLOEXEC;
    case file::mode::update:
    default: return O_RDWR | O_CREAT | O_CLOEXEC;
  }
}

}  // namespace

file::~file() {
  if (fd_ >= 0) ::close(fd_);
}

file::file(file&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

file& file::operator=(file&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

base::result<file> file::open(const std::string& path, mode how) {
  file made;
  const auto failed = checked(file_call::open, [&] {
    made.fd_ = ::open(path.c_str(), flags_of(how), 0600);
    return made.fd_ < 0 ? -1 : 0;
  });
  if (failed) return failed;
  if (how == mode::lock && ::flock(made.fd_, LOCK_EX | LOCK_NB) != 0) return error(errno);
  return made;
}

namespace {

// `put`: what write(2) is, of a piece of the bytes that begins so far into them.
template <class Put>
base::error_code put_all(std::string_view bytes, Put put) {
  for (std::size_t done = 0; done < bytes.size();) {
    const file_plan plan = plan_of(file_call::write);
    if (plan.error) return error(plan.error);
    const std::string_view piece = bytes.substr(done, plan.bytes_max);
    const ssize_t n = put(piece, done);
    if (n < 0 && errno != EINTR) return error(errno);
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return {};
}

}  // namespace

base::error_code file::write(std::string_view bytes) {
  return put_all(bytes, [&](std::string_view piece, std::size_t) {
    return ::write(fd_, piece.data(), piece.size());
  });
}

base::error_code file::write_at(std::uint64_t offset, std::string_view bytes) {
  return put_all(bytes, [&](std::string_view piece, std::size_t done) {
    return ::pwrite(fd_, piece.data(), piece.size(), static_cast<off_t>(offset + done));
  });
}

base::error_code file::reserve(std::uint64_t bytes) {
  const auto failed = checked(file_call::reserve, [&] {
    return ::fallocate(fd_, 0, 0, static_cast<off_t>(bytes));
  });
  if (failed && ::ftruncate(fd_, 0) != 0) return error(errno);   // what it got of it goes back
  return failed;
}

base::result<std::size_t> file::read(std::uint64_t offset, std::span<char> into) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const file_plan plan = plan_of(file_call::read);
    if (plan.error) return error(plan.error);
    const ssize_t n = ::pread(fd_, into.data() + done, std::min(into.size() - done, plan.bytes_max),
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno != EINTR) return error(errno);
    if (n == 0) break;
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return done;
}

base::error_code file::sync() {
  return checked(file_call::sync, [&] { return ::fdatasync(fd_); });
}

void file::begin_sync(std::uint64_t offset, std::uint64_t bytes) noexcept {
  (void)::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes),
                          SYNC_FILE_RANGE_WRITE);
}

void file::forget_cached() noexcept { (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }

base::error_code rename_file(const std::string& from, const std::string& to) {
  return checked(file_call::rename, [&] { return std::rename(from.c_str(), to.c_str()); });
}

base::error_code remove_file(const std::string& path) {
  const auto failed = checked(file_call::remove, [&] { return ::unlink(path.c_str()); });
  return failed == boost::system::errc::no_such_file_or_directory ? base::error_code{} : failed;
}

base::error_code link_file(const std::string& from, const std::string& to) {
  return checked(file_call::link, [&] { return ::link(from.c_str(), to.c_str()); });
}

base::result<disk_room> room_of_disk(const std::string& folder) {
  const file_plan plan = plan_of(file_call::room);
  if (plan.error) return error(plan.error);
  struct statvfs found;
  if (::statvfs(folder.c_str(), &found) != 0) return error(errno);
  const std::uint64_t free = std::uint64_t{found.f_bavail} * found.f_frsize;
  return disk_room{std::min<std::uint64_t>(free, plan.bytes_max),
                   std::uint64_t{found.f_blocks} * found.f_frsize};
}

base::error_code sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return error(errno);
  const auto failed = checked(file_call::sync, [&] { return ::fsync(fd); });
  ::close(fd);
  return failed;
}

}  // namespace weir::store
