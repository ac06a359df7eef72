// How many slots of one worker are open, found out by additive increase and multiplicative
// decrease: as more attempts run at once than the worker has room for, each takes longer in
// proportion. Time a unit of work near the limit is compared with that at half of it: TCP Vegas
// (Brakmo and Peterson, JSAC 1995) with its two bands, the reference measured anew by running at
// half for a round now and then (BBR's ProbeRTT, the minRTT window of Envoy's filter), and
// always before a cut that an old reference asks for. Fed by slot_tuner; single-threaded.
// Invariants: min <= limit() <= the ceiling it was last fed with; at most one cut in the time that
// an attempt takes, since only those that began after the last change count.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/settings.hpp"

namespace weir::core {

// One attempt that succeeded. `log_time`: of its time, less what its size explains; constant
// factors of route and worker do not matter.
struct slot_sample {
  double log_time = 0;
  bool sized = false;  // its size was declared: log_time means something
  double beside = 1;   // attempts that ran on the worker meanwhile, itself included, on average
  instant began{};
};

class adaptive_slots {
 public:
  adaptive_slots() = default;
  // `limit`: where to begin, such as what the worker runs already; the settings' min at least.
  explicit adaptive_slots(instant since, std::uint32_t limit = 0) noexcept
      : limit_(limit), changed_(since) {}

  static constexpr std::uint32_t round_min = 8;      // finishes behind a decision, at least;
  static constexpr std::uint32_t round_max = 64;     // at most, where sizes are badly declared
  // Finishes for each unit of log_time's variance: the mean is then within 0.13 of what it should
  // be, a third of the default tolerance, two times out of three.
  static constexpr double round_noise = 60;
  static constexpr std::uint32_t evidence_min = 4;   // sized ones among them, to compare times
  static constexpr double cut_slow = 0.9;            // of the limit stays: Envoy's default
  static constexpr double cut_first = 0.5;           // while doubling: that was fine
  static constexpr double cut_busy = 0.7;            // CUBIC's (RFC 9438 section 4.6)
  static constexpr double near_limit = 0.85;         // so much of the limit ran beside it
  // Rounds for which a reference supports a cut, a step up, and before the step that led to the
  // last cut is tried again.
  static constexpr std::uint32_t cut_rounds = 5, reference_rounds = 50, plateau_rounds = 8;

  // True: open() changed.
  bool finished(const slot_sample& s, const adaptive_slots_settings& how, std::uint32_t ceiling,
                instant now) noexcept;
  // A busy answer to an attempt that began then.
  bool busy(instant began, const adaptive_slots_settings& how, std::uint32_t ceiling,
            instant now) noexcept;

  std::uint32_t limit(const adaptive_slots_settings& how, std::uint32_t ceiling) const noexcept {
    return std::min(std::max(limit_, how.min), ceiling);
  }
  std::uint32_t open(const adaptive_slots_settings& how, std::uint32_t ceiling) const noexcept {
    return probing_ ? half(how, ceiling) : limit(how, ceiling);
  }
  bool probing() const noexcept { return probing_; }
  // log of how much longer a unit takes near the limit; 0 while that is not known.
  double crowding() const noexcept;
  double recent() const noexcept { return recent_; }  // log_time of late

 private:
  class mean {
   public:
    void add(double x) noexcept {
      if (count_ < window) ++count_;
      value_ += (x - value_) / count_;
    }
    void weigh_at_most(std::uint32_t samples) noexcept { count_ = std::min(count_, samples); }
    double value() const noexcept { return value_; }
    bool known() const noexcept { return count_ >= evidence_min; }

   private:
    static constexpr std::uint32_t window = 64;
    double value_ = 0;
    std::uint32_t count_ = 0;
  };

  std::uint32_t half(const adaptive_slots_settings& how, std::uint32_t ceiling) const noexcept {
    return std::max(std::min(how.min, ceiling), limit(how, ceiling) / 2);
  }
  std::uint32_t round(std::uint32_t open) const noexcept;
  void hear(double log_time) noexcept;
  bool decide(const adaptive_slots_settings& how, std::uint32_t ceiling, instant now) noexcept;
  bool grow(std::uint32_t limit, std::uint32_t ceiling) noexcept;
  bool cut(double share, const adaptive_slots_settings& how, std::uint32_t ceiling,
           instant now) noexcept;
  bool probe(instant now) noexcept;
  bool end_probe(const adaptive_slots_settings& how, std::uint32_t ceiling, instant now) noexcept;

  std::uint32_t limit_ = 0;           // the settings' min before anything is known
  std::uint32_t cut_from_ = 0;        // the limit that led to the last cut; 0: none to beware of
  std::uint32_t finishes_ = 0;        // of this round
  std::uint32_t rounds_ = 0;          // since the reference was measured
  std::uint32_t plateau_ = 0;         // rounds spent right below cut_from_
  bool doubling_ = true;              // nothing has gone wrong yet
  bool probing_ = false;
  mean crowded_, alone_;              // log_time near the limit, and at half of it
  double recent_ = 0, noise_ = 0;     // noise_: variance about it
  instant changed_ = instant::min();
};

}  // namespace weir::core
