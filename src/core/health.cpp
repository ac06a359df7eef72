#include "core/health.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace weir::core {
namespace {

// Legal moves, [from][to]. Nothing goes back to checking: a worker is proven or refuted once.
constexpr std::array<std::array<bool, 3>, 3> legal{{
    /* checking */ {false, true, true},
    /* up       */ {false, false, true},
    /* down     */ {false, true, false},
}};

constexpr std::size_t index(health_state s) noexcept {
  return static_cast<std::size_t>(s);
}

duration jittered(duration d, double jitter, base::random& random) noexcept {
  const double share = std::clamp(jitter, 0.0, 1.0);
  return base::from_seconds(base::to_seconds(d) * (1 + share * (2 * random.unit() - 1)));
}

// interval x 2^doublings, at most `most`; never overflows.
duration doubled(duration interval, std::uint32_t doublings, duration most) noexcept {
  for (; doublings > 0 && interval < most / 2; --doublings) interval *= 2;
  return doublings > 0 ? most : std::min(interval, most);
}

duration patience(const health_settings& settings) noexcept {
  return settings.timeout < base::forever / 4 ? settings.timeout * 2 + 1s : base::forever;
}

}  // namespace

std::string_view name(health_state s) noexcept {
  constexpr std::array<std::string_view, 3> names{"checking", "up", "down"};
  return names[index(s)];
}

health::health(const health_settings& settings, instant now) noexcept : deadline_(now) {
  if (settings.kind != probe_kind::none) return;
  set_state(health_state::up);
  deadline_ = base::never;
}

health::change health::configure(const health_settings& settings, instant now,
                                 base::random& random) noexcept {
  if (settings.kind == probe_kind::none) {
    deadline_ = base::never;
    in_flight_ = again_ = false;
    return state_ == health_state::up ? change::none : set_state(health_state::up);
  }
  const instant next = base::after(now, jittered(pause(settings), settings.jitter, random));
  if (!in_flight_) deadline_ = std::min(deadline_, next);
  return change::none;
}

bool health::expire(const health_settings& settings, instant now) noexcept {
  if (settings.kind == probe_kind::none || now < deadline_) return false;
  in_flight_ = started_once_ = true;
  again_ = false;
  started_ = now;
  deadline_ = base::after(now, patience(settings));
  return true;
}

health::change health::probed(bool good, const health_settings& settings, instant now,
                              base::random& random) noexcept {
  if (!in_flight_ || now >= deadline_) return change::none;
  in_flight_ = false;
  const change what = good ? count_good(settings) : count_failed(settings);
  deadline_ = base::after(now, jittered(pause(settings), settings.jitter, random));
  if (again_) deadline_ = std::min(deadline_, soonest(settings, now));
  again_ = false;
  return what;
}

void health::probe_now(const health_settings& settings, instant now) noexcept {
  if (settings.kind == probe_kind::none) return;
  if (in_flight_)
    again_ = true;
  else
    deadline_ = std::min(deadline_, soonest(settings, now));
}

health::change health::set_state(health_state to) noexcept {
  WEIR_CHECK(legal[index(state_)][index(to)]);
  state_ = to;
  streak_ = backoff_ = 0;
  if (to != health_state::up) return change::went_down;
  proven_ = true;
  return change::came_up;
}

health::change health::count_good(const health_settings& settings) noexcept {
  if (state_ == health_state::up) {
    streak_ = 0;
    return change::none;
  }
  const bool enough = !proven_ || ++streak_ >= settings.rise;
  return enough ? set_state(health_state::up) : change::none;
}

health::change health::count_failed(const health_settings& settings) noexcept {
  if (state_ == health_state::down) {
    streak_ = 0;
    backoff_ = std::min(backoff_ + 1, 63u);
    return change::none;
  }
  return ++streak_ >= settings.fall ? set_state(health_state::down) : change::none;
}

duration health::pause(const health_settings& settings) const noexcept {
  if (state_ == health_state::checking || streak_ > 0)
    return std::min(settings.fast_interval, settings.interval);
  if (state_ == health_state::up) return settings.interval;
  return doubled(settings.interval, backoff_, settings.down_interval_max);
}

instant health::soonest(const health_settings& settings, instant now) const noexcept {
  return started_once_ ? std::max(now, base::after(started_, settings.fast_interval)) : now;
}

}  // namespace weir::core
