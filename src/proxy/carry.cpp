// The way of a batch through the proxy: route, admit, wait for a slot, attempt until it is
// answered.
#include <algorithm>
#include <cctype>

#include "http/structured.hpp"
#include "proxy/attempt.hpp"
#include "proxy/batches.hpp"
#include "proxy/intake.hpp"
#include "proxy/keyed.hpp"
#include "proxy/later.hpp"
#include "proxy/session.hpp"

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;

constexpr base::duration own_time = 30s;   // for a client's request to weir itself

core::batch_facts facts_of(const exchange& x, const intake& read) {
  core::batch_facts f;
  f.owner = x.owner_number;
  f.route = x.route->core_route;
  f.tenant = x.tenant;
  f.tenant_hash = read.tenant_hash;
  f.label = x.batch_id();
  f.units = read.units;
  f.affinity = read.affinity;
  f.group = read.group;
  f.held_bytes = x.upload.buffered.size();
  f.urgency = read.urgency;
  f.wait_max = x.route_settings().timeout.queue;
  f.client_deadline = read.deadline;
  f.retry = x.route_settings().retry;
  return f;
}

void observe_wait(exchange& x, wait_outcome how, instant since) {
  const base::duration waited = x.in.loop.now() - since;
  x.queued += waited;
  x.route->pool->queue_wait[static_cast<std::size_t>(how)]->observe(x.in.shard, waited);
}

bool can_serve(exchange& x) {
  return x.route->pool->gate->with(x.in.loop.now(),
                                   [](core::pool& p, instant) { return p.can_serve(); });
}

bool is_paused(exchange& x) {
  return x.route->pool->gate->with(x.in.loop.now(),
                                   [](core::pool& p, instant) { return p.paused(); });
}

std::string absence(exchange& x) {
  return x.route->pool->gate->with(x.in.loop.now(),
                                   [](core::pool& p, instant) { return p.absence(); });
}

std::string why_refused(core::refusal why, exchange& x) {
  const std::string& pool = x.route->pool->name;
  switch (why) {
    case core::refusal::queue_full:
      return "pool '" + pool + "' holds as many waiting batches as queue.max_batches allows; send "
             "it again after Retry-After";
    case core::refusal::queue_bytes_full:
      return "pool '" + pool +
             "' holds as many bytes of waiting batches as queue.max_bytes allows; "
             "send it again after Retry-After";
    case core::refusal::tenant_full:
      return "the batch's tenant has as many batches waiting in pool '" + pool + "' as max_batches "
             "in queue.tenants or queue.tenant_defaults allows, other tenants are not affected; "
             "send it again after Retry-After";
    case core::refusal::deadline:
      return "the batch's Weir-Deadline cannot be met by pool '" + pool + "' with the work that is "
             "before it; allow more time, or send it again after Retry-After";
    case core::refusal::wait_expired:
      return "no slot of pool '" + pool + "' became free within the smaller of queue.max_wait and "
             "the route's timeout.queue; send it again after Retry-After";
    case core::refusal::no_worker:
      return "pool '" + pool + "' has no worker and none can come; add one or configure autoscale";
    case core::refusal::no_worker_up:
      return "no worker of pool '" + pool + "' was up as long as the batch could wait (" +
             absence(x) + "); send it again after Retry-After";
    case core::refusal::retries_exhausted:
      return "every attempt that the route's retry settings allow has failed";
    case core::refusal::retry_budget:
      return "the attempt failed, and the pool's retry_budget was used up";
    case core::refusal::poisoned:
      return "the batch failed on workers on which others succeeded meanwhile";
    case core::refusal::cancelled: return "the batch was cancelled through the admin API";
    case core::refusal::closing: return "weir is shutting down; send it to another instance";
    case core::refusal::none: break;
  }
  return {};
}

// A wait that is over is the pause's doing, whatever else there is, while the pool is paused.
std::string why_not_in_time(core::refusal why, bool unreached, exchange& x) {
  const std::string pool = "pool '" + x.route->pool->name + "'";
  if (is_paused(x))
    return pool + " is paused by an operator, and was as long as the batch could wait; send it "
           "again after Retry-After";
  if (unreached)
    return "no worker of " + pool + " took a connection as long as the batch could wait; send it "
           "again after Retry-After";
  return why_refused(why, x);
}

// Always false: there is no slot.
net::task<bool> refuse(exchange& x, core::refusal why, base::duration retry_after,
                       std::string detail = {}) {
  x.batch = {};
  const bool over = why == core::refusal::wait_expired || why == core::refusal::no_worker_up;
  // Workers that refuse connections may not have been found out yet: none could be reached.
  const bool unreached =
      why == core::refusal::wait_expired && x.retried_for == core::attempt_end::connect_failed;
  const bool serves = why != core::refusal::wait_expired || (!unreached && can_serve(x));
  if (detail.empty()) detail = over ? why_not_in_time(why, unreached, x) : why_refused(why, x);
  co_await answer(x, fault_of(why, serves), std::move(detail), retry_after);
  co_return false;
}

