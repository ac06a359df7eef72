// The last 20 attempts of a worker, each a success or a failure, and how bad that is for certain.
// ELT pools see tens of batches a minute, where statistics over hundreds never speak: Wilson's
// interval holds for few samples too. Part of ejection's record of a worker; 16 bytes.
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
  // `too_fast`: far sooner than the batch could have been done.
  void failed(bool too_fast = false) noexcept { add(too_fast ? failure | fast : failure); }
  // The last `count` failures were nobody's: as if these attempts had not been.
  void forgive(std::uint32_t count) noexcept;
  void clear() noexcept { ends_ = count_ = 0; }

  std::uint32_t failures() const noexcept {
    return static_cast<std::uint32_t>(std::popcount(static_cast<std::uint32_t>(ends_)));
  }
  std::uint32_t fast_failures() const noexcept {
    return static_cast<std::uint32_t>(std::popcount(ends_ >> 32));
  }
  std::uint32_t count() const noexcept { return count_; }
  // Those that took their time. Who fails at once is free again at once, and takes the next batch:
  // its failures are to be seen against the attempts that it would have had time for.
  std::uint32_t timely() const noexcept {
    const std::uint32_t others = count() - fast_failures();
    return others == 0 ? 1 : others;
  }

 private:
  static constexpr std::uint64_t failure = 1, fast = std::uint64_t{1} << 32;
  static constexpr std::uint64_t all = ((std::uint64_t{1} << kept) - 1) * (failure | fast);

  void add(std::uint64_t end) noexcept {
    ends_ = ((ends_ << 1) | end) & all;
    count_ += count_ < kept ? 1 : 0;
  }

  // A bit an attempt, the last one lowest: whether it failed; from bit 32 on, whether too fast.
  std::uint64_t ends_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace weir::core
