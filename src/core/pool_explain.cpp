// pool, continued: why a batch waits, where it runs, or how it ended, in plain sentences.
#include <array>
#include <charconv>

#include "core/pool_state.hpp"

namespace weir::core {
namespace {

std::string number_text(double x) {
  std::array<char, 64> text;
  const int digits = x < 10 ? 2 : 0;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), x, std::chars_format::fixed, digits);
  return std::string(text.data(), end.ptr);
}
std::string seconds_text(double s) {
  return number_text(s) + " s";
}
std::string seconds_text(duration d) {
  return seconds_text(base::to_seconds(d));
}

std::string counted(std::uint64_t n, std::string_view one, std::string_view many) {
  return std::to_string(n) + ' ' + std::string(n == 1 ? one : many);
}

std::string_view how_text(attempt_end end) noexcept {
  switch (end) {
    case attempt_end::succeeded:
      return "succeeded";
    case attempt_end::connect_failed:
      return "could not connect";
    case attempt_end::stale_connection:
      return "found its connection closed";
    case attempt_end::busy:
      return "was answered busy";
    case attempt_end::failed:
      return "failed";
    case attempt_end::response_timeout:
      return "got no answer in time";
    case attempt_end::client_gone:
      return "lost its client";
    case attempt_end::client_fault:
      return "ended by the client's fault";
  }
  return "ended";
}

std::string name_of(const fleet& fleet, worker_id id) {
  const worker* w = fleet.find(id);
  return w ? w->settings.name : "a worker that has left";
}

// "2 down, 1 draining"; workers that serve are left out.
std::string absent_ones(const fleet& fleet) {
  std::array<std::uint32_t, 7> by_state{};
  fleet.each([&](worker_id, const worker& w) {
    if (!w.serving) ++by_state.at(static_cast<std::size_t>(w.shown));
  });
  std::string text;
  for (std::size_t i = 0; i < by_state.size(); ++i) {
    if (by_state[i] == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::to_string(by_state[i]) + ' ' + std::string(name(static_cast<worker_state>(i)));
  }
  if (fleet.size() == 0) return "there is none";
  return text.empty() ? "all are up by now" : text;
}

std::string states_of(const fleet& fleet) {
  constexpr std::size_t enough = 200;
  std::string text;
  fleet.each([&](worker_id, const worker& w) {
    if (text.size() > enough) return;
    if (!text.empty()) text += ", ";
    text += w.settings.name + " is " + std::string(name(w.shown));
  });
  return text.empty() ? "there is none" : text;
}

}  // namespace

std::string pool::explain(std::string_view label, instant now) const {
  const state& s = *s_;
  for (std::uint32_t i = 0; i < s.batches.extent(); ++i) {
    if (!s.batches.taken(i) || s.batches.at(i).label.view() != label) continue;
    const batch& b = s.batches.at(i);
    return b.waits() ? s.explain_wait(s.batches.id_at(i), b, now) : s.explain_run(b, now);
  }
  const ending* e = s.ended.find(label);
  return e ? s.explain_end(*e) : std::string();
}

std::string pool::absence() const {
  const state& s = *s_;
  std::string text = absent_ones(s.fleet);
  if (!s.scaling) return text;
  const std::uint32_t asked = s.scaling->asked_for();
  if (asked > 0) return text + "; " + counted(asked, "more was", "more were") + " asked for";
  const std::string holds = s.scaling_holds();
  return holds.empty() ? text : text + "; scaling holds: " + holds;
}

std::string pool::state::explain_wait(batch_id id, const batch& b, instant now) const {
  const queue_place at = place(id.index, look(now), now);
  std::string text = "Waits in pool " + settings.name + " for " +
                     seconds_text(now - b.since_waiting) +
                     (at.exact ? ", behind " : ", behind about ");
  text += counted(at.position, "batch", "batches") + " with " + seconds_text(at.cost_ahead) +
          " of work. " + when_it_starts(b, at, now) + ' ' + why_it_waits(b, now);
  if (!at.exact) text += " Tenants take turns; the queue's listing is tenant by tenant.";
  if (b.attempt > 0) text += ' ' + counted(b.attempt, "attempt", "attempts") + " so far.";
  return text;
}

std::string pool::state::when_it_starts(const batch& b, const queue_place& at, instant now) {
  if (at.in_time) return "Its start is expected in about " + seconds_text(at.eta_seconds) + '.';
  const instant end = b.wait_end();
  if (end == base::never) return "Nobody can say when it starts.";
  return "No start is expected before its wait ends, in " + seconds_text(end - now) + '.';
}

std::string pool::state::why_it_waits(const batch& b, instant now) const {
  if (b.stage == batch_stage::delayed)
    return "It backs off for " + seconds_text(b.delayed_until - now) + " before a retry.";
  if (paused) return "The pool is paused.";
  if (fleet.serving() == 0) return "No worker serves now: " + states_of(fleet) + ".";
  if (const fair_share& tenants = queue.tenants(); !tenants.may_run(b.account))
    return "Its tenant runs as many as it may (" +
           std::to_string(tenants.running_max(b.account)) + ").";
  if (b.stage == batch_stage::kept_back) {
    std::string text = "It is kept from the workers that failed it:";
    for (const worker_id w : b.avoid.all()) text += ' ' + name_of(fleet, w);
    return text + ".";
  }
  return "Every open slot is taken or its worker rests; the backlog drains in about " +
         seconds_text(look(now).drain()) + ".";
}

std::string pool::state::explain_run(const batch& b, instant now) const {
  const attempt& a = fleet.at(b.running);
  const worker& w = *fleet.find(a.worker);
  return "Attempt " + std::to_string(b.attempt) + " runs on " + w.settings.name + " for " +
         seconds_text(now - a.started) + "; about " + seconds_text(a.expected_seconds) +
         " were expected there. The worker's rate is " + number_text(fleet.rate(w, now)) +
         " times the pool's average, and " + std::to_string(w.running.size) + " of its " +
         std::to_string(w.slots_open) + " open slots are taken. Before, the batch waited " +
         seconds_text(b.since - b.since_waiting) + '.';
}

std::string pool::state::explain_end(const ending& e) const {
  std::string text = "Left the pool " + seconds_text(e.total) + " after it came";
  if (e.why == refusal::retry_budget)
    text += ", not tried again because the pool's retry_budget was used up";
  else if (e.why != refusal::none)
    text += ", given up on: " + std::string(name(e.why));
  if (!e.worker) return text + ". It never ran.";
  return text + ". Attempt " + std::to_string(e.attempts) + ", its last, ran on " +
         name_of(fleet, e.worker) + " for " + seconds_text(e.last_ran) + " and " +
         std::string(how_text(e.how)) + '.';
}

}  // namespace weir::core
