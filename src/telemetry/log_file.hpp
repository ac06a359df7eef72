// Where the access log's writer thread writes: a file opened for appending, or standard output.
// write() never waits longer than it was told: files are taken to be ready, anything else (pipe,
// terminal, socket) is polled and given at most PIPE_BUF bytes, which a ready pipe takes at once.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::telemetry {

class log_file {
 public:
  // "-": standard output.
  static base::result<log_file> open(const std::string& path);
  log_file(log_file&& other) noexcept;
  log_file& operator=(log_file&& other) noexcept;
  ~log_file();

  // Writes some of the two runs, in order. Returns how many bytes; timed_out when it took none.
  base::result<std::size_t> write(const std::array<std::string_view, 2>& runs,
                                  std::chrono::milliseconds wait);

 private:
  log_file(int fd, bool owned);
  int fd_;
  bool owned_;
  bool always_ready_;
};

}  // namespace weir::telemetry
