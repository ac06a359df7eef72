#include "app/plans.hpp"

#include "base/check.hpp"

namespace weir::app {
namespace {

using namespace telemetry;

// After these ends core never sends a batch back: no series that would always be 0.
bool ends_batch(core::attempt_end end) {
  return end == core::attempt_end::succeeded || end == core::attempt_end::client_gone ||
         end == core::attempt_end::client_fault;
}

proxy::counter_ptr retry_counter(const plan_sources& from, const std::string& pool,
                                 core::attempt_end end) {
  if (ends_batch(end)) return std::make_shared<counter>(from.metrics.shards());
  return from.metrics.counter(names::retries,
                              {{"pool", pool}, {"reason", std::string(core::name(end))}});
}

proxy::pool_plan plan_pool(const plan_sources& from, const crew& c, unsigned loop) {
  proxy::pool_plan p;
  p.name = c.name();
  p.gate = c.gate();
  p.links = from.front.links_of(loop, c.name());
  p.abandoned_hold = c.settings().settings.abandoned_hold;
  p.duration = from.metrics.histogram(names::batch_duration, {{"pool", p.name}});
  for (std::size_t i = 0; i < proxy::wait_outcomes; ++i)
    p.queue_wait[i] = from.metrics.histogram(
        names::queue_wait,
        {{"pool", p.name},
         {"outcome", std::string(proxy::name(static_cast<proxy::wait_outcome>(i)))}});
  for (std::size_t i = 0; i < proxy::attempt_ends; ++i)
    p.retries[i] = retry_counter(from, p.name, static_cast<core::attempt_end>(i));
  return p;
}

http::edits edits_of(const config::header_edits& e) {
  http::edits out;
  out.set.assign(e.set.begin(), e.set.end());
  out.remove = e.remove;
  return out;
}

proxy::status_set statuses(const std::vector<std::uint16_t>& list) {
  proxy::status_set set;
  for (const std::uint16_t s : list)
    if (s < set.size()) set.set(s);
  return set;
}

proxy::route_plan plan_route(const plan_sources& from, const config::route& r,
                             const proxy::pool_plan* pool) {
  proxy::route_plan p;
  p.settings = r;
  p.pool = pool;
  p.core_route = pool->gate->with(net::loop::read_clock(),
                                  [&](core::pool& c, instant) { return c.route(r.name); });
  p.request_edits = edits_of(r.rewrite.request);
  p.response_edits = edits_of(r.rewrite.response);
  p.busy = statuses(r.busy_statuses);
  p.failure = statuses(r.failure_statuses);
  for (std::size_t i = 0; i < proxy::outcomes; ++i)
    p.batches[i] = from.metrics.counter(
        names::batches, {{"pool", pool->name}, {"route", r.name},
                         {"outcome", std::string(name(static_cast<outcome>(i)))}});
  return p;
}

core::route_match match_of(const config::route& r) {
  return {r.hosts, r.path, r.methods, {r.headers.begin(), r.headers.end()}};
}

}  // namespace

proxy::limit_counters make_limit_counters(registry& metrics) {
  const auto hit = [&](const char* limit) {
    return metrics.counter(names::limit_hits, {{"limit", limit}});
  };
  return {hit("limits.head_bytes_max"),        hit("limits.fields_max"),
          hit("limits.target_bytes_max"),      hit("limits.connections_max"),
          hit("limits.replay_batch_bytes_max"), hit("limits.replay_total_bytes_max"),
          hit("routes.body_max"),              hit("limits.linger_bytes_max"),
          hit("limits.relay_pipes_max"),       hit("limits.interim_responses_max"),
          hit("limits.chunk_line_bytes_max"),   hit("limits.trailer_bytes_max"),
          hit("limits.replay_disk_bytes_max"), hit("replay_dir")};
}

proxy::plan_ptr make_plan(const plan_sources& from, unsigned loop) {
  auto p = std::make_shared<proxy::plan>();
  std::map<std::string, std::size_t> index;
  for (const auto& [pool_name, c] : from.crews) {
    index[pool_name] = p->pools.size();
    p->pools.push_back(plan_pool(from, *c, loop));
  }
  std::vector<core::route_match> matches;
  for (const config::route& r : from.settings.routes) {
    WEIR_CHECK(index.contains(r.pool));   // the reader refuses dangling references
    matches.push_back(match_of(r));
    p->routes.push_back(plan_route(from, r, &p->pools[index[r.pool]]));
  }
  p->router = core::router(std::move(matches));
  p->limits = from.settings.limits;
  p->limits.connections_max = from.connections_max;
  p->head_limits = {p->limits.head_bytes_max, p->limits.fields_max, p->limits.target_bytes_max};
  p->replay = from.replay;
  p->replay_folder = from.replay_folder;
  p->hits = make_limit_counters(from.metrics);
  p->durable = from.durable;
  p->keys = &from.keys;
  p->unrouted = from.metrics.counter(
      names::batches,
      {{"pool", ""}, {"route", ""}, {"outcome", std::string(name(outcome::bad_request))}});
  return p;
}

}  // namespace weir::app
