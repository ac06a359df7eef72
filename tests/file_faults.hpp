// Makes the calls of net/file.hpp fail, or move few bytes, while it lives. One at a time.
#pragma once

#include <atomic>
#include <optional>

#include "net/file.hpp"

namespace weir::test {

class file_faults {
 public:
  // Call number `nth` (from 1; 0: none) and all after it of the kind `what` (nothing: of any kind)
  // fail with `error`; the others move at most `bytes_max` bytes.
  file_faults(std::optional<net::file_call> what, int nth, int error,
              std::size_t bytes_max = ~std::size_t{0}) {
    what_ = what, nth_ = nth, error_ = error, bytes_max_ = bytes_max;
    calls_ = 0;
    net::before_file_call = &file_faults::plan;
  }
  ~file_faults() { net::before_file_call = nullptr; }
  file_faults(const file_faults&) = delete;
  file_faults& operator=(const file_faults&) = delete;

  static int calls() noexcept { return calls_; }

 private:
  static net::file_call_plan plan(net::file_call c) noexcept {
    if (what_ && c != *what_) return {0, bytes_max_};
    const int number = ++calls_;
    return {nth_ && number >= nth_ ? error_ : 0, bytes_max_};
  }
  static inline std::optional<net::file_call> what_;
  static inline int nth_ = 0, error_ = 0;
  static inline std::size_t bytes_max_ = 0;
  static inline std::atomic<int> calls_{0};
};

}  // namespace weir::test
