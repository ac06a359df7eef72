// Passive ejection: takes a worker whose attempts keep failing out of service for a while, but
// never so many that the rest breaks, and nobody at all when the fault is shared. Judged are the
// failures in a row and the last 20 attempts (recent_attempts.hpp). Keyed by worker_id::index;
// core::pool calls it under the gate's lock. A worker *fails* while it is ejected or has failed
// half of `consecutive_failures` attempts in a row (3 when ejection is off), or has gone down in an
// outage. More than outage_share of the workers that are not down failing at once, at least two of
// them (or the only one), is a shared outage: ejections are lifted, none is made. Invariants:
// ejected <= max(1, ejected_max x workers), never the last that is up; success, failure: no memory.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/health.hpp"
#include "core/recent_attempts.hpp"
#include "core/settings.hpp"

namespace weir::core {

// What ended a shared outage.
enum class recovery : std::uint8_t { attempts, probes, refunds, departures };
// A sentence's end: "attempts succeed again".
std::string_view name(recovery) noexcept;

class ejection {
 public:
  explicit ejection(const ejection_settings& settings) : settings_(settings) {}

  // Records keep their state; limits that became stricter hold from the next failure on.
  void configure(const ejection_settings& settings) noexcept;

  // --- who is in the pool: workers that are neither draining nor removed ----------------------
  void enter(std::uint32_t worker, health_state health);
  // Every call below ignores a worker that is not in the pool. All return true when somebody's
  // ejection or the outage changed: see changed() and outage().
  bool leave(std::uint32_t worker, instant now) noexcept;
  bool health_changed(std::uint32_t worker, health_state health, instant now) noexcept;

  // --- what its attempts did --------------------------------------------------------------
  bool succeeded(std::uint32_t worker, instant now) noexcept {
    if (worker < records_.size()) records_[worker].recent.succeeded();
    return (outage_ || streaks_ > 0) && recovered(worker, now);
  }
  // A failure that is the worker's: connect_failed, failed, response_timeout. Not busy, not a stale
  // connection, not the client's fault. The n-th ejection lasts n x base_time, at most time_max; n
  // falls by one for each base_time without an ejection. `too_fast`: far sooner than the batch
  // could have been done.
  bool failed(std::uint32_t worker, instant now, bool too_fast = false) noexcept;
  // One of its attempts takes so long that something must be wrong with it: no failure in a row,
  // for it may still succeed, but one of the last 20.
  bool stuck(std::uint32_t worker, instant now) noexcept;
  // `count` of its failures turned out to be a batch's fault. An ejection that they made is lifted.
  // `in_row`: no success was seen since.
  bool refund(std::uint32_t worker, std::uint32_t count, bool in_row, instant now) noexcept;

  // Ends what has run its time. Call when now >= next_deadline().
  bool expire(instant now) noexcept;
  instant next_deadline() const noexcept { return deadline_; }

  // --- what holds now ---------------------------------------------------------------------
  bool ejected(std::uint32_t worker) const noexcept;
  instant ejected_until(std::uint32_t worker) const noexcept;  // `never` when it is not
  std::uint32_t failures_in_row(std::uint32_t worker) const noexcept;
  const recent_attempts& recent(std::uint32_t worker) const noexcept;
  // What ejected it, or did last: its share of failures, or else those in a row.
  bool by_share(std::uint32_t worker) const noexcept;
  std::uint32_t ejections(
      std::uint32_t worker) const noexcept;  // since it entered; lifted ones too
  // Workers whose ejection began or ended since clear_changed(), each at most once.
  std::span<const std::uint32_t> changed() const noexcept { return changed_; }
  void clear_changed() noexcept;
  // A shared outage: from the failure that completes it until attempts succeed again, or probes of
  // workers that went down in it, and no more than outage_share still fail; or until nobody who
  // failed is left. A failure older than base_time no longer counts once a success was seen. When
  // it ends every streak starts anew: what failed in it was nobody's fault.
  bool outage() const noexcept { return outage_; }
  recovery recovered_by() const noexcept { return recovered_by_; }  // the last outage
  // For scaling: an outage, or more than outage_share of all workers failing or down.
  bool impaired() const noexcept;
  std::uint32_t troubled() const noexcept { return failing_ + written_off_; }  // failing or down
  std::uint32_t size() const noexcept { return present_; }
  std::uint32_t ejected_now() const noexcept { return ejected_; }

 private:
  struct record {
    instant until{};  // of the ejection, while ejected
    instant ended{};  // the last ejection
    instant last_failure{};
    recent_attempts recent;
    std::uint32_t streak = 0;   // failures in a row
    std::uint32_t charged = 0;  // of those, that made the present ejection
    std::uint32_t step = 0;     // n of the last ejection
    std::uint32_t total = 0;
    health_state health = health_state::checking;
    bool present = false;
    bool ejected = false;
    bool by_share = false;
    bool fell = false;   // went down in the outage that holds, and was not proven since
    bool noted = false;  // is in changed_
  };

  static constexpr std::uint32_t minus_one = ~0u;  // sums wrap back

  record* find(std::uint32_t worker) noexcept;
  const record* find(std::uint32_t worker) const noexcept;
  void tally(const record& r, std::uint32_t by) noexcept;
  template <class Change>
  void change(record& r, Change&& apply) noexcept;
  std::uint32_t failing_streak() const noexcept;
  bool failing(const record& r) const noexcept;
  bool recovered(std::uint32_t worker, instant now) noexcept;
  bool stale(const record& r, instant now) const noexcept;
  bool too_many(std::uint32_t bad, std::uint32_t of) const noexcept;
  std::uint32_t failing_lately(instant now) const noexcept;
  bool too_many_in_row(const record& r) const noexcept;
  bool fails_too_often(const record& r) const noexcept;
  double share_of_others(const record& r) const noexcept;
  bool may_eject(const record& r) const noexcept;
  void eject_if_due(std::uint32_t worker, record& r, instant now) noexcept;
  void eject(std::uint32_t worker, record& r, instant now) noexcept;
  void end_ejection(std::uint32_t worker, record& r, instant now) noexcept;
  void forgive(record& r) noexcept;
  void note(std::uint32_t worker, record& r) noexcept;
  void judge(recovery by, instant now) noexcept;
  void begin_outage(instant now) noexcept;
  void suspend(std::uint32_t worker, record& r, instant now) noexcept;
  void end_outage(recovery by, instant now) noexcept;
  void success(recovery by, instant now) noexcept;
  void forget_stale(instant now) noexcept;
  void reschedule(instant now) noexcept;
  bool conclude(recovery by, instant now) noexcept;
  bool done() noexcept;

  ejection_settings settings_;
  std::vector<record> records_;
  std::vector<std::uint32_t> changed_;  // capacity for every record: push_back never allocates
  instant deadline_ = base::never;
  // Sums over those present: up and not ejected; down, but not since this outage; ejected; failing;
  // whose last attempt failed.
  std::uint32_t present_ = 0, usable_ = 0, written_off_ = 0, ejected_ = 0, failing_ = 0;
  std::uint32_t streaks_ = 0;
  recovery recovered_by_ = recovery::attempts;  // while an outage holds: the last success's kind
  bool outage_ = false;
  bool success_seen_ = false;  // since the outage began
  bool news_ = false;          // something changed in this call
};

}  // namespace weir::core
