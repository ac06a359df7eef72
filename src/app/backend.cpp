// What the admin API sees of a running weir.
#include "app/instance.hpp"
#include "config/dump.hpp"

namespace weir::app {
namespace {

using admin::failure;

}  // namespace

failure instance::no_pool(std::string_view pool) {
  return {failure::kind::not_found, "no pool '" + std::string(pool) + "'", {}};
}

crew* instance::find(std::string_view pool) {
  const auto found = crews_.find(std::string(pool));
  return found == crews_.end() ? nullptr : found->second.get();
}

admin::readiness instance::ready() {
  if (draining_) return {false, "shutting down"};
  if (!state_->ready()) return {false, "what waits in state_dir is being counted"};
  for (const auto& [pool_name, c] : crews_) {
    const auto serves = [](core::pool& p, instant) { return p.can_serve(); };
    if (!c->retiring() && c->gate()->with(net::loop::read_clock(), serves)) return {true, {}};
  }
  return {false, "no pool has a worker that is up"};
}

std::string instance::metrics() { return metrics_->text(); }

admin::process_status instance::status() {
  admin::process_status s;
  s.version = WEIR_VERSION;
  s.started_unix_ms = started_unix_ms_;
  s.uptime_seconds = base::to_seconds(net::loop::read_clock() - started_);
  s.threads = front_->threads();
  s.draining = draining_;
  s.config_file = config_file_;
  s.config_generation = generation_;
  s.last_reload_ok = last_reload_ok_;
  s.last_reload_unix_ms = last_reload_unix_ms_;
  s.last_reload_error = last_reload_error_;
  for (const auto& [listener_name, o] : listeners_)
    s.listeners.push_back({listener_name, net::to_string(o.at), o.plan->tls != nullptr,
                           o.plan->connections->load(std::memory_order_relaxed)});
  return s;
}

std::vector<core::pool_view> instance::pools() {
  std::vector<core::pool_view> all;
  for (const auto& [pool_name, c] : crews_) all.push_back(c->view());
  return all;
}

admin::answer<std::vector<admin::worker_status>> instance::workers(std::string_view pool) {
  if (crew* c = find(pool)) return c->workers();
  return no_pool(pool);
}

admin::answer<core::queue_page> instance::queue(std::string_view pool, std::size_t offset,
                                                std::size_t limit) {
  crew* c = find(pool);
  if (!c) return no_pool(pool);
  return c->gate()->with(net::loop::read_clock(), [&](core::pool& p, instant now) {
    return p.queue(offset, limit, now);
  });
}

admin::answer<std::string> instance::explain(std::string_view batch) {
  for (const auto& [pool_name, c] : crews_) {
    std::string why = c->gate()->with(net::loop::read_clock(), [&](core::pool& p, instant now) {
      return p.explain(batch, now);
    });
    if (!why.empty()) return why;
  }
  return failure{failure::kind::not_found,
                 "no pool knows a batch '" + std::string(batch) +
                     "': its id (Weir-Batch-Id) is another, or it ended and " +
                     std::to_string(core::ended_kept) + " batches of its pool have ended since; "
                     "the access log has it",
                 {}};
}

admin::answer<admin::scale_view> instance::scale(std::string_view pool) {
  if (crew* c = find(pool)) return c->scale();
  return no_pool(pool);
}

std::string instance::config_json() { return config::dump_json(settings_); }

admin::event_page instance::events(std::uint64_t since, std::size_t limit) {
  return journal_.since(since, limit);
}

admin::answer<admin::lease> instance::register_worker(const admin::register_request& r) {
  crew* c = find(r.pool);
  if (!c) return no_pool(r.pool);
  const base::duration ttl_max =
      settings_.registration ? settings_.registration->ttl_max : config::registration{}.ttl_max;
  // A registered name is held to the list each time that it is resolved.
  std::function<bool(std::string_view)> allowed = [](std::string_view address) {
    return !admin::is_refused_address(address);
  };
  if (r.through_registration && guard_)
    allowed = [guard = *guard_, peer = r.peer](std::string_view address) {
      return guard.permits_worker(address, peer);
    };
  return c->enroll(r, std::move(allowed), ttl_max);
}

admin::answer<admin::lease> instance::renew_lease(std::string_view pool, std::string_view worker,
                                                  std::string_view secret) {
  if (crew* c = find(pool)) return c->renew(worker, secret);
  return no_pool(pool);
}

admin::answer<void> instance::end_lease(std::string_view pool, std::string_view worker,
                                        std::string_view secret) {
  if (crew* c = find(pool)) return c->end_lease(worker, secret);
  return no_pool(pool);
}

admin::answer<void> instance::drain(std::string_view pool, std::string_view worker) {
  if (crew* c = find(pool)) return c->drain(worker, "drained by an operator");
  return no_pool(pool);
}

admin::answer<void> instance::undrain(std::string_view pool, std::string_view worker) {
  if (crew* c = find(pool)) return c->undrain(worker);
  return no_pool(pool);
}

admin::answer<void> instance::remove_worker(std::string_view pool, std::string_view worker) {
  if (crew* c = find(pool)) return c->remove(worker);
  return no_pool(pool);
}

admin::answer<void> instance::pause(std::string_view pool) {
  crew* c = find(pool);
  if (!c) return no_pool(pool);
  c->gate()->with(net::loop::read_clock(), [](core::pool& p, instant now) { p.pause(now); });
  return {};
}

admin::answer<void> instance::resume(std::string_view pool) {
  crew* c = find(pool);
  if (!c) return no_pool(pool);
  c->gate()->with(net::loop::read_clock(), [](core::pool& p, instant now) { p.resume(now); });
  return {};
}

void instance::test_scale(std::string_view pool, admin::done<admin::change_report> told) {
  if (crew* c = find(pool)) return c->test_hooks(std::move(told));
  told(no_pool(pool));
}

// What is not counted as it happens.
void instance::collect(telemetry::sink& out) {
  using namespace telemetry::names;
  telemetry::collect_process(out);
  if (access_) access_->collect(out);
  for (const auto& [listener_name, o] : listeners_)
    out.gauge(connections, {{"listener", listener_name}},
              static_cast<double>(o.plan->connections->load(std::memory_order_relaxed)));
  out.gauge(reload_successful, {}, last_reload_ok_.value_or(true) ? 1 : 0);
  const std::int64_t at = last_reload_unix_ms_ ? last_reload_unix_ms_ : started_unix_ms_;
  out.gauge(reload_success_time, {}, static_cast<double>(at) / 1000);
  out.counter(limit_hits, {{"limit", "log"}}, static_cast<double>(telemetry::log_dropped()));
  out.counter(limit_hits, {{"limit", "probes"}}, static_cast<double>(probes_->limit_hits()));
  const auto kept = [&](const char* where, const std::atomic<std::uint64_t>& bytes) {
    out.gauge(replay_bytes, {{"where", where}},
              static_cast<double>(bytes.load(std::memory_order_relaxed)));
  };
  kept("memory", replay_->used);
  kept("disk", replay_->on_disk);
  state_->collect(out);
  for (const auto& [pool_name, c] : crews_) c->collect(out);
}

}  // namespace weir::app
