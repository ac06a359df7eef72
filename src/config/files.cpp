#include "config/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace weir::config {
namespace {

base::error_code last_error() {
  return {errno, boost::system::system_category()};
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
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return last_error();
  std::string out;
  const bool whole = read_all(file, out);
  const auto fault = whole ? base::error_code{} : last_error();
  ::close(file);
  if (fault) return fault;
  if (out.size() > file_bytes_max) return base::error_code(EFBIG, boost::system::system_category());
  return out;
}

}  // namespace weir::config