// The batch's wait is over without a grant: its own doing, a limit's, or the pool's.
net::task<void> leave_queue(exchange& x, instant since) {
  if (x.cell.now == verdict_cell::state::evicted) {
    const bool expired = x.cell.why == core::refusal::wait_expired;
    observe_wait(x, expired ? wait_outcome::expired : wait_outcome::refused, since);
    std::string detail;
    if (x.cell.why == core::refusal::deadline)
      detail = "the batch's Weir-Deadline passed while it waited for a slot of pool '" +
               x.route->pool->name + "'";
    co_await refuse(x, x.cell.why, x.cell.retry_after, std::move(detail));
    co_return;
  }
  x.route->pool->gate->cancel(x.batch, x.in.loop.now());
  x.batch = {};
  const bool gone = x.stop_reason() == fault::client_gone;
  observe_wait(x, gone ? wait_outcome::client_gone : wait_outcome::expired, since);
  co_await answer(x, x.stop_reason(), "the batch waited for a slot until timeout.total passed", {});
}

net::task<bool> wait_for_grant(exchange& x, core::grant& grant) {
  const instant since = x.in.loop.now();
  const bool unused = x.upload.buffered.empty() && x.whole_body.empty();
  if (unused && x.route_settings().rewrite.preserve_host) x.input.release();
  co_await x.cell.settled;
  if (x.cell.now == verdict_cell::state::granted) {
    observe_wait(x, wait_outcome::granted, since);
    grant = x.cell.grant;
    co_return true;
  }
  co_await leave_queue(x, since);
  co_return false;
}

net::task<void> attempt_until_done(exchange& x, core::grant grant) {
  for (;;) {
    attempt_next then;
    {
      attempt a(x, grant);
      then = co_await a.run(grant);
    }
    if (then == attempt_next::finished) co_return;
    if (then == attempt_next::granted) continue;
    const bool granted = co_await wait_for_grant(x, grant);
    if (!granted) co_return;
  }
}

// True: `grant` is the batch's grant. Else the batch was answered.
net::task<bool> admit(exchange& x, const intake& read, core::grant& grant) {
  const instant now = x.in.loop.now();
  x.admitted = now;
  const core::admission a = x.route->pool->gate->admit(facts_of(x, read), now);
  if (a.what == core::admission::kind::refused) {
    observe_wait(x, wait_outcome::refused, now);
    const bool late = a.why == core::refusal::deadline && read.deadline <= now;
    return refuse(x, a.why, a.retry_after,
                  late ? "the batch's Weir-Deadline had passed when it came" : "");
  }
  x.batch = a.batch;
  if (a.what != core::admission::kind::granted) return wait_for_grant(x, grant);
  observe_wait(x, wait_outcome::granted, now);
  grant = a.grant;
  return net::task<bool>::ready(true);
}

// From here on the client's leaving, the clock and grants find the batch.
void enter(exchange& x, const core::time_limits& limits) {
  x.deadlines.begin(limits, x.in.loop.now());
  x.timer->set_action(&exchange::timer_fired, &x);
  x.arm();
  x.client->on_departure(&exchange::client_departed, &x);
  x.owner_number = x.in.waiting.enter(x.cell);
  if (x.client->peer_closed() || x.client->broken()) exchange::client_departed(&x);
}

void leave(exchange& x) {
  x.in.waiting.leave(x.owner_number);
  x.client->on_departure(nullptr, nullptr);
}

core::time_limits limits_of(const config::route& r) {
  return {r.timeout.connect, r.timeout.progress, r.timeout.response, r.timeout.total};
}

// The first with its key.
net::task<void> carry_keyed(exchange& x, const intake& read) {
  keyed_run run;
  const bool claimed = co_await claim_key(x, read, run);
  if (!claimed) co_return;
  core::grant grant;
  const bool granted = co_await admit(x, read, grant);
  if (granted) co_await attempt_until_done(x, grant);
  settle_key(x, run);
}

net::task<void> carry_own(exchange& x) {
  take_own(x);
  enter(x, {own_time, own_time, own_time, own_time});
  co_await serve_own(x);
  leave(x);
}

}  // namespace

net::task<void> carry(exchange& x) {
  if (x.head.path.starts_with(own_prefix)) {
    co_await carry_own(x);
    co_return;
  }
  intake read;
  if (!take_in(x, read)) {
    co_await answer(x, read.bad, std::move(read.detail), base::duration{});
    co_return;
  }
  enter(x, limits_of(x.route_settings()));
  if (x.stopped()) {
    co_await answer(x, x.stop_reason(), {}, {});
  } else if (read.later) {
    co_await take_for_later(x, read);
  } else if (x.has_key && x.plan->keys) {
    co_await carry_keyed(x, read);
  } else {
    core::grant grant;
    const bool granted = co_await admit(x, read, grant);
    if (granted) co_await attempt_until_done(x, grant);
  }
  leave(x);
}

}  // namespace weir::proxy
