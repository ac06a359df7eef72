#include "core/adaptive_slots.hpp"

#include <cmath>
#include <utility>

namespace weir::core {
namespace {

constexpr double recent_weight = 1.0 / 8, noise_weight = 1.0 / 32;
constexpr double half_margin = 0.25;          // `beside` is an average
constexpr std::uint32_t old_samples = 4;      // what was seen before a step weighs as so many

// Between the two the limit stays as it is: half of what is tolerated.
double log_goal(const adaptive_slots_settings& how) noexcept {
  return std::log1p((how.tolerance - 1) / 2);
}

}  // namespace

double adaptive_slots::crowding() const noexcept {
  return crowded_.known() && alone_.known() ? crowded_.value() - alone_.value() : 0;
}

void adaptive_slots::hear(double log_time) noexcept {
  const double off = log_time - recent_;
  recent_ += off * recent_weight;
  noise_ += (off * off - noise_) * noise_weight;
}

std::uint32_t adaptive_slots::round(std::uint32_t open) const noexcept {
  const double needed = std::min<double>(round_max, round_noise * noise_);
  return std::max({round_min, open, static_cast<std::uint32_t>(needed)});
}

bool adaptive_slots::finished(const slot_sample& s, const adaptive_slots_settings& how,
                              std::uint32_t ceiling, instant now) noexcept {
  if (s.sized) hear(s.log_time);
  if (s.began < changed_) return false;  // part of it ran under another limit
  const std::uint32_t at = limit(how, ceiling);
  const bool alone = s.beside <= half(how, ceiling) + half_margin;
  const bool crowded = !probing_ && s.beside >= near_limit * at;
  if (s.sized && alone) alone_.add(s.log_time);
  if (s.sized && crowded) crowded_.add(s.log_time);
  if (!(probing_ ? alone : crowded) || ++finishes_ < round(open(how, ceiling)))
    return false;
  finishes_ = 0;
  return probing_ ? end_probe(how, ceiling, now) : decide(how, ceiling, now);
}

bool adaptive_slots::busy(instant began, const adaptive_slots_settings& how, std::uint32_t ceiling,
                          instant now) noexcept {
  return began >= changed_ && cut(cut_busy, how, ceiling, now);
}

// A round near the limit is over.
bool adaptive_slots::decide(const adaptive_slots_settings& how, std::uint32_t ceiling,
                            instant now) noexcept {
  ++rounds_;
  const std::uint32_t at = limit(how, ceiling);
  const bool can_probe = crowded_.known() && half(how, ceiling) < at;
  const double now_takes = crowding();
  const bool calm = now_takes <= log_goal(how);
  const bool settled = calm && at == ceiling && alone_.known();
  if (can_probe && !settled && (!alone_.known() || rounds_ > reference_rounds)) return probe(now);
  // Faster near the limit than below it: what was seen there is out of date.
  if (can_probe && now_takes < -log_goal(how)) return probe(now);
  if (calm) return grow(at, ceiling);
  const bool first = std::exchange(doubling_, false);
  if (now_takes <= std::log(how.tolerance)) return false;
  if (can_probe && rounds_ > cut_rounds) return probe(now);
  return cut(first ? cut_first : cut_slow, how, ceiling, now);
}

bool adaptive_slots::grow(std::uint32_t at, std::uint32_t ceiling) noexcept {
  if (at >= ceiling) return false;
  if (at + 1 == cut_from_ && ++plateau_ < plateau_rounds) return false;
  const std::uint32_t step = doubling_ ? at : 1;
  limit_ = std::min(at + step, ceiling);
  if (limit_ >= cut_from_) cut_from_ = 0;
  plateau_ = 0;
  crowded_.weigh_at_most(step > 1 ? 0 : old_samples);
  return true;
}

bool adaptive_slots::cut(double share, const adaptive_slots_settings& how, std::uint32_t ceiling,
                         instant now) noexcept {
  const std::uint32_t at = limit(how, ceiling), was_open = open(how, ceiling);
  const auto less = std::min(at - 1, static_cast<std::uint32_t>(at * share));
  doubling_ = probing_ = false;
  limit_ = std::max(std::min(how.min, ceiling), less);
  cut_from_ = at;
  plateau_ = finishes_ = 0;
  crowded_.weigh_at_most(0);
  changed_ = now;
  return open(how, ceiling) != was_open;
}

bool adaptive_slots::probe(instant now) noexcept {
  probing_ = true;
  changed_ = now;
  alone_.weigh_at_most(round_min);
  return true;
}

bool adaptive_slots::end_probe(const adaptive_slots_settings& how, std::uint32_t ceiling,
                               instant now) noexcept {
  probing_ = false;
  rounds_ = 0;
  changed_ = now;
  if (crowding() > std::log(how.tolerance)) cut(cut_slow, how, ceiling, now);
  crowded_.weigh_at_most(round_min);
  return true;
}

}  // namespace weir::core
