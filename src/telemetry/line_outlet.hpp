// Lines on their way to a descriptor that may not take them now, such as a pipe that nobody reads:
// what it does not take waits in a bounded queue, and what finds no room there is dropped and
// counted. Used by the operational log; any thread. No call waits for the descriptor, save flush()
// for as long as it is told.
// Invariant: lines come out whole and in order; one process's lines never run into another's unless
// they are longer than PIPE_BUF.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace weir::telemetry {

class line_outlet {
 public:
  // The descriptor stays the caller's; its flags stay as they are, as others may share it.
  explicit line_outlet(int fd, std::size_t waiting_bytes_max = 256 * 1024);
  ~line_outlet();
  line_outlet(const line_outlet&) = delete;
  line_outlet& operator=(const line_outlet&) = delete;

  // The newline is added here.
  void put(std::string_view line);
  // Writes what waits; true when nothing waits any more.
  bool flush(std::chrono::milliseconds patience = {});
  std::uint64_t dropped() const noexcept;

 private:
  enum class kind : std::uint8_t { ready, own, socket, shared };   // how it is kept from blocking
  static kind kind_of(int fd, int& own);
  void drain();
  bool write_some();

  const int fd_;
  int own_ = -1;   // the same pipe or terminal, opened anew, so that it may be non-blocking
  const kind kind_;
  const std::size_t waiting_bytes_max_;
  mutable std::mutex mutex_;
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0, first_done_ = 0;   // bytes written of the first line
  std::uint64_t dropped_ = 0;
};

}  // namespace weir::telemetry
