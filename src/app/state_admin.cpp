// What the admin API asks of the state directory.
#include <utility>

#include "app/state_dir.hpp"
#include "store/batch_ids.hpp"
#include "proxy/batch_json.hpp"
#include "telemetry/names.hpp"

namespace weir::app {
namespace {

using admin::batch_change;
using admin::failure;

constexpr unsigned bulk_page = 200;   // batches changed at once

failure to_failure(const store::failure& f) {
  switch (f.what) {
    case store::trouble::not_found: return {failure::kind::not_found, f.detail, {}};
    case store::trouble::conflict: return {failure::kind::conflict, f.detail, {}};
    default: return {failure::kind::unavailable, "the store: " + f.detail, {}};
  }
}

failure no_state_dir() {
  return {failure::kind::conflict, "there are no asynchronous batches: state_dir is not set", {}};
}

failure bad_id(std::string_view id) {
  return {failure::kind::not_found,
          "no batch '" + std::string(id) + "': expected its id, 32 hexadecimal digits", {}};
}

failure bad_state(const std::string& state) {
  return {failure::kind::invalid,
          "state: '" + state +
              "', expected one of queued, running, succeeded, failed, cancelled, damaged",
          {}};
}

std::string_view past(batch_change what) {
  switch (what) {
    case batch_change::cancel: return "cancelled";
    case batch_change::requeue: return "requeued";
    case batch_change::drop: return "dropped";
  }
  return "";
}

// Without a state, the one that the change is for.
std::string_view state_for(batch_change what) {
  return what == batch_change::cancel ? "queued" : "failed";
}

base::result<store::batch_query, failure> to_query(const admin::batch_filter& f) {
  store::batch_query q;
  if (!f.state.empty()) {
    q.state = proxy::parse_batch_state(f.state);
    if (!q.state) return bad_state(f.state);
  }
  q.pool = f.pool;
  q.tenant = f.tenant;
  q.after = f.after;
  q.limit = static_cast<unsigned>(f.limit);
  return q;
}

}  // namespace

void state_dir::batches(const admin::batch_filter& filter, admin::done<std::string> told) {
  if (!room_) return told(no_state_dir());
  auto q = to_query(filter);
  if (!q) return told(q.error());
  const unsigned limit = q->limit++;   // one more tells whether there are more
  using lines = std::vector<store::batch_line>;
  engine_->list(std::move(*q), home<lines>([limit, told](store::outcome<lines> got) {
    if (!got) return told(to_failure(got.error()));
    const bool more = got->size() > limit;
    if (more) got->pop_back();
    told(proxy::batch_lines_json(*got, more));
  }));
}

void state_dir::batch(std::string_view id, admin::done<std::string> told) {
  if (!room_) return told(no_state_dir());
  const auto known = store::parse_batch_id(id);
  if (!known) return told(bad_id(id));
  engine_->find(*known, false, home<store::batch>([this, told](store::outcome<store::batch> b) {
    if (!b) return told(to_failure(b.error()));
    engine_->attempts_of(b->id, home<std::vector<store::attempt_note>>(
        [this, b = std::move(*b), told](store::outcome<std::vector<store::attempt_note>> notes) {
          std::optional<core::queue_place> place;
          if (b.state == store::batch_state::queued) place = room_->place(b);
          std::span<const store::attempt_note> history;
          if (notes) history = *notes;
          told(proxy::batch_json(b, history, place));
        }));
  }));
}

// On the engine's thread the batches in memory follow.
void state_dir::change_one(batch_change what, const store::batch_id& id, store::done<void> told) {
  if (what == batch_change::drop) return engine_->drop(id, std::move(told));
  if (what == batch_change::requeue)
    return engine_->requeue(id, wall_ms(), [this, told](store::outcome<store::batch> b) {
      if (!b) return told(b.error());
      room_->requeued(*b);
      told({});
    });
  engine_->find(id, false, [this, told](store::outcome<store::batch> b) {
    if (!b) return told(b.error());
    engine_->cancel(b->id, wall_ms(), [this, b = std::move(*b), told](store::outcome<void> done) {
      if (done) room_->cancelled(b);
      told(std::move(done));
    });
  });
}

void state_dir::change(batch_change what, std::string_view id,
                       admin::done<admin::change_report> told) {
  if (!room_) return told(no_state_dir());
  const auto known = store::parse_batch_id(id);
  if (!known) return told(bad_id(id));
  change_one(what, *known, home<void>([what, told, id = std::string(id)](store::outcome<void> d) {
    if (!d) return told(to_failure(d.error()));
    told(admin::change_report{"batch " + id + " " + std::string(past(what)), {}});
  }));
}

// Many batches, a page after the other; the control thread's.
struct state_dir::bulk {
  batch_change what{};
  store::batch_query query;
  admin::done<admin::change_report> told;
  std::uint64_t changed = 0, refused = 0, failed = 0, left = 0;
  std::string why{};   // of the last that failed
};

void state_dir::change_all(batch_change what, admin::batch_filter filter,
                           admin::done<admin::change_report> told) {
  if (!room_) return told(no_state_dir());
  if (filter.state.empty()) filter.state = state_for(what);
  auto q = to_query(filter);
  if (!q) return told(q.error());
  const bool open = store::is_open(*q->state);
  const bool fits = what == batch_change::cancel    ? open
                    : what == batch_change::requeue ? q->state == store::batch_state::failed
                                                    : !open;
  if (!fits)
    return told(failure{failure::kind::invalid,
                        "batches that are " + filter.state + " cannot be " +
                            std::string(past(what)),
                        {}});
  q->limit = bulk_page;
  next_page(std::make_shared<bulk>(bulk{what, std::move(*q), std::move(told)}));
}

void state_dir::next_page(std::shared_ptr<bulk> all) {
  engine_->list(all->query, home<std::vector<store::batch_line>>(
                                [this, all](store::outcome<std::vector<store::batch_line>> got) {
    if (!got) return all->told(to_failure(got.error()));
    if (got->empty()) {
      std::string said = std::to_string(all->changed) + " batches " + std::string(past(all->what));
      if (all->refused > 0)
        said += ", " + std::to_string(all->refused) + " had moved on meanwhile";
      if (all->failed > 0)
        said += ", " + std::to_string(all->failed) + " could not be (" + all->why + ")";
      return all->told(admin::change_report{std::move(said), {}});
    }
    all->query.after = got->back().seq;
    all->left = got->size();
    for (const store::batch_line& b : *got)
      change_one(all->what, b.id, home<void>([this, all](store::outcome<void> done) {
        const bool failed = !done && done.error().what != store::trouble::conflict &&
                            done.error().what != store::trouble::not_found;
        if (failed) all->why = done.error().detail;
        ++(done ? all->changed : failed ? all->failed : all->refused);
        if (--all->left == 0) next_page(all);
      }));
  }));
}

void state_dir::back_up(std::string folder, admin::done<admin::change_report> told) {
  if (!room_) return told(no_state_dir());
  engine_->back_up(folder, home<void>([this, folder, told](store::outcome<void> done) {
    if (!done) return told(to_failure(done.error()));
    last_copy_unix_ms_ = wall_ms();
    told(admin::change_report{"the state was copied to " + folder, {}});
  }));
}

void state_dir::collect(telemetry::sink& out) const {
  using namespace telemetry::names;
  const char* const keys = room_ ? "retention.keys_bytes" : "limits.keys_memory_bytes_max";
  out.counter(limit_hits, {{"limit", keys}}, static_cast<double>(engine_->keys_forgotten()));
  if (!room_) return;
  out.counter(limit_hits, {{"limit", "limits.disk_reserve_bytes"}},
              static_cast<double>(engine_->short_of_room()));
  const auto stored = [&](store::batch_state s, std::uint64_t n) {
    out.gauge(stored_batches, {{"state", std::string(proxy::name(s))}}, static_cast<double>(n));
  };
  using state = store::batch_state;
  stored(state::queued, counts_.queued);
  stored(state::running, counts_.running);
  stored(state::succeeded, counts_.succeeded);
  stored(state::failed, counts_.failed);
  stored(state::cancelled, counts_.cancelled);
  stored(state::damaged, counts_.damaged);
  out.gauge(store_bytes, {}, static_cast<double>(counts_.bytes));
  out.counter(store_commits, {}, static_cast<double>(engine_->commits()));
  out.counter(store_damaged, {}, static_cast<double>(engine_->damaged()));
  out.gauge(backup_time, {}, static_cast<double>(last_copy_unix_ms_) / 1000);
  out.counter(backups_failed, {}, static_cast<double>(copies_failed_));
}

}  // namespace weir::app
