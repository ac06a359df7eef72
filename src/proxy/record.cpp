// What remains of a batch: its counters, its durations, its line in the access log.
#include "proxy/batches.hpp"
#include "proxy/session.hpp"

namespace weir::proxy {
namespace {

using telemetry::outcome;

std::string_view reason_of(const exchange& x) {
  return x.failed == fault::none ? std::string_view{} : describe(x.failed).type;
}

void fill_times(const exchange& x, telemetry::access_record& r) {
  const instant now = x.in.loop.now();
  r.accept = x.head_read - x.began;
  r.total = now - x.began;
  if (!x.route) return;
  r.queue = x.queued;
  if (!x.attempts) return;
  r.attempt = now - x.granted_last;
  r.connect = x.connect_time;
  if (x.first_byte > x.sent_last) r.first_byte = x.first_byte - x.sent_last;
}

void fill_names(const exchange& x, telemetry::access_record& r) {
  if (x.owner) {
    r.listener = x.owner->listener().settings.name;
    r.client = x.owner->peer();
    r.tls = x.owner->listener().tls != nullptr;
  }
  r.reused = x.reused_connection;
  r.tenant = x.tenant;
  r.group = x.group;
  r.cost = x.cost;
  r.worker = x.worker;
  if (!x.route) return;
  r.batch = x.batch_id();
  r.route = x.route_settings().name;
  r.pool = x.route->pool->name;
}

void write_line(const exchange& x, outcome how) {
  telemetry::access_record r;
  r.unix_ms = x.began_unix_ms;
  // Of a head that was refused its parts are only where it was read, as far as that got.
  const bool bad_head = x.method.empty() && x.failed >= fault::bad_request &&
                        x.failed <= fault::bad_expectation;
  r.method = bad_head ? x.head.method : std::string_view(x.method);
  r.host = bad_head ? x.head.authority : std::string_view(x.host);
  r.target = bad_head ? x.head.target : std::string_view(x.target);
  r.status = x.status;
  r.request_body_bytes = x.upload.taken;
  r.response_body_bytes = x.response_bytes;
  r.attempts = x.attempts;
  if (x.retried_for != core::attempt_end::succeeded) r.retried = core::name(x.retried_for);
  r.outcome = how;
  r.reason = reason_of(x);
  fill_names(x, r);
  fill_times(x, r);
  x.in.log->offer(x.in.shard, r);
}

const counter_ptr* limit_of(const exchange& x) {
  switch (x.failed) {
    case fault::head_too_large:
      return x.head.fields.size() < x.plan->head_limits.fields_max ? &x.plan->hits.head_bytes
                                                                   : &x.plan->hits.fields;
    case fault::target_too_long: return &x.plan->hits.target_bytes;
    default: return nullptr;
  }
}

}  // namespace

std::string_view name(wait_outcome w) noexcept {
  switch (w) {
    case wait_outcome::granted: return "granted";
    case wait_outcome::refused: return "refused";
    case wait_outcome::expired: return "expired";
    case wait_outcome::client_gone: return "client_gone";
  }
  return "";
}

void record(exchange& x) {
  const outcome good = x.accepted ? outcome::accepted : outcome::ok;
  const outcome how = x.failed == fault::none ? good : describe(x.failed).outcome;
  if (x.route) {
    x.route->batches[static_cast<std::size_t>(how)]->add(x.in.shard);
    x.route->pool->duration->observe(x.in.shard, x.in.loop.now() - x.head_read);
  } else if (x.failed != fault::none || !x.head.path.starts_with(own_prefix)) {
    x.plan->unrouted->add(x.in.shard);
  }
  if (const counter_ptr* hit = limit_of(x)) (*hit)->add(x.in.shard);
  if (x.in.log) write_line(x, how);
}

}  // namespace weir::proxy
