#include "config/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace weir::config {
namespace {

base::error_code last_error() {
  return {errno, boost::system::system_category()};
}

// Boost's base has no virtual destructor, and is never deleted through.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class not_a_file final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "weir.file"; }
  std::string message(int) const override {
    return "is a pipe, socket or device, expected a regular file";
  }
};
#pragma GCC diagnostic pop

base::error_code irregular() {
  static const not_a_file category;
  return {1, category};
}

// A directory says so itself when it is read.
base::error_code check_kind(int file) {
  struct stat s {};
  if (::fstat(file, &s) != 0) return last_error();
  return S_ISREG(s.st_mode) || S_ISDIR(s.st_mode) ? base::error_code{} : irregular();
}

// Reads until the end or until one byte too many is there; false on an error.
bool read_all(int file, std::string& out) {
  char buffer[16384];
  while (out.size() <= file_bytes_max) {
    const ssize_t n = ::read(file, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

std::optional<std::string> process_variable(const std::string& name) {
  const char* found = std::getenv(name.c_str());
  return found ? std::optional<std::string>(found) : std::nullopt;
}

base::result<std::string> load_file(const std::string& path) {
  // O_NONBLOCK: a named pipe opens at once, whether or not somebody writes to it.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) return last_error();
  std::string out;
  auto fault = check_kind(file);
  if (!fault && !read_all(file, out)) fault = last_error();
  ::close(file);
  if (fault) return fault;
  if (out.size() > file_bytes_max) return base::error_code(EFBIG, boost::system::system_category());
  return out;
}

}  // namespace weir::config
