#include "app/journal.hpp"

#include <chrono>

namespace weir::app {
namespace {

using kind = core::event::kind;

std::string_view name_of(kind k) {
  switch (k) {
    case kind::worker_state_changed: return "worker_state_changed";
    case kind::worker_added: return "worker_added";
    case kind::worker_removed: return "worker_removed";
    case kind::outage_began: return "outage_began";
    case kind::outage_ended: return "outage_ended";
    case kind::scale_decided: return "scale_decided";
    case kind::worker_never_came: return "worker_never_came";
    case kind::pool_paused: return "pool_paused";
    case kind::pool_resumed: return "pool_resumed";
  }
  return "event";
}

std::string text_of(const core::event& e) {
  std::string text;
  if (e.what == kind::worker_state_changed)
    text = std::string(core::name(e.from)) + " -> " + std::string(core::name(e.to));
  if (!e.reason.empty()) text += (text.empty() ? "" : ": ") + e.reason;
  return text;
}

telemetry::level level_of(const core::event& e) {
  const bool bad = e.what == kind::outage_began || e.what == kind::worker_never_came ||
                   (e.what == kind::worker_state_changed &&
                    (e.to == core::worker_state::down || e.to == core::worker_state::ejected));
  return bad ? telemetry::level::warning : telemetry::level::info;
}

// A worker fills up and empties all day: worth a state, not worth a line.
bool routine(const core::event& e) {
  return e.what == kind::worker_state_changed &&
         (e.to == core::worker_state::saturated || e.from == core::worker_state::saturated) &&
         (e.to == core::worker_state::up || e.from == core::worker_state::up);
}

}  // namespace

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void journal::add(std::string_view pool, const core::event& e) {
  if (routine(e)) return;
  add(level_of(e), pool, name_of(e.what), e.worker_name, text_of(e));
}

void journal::add(telemetry::level how, std::string_view pool, std::string_view what,
                  std::string_view worker, std::string text) {
  telemetry::log(how, what, {{"pool", pool}, {"worker", worker}, {"detail", text}});
  entries_.push_back({++sequence_, wall_ms(), std::string(pool), std::string(what),
                      std::string(worker), std::move(text)});
  if (entries_.size() > kept) entries_.pop_front();
}

admin::event_page journal::since(std::uint64_t sequence, std::size_t limit) const {
  admin::event_page page;
  page.next = sequence;
  for (const admin::event_entry& e : entries_) {
    if (e.sequence <= sequence) continue;
    if (page.items.size() == limit) break;
    page.items.push_back(e);
    page.next = e.sequence;
  }
  return page;
}

}  // namespace weir::app
