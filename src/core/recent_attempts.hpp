// The last 20 attempts of a worker, each a success or a failure, and how bad that is for certain.
// ELT pools see tens of batches a minute, where statistics over hundreds never speak: Wilson's
// interval holds for few samples too. Part of ejection's record of a worker; 8 bytes.
#pragma once

#include <bit>
#include <cstdint>

namespace weir::core {

// The lower end of Wilson's score interval, at 95 %, for the share of failures behind `failures` of
// `attempts` (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927); 0 without attempts.
double wilson_lower(std::uint32_t failures, std::uint32_t attempts) noexcept;

class recent_attempts {
 public:
  static constexpr std::uint32_t kept = 20;

  void succeeded() noexcept { add(0); }
  void failed() noexcept { add(1); }
  // The last `count` failures were nobody's: as if these attempts had not been.
  void forgive(std::uint32_t count) noexcept;
  void clear() noexcept { failures_ = count_ = 0; }

  std::uint32_t failures() const noexcept {
    return static_cast<std::uint32_t>(std::popcount(failures_));
  }
  std::uint32_t count() const noexcept { return count_; }

 private:
  void add(std::uint32_t failure) noexcept {
    failures_ = ((failures_ << 1) | failure) & ((1u << kept) - 1);
    count_ += count_ < kept ? 1 : 0;
  }

  std::uint32_t failures_ = 0;  // a bit an attempt, the last one lowest
  std::uint32_t count_ = 0;
};

}  // namespace weir::core
