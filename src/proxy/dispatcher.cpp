#include "proxy/dispatcher.hpp"

#include <algorithm>
#include <utility>

#include "core/durable_end.hpp"
#include "http/lines.hpp"
#include "proxy/ask.hpp"
#include "proxy/attempt.hpp"
#include "proxy/tenants.hpp"
#include "store/batch_ids.hpp"

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;

constexpr base::duration store_pause = 1s;   // before the store is asked again after it failed

store::batch_state next_state(const stored_run& r, bool cut_off) noexcept {
  switch (core::state_after({r.end, r.status, r.verdict, cut_off})) {
    case core::durable_state::waits: return store::batch_state::queued;
    case core::durable_state::succeeded: return store::batch_state::succeeded;
    default: return store::batch_state::failed;
  }
}

std::int64_t to_ms(base::duration d) noexcept {
  return std::chrono::ceil<std::chrono::milliseconds>(d).count();
}

const route_plan* route_of(const plan& p, const run_order& o) {
  const auto same = [&](const route_plan& r) {
    return r.settings.name == o.route && r.pool->gate == o.gate;
  };
  const auto found = std::ranges::find_if(p.routes, same);
  return found == p.routes.end() ? nullptr : &*found;
}

std::string outcome_of(const stored_run& r, fault stopped) {
  if (r.verdict.why == core::refusal::poisoned) return "poisoned";
  return stopped == fault::cancelled ? "cancelled" : std::string(core::name(r.end));
}

}  // namespace

// --- the list of runs ---------------------------------------------------------------------------

dispatcher::run::run(dispatcher& d, run_order o)
    : home(d), order(std::move(o)), plan(d.hall_.plan), tools(plan->durable),
      kept(d.hall_.loop, tools->files),
      timer(&dispatcher::pause_over, this), woken(d.hall_.loop), next(d.runs_), link(&d.runs_) {
  if (next) next->link = &next;
  d.runs_ = this;
}

dispatcher::run::~run() {
  *link = next;
  if (next) next->link = link;
  timer.disarm();
}

void dispatcher::begin(run_order o) {
  net::spawn(serve(std::make_unique<run>(*this, std::move(o))));
}

void dispatcher::interrupt(std::uint64_t owner) {
  for (run* r = runs_; r; r = r->next)
    if (r->order.owner == owner) stop(*r, fault::cancelled);
}

void dispatcher::abort() {
  for (run* r = runs_; r; r = r->next) stop(*r, fault::closing);
}

void dispatcher::stop(run& r, fault why) {
  if (r.stopped == fault::none || why == fault::closing) r.stopped = why;
  if (r.x) r.x->stop(why);
  r.woken.ring();
}

void dispatcher::when_empty(std::function<void()> told) {
  if (empty()) return told();
  emptied_ = std::move(told);
}

// --- a run --------------------------------------------------------------------------------------

net::task<void> dispatcher::serve(std::unique_ptr<run> r) {
  const bool known = co_await attempt_until_over(*r);
  if (known) r->tools->room.ended(r->order.owner, r->order.id);
  r.reset();
  if (empty() && emptied_) std::exchange(emptied_, nullptr)();
}

// True: the batch has ended, or cannot go on from here. Else it waits again.
net::task<bool> dispatcher::attempt_until_over(run& r) {
  for (;;) {
    store::batch what;
    const bool opened = co_await open(r, what);
    if (!opened) co_return false;
    core::grant next;
    const bool at_once = co_await send(r, what, next);
    store::finished_attempt how = co_await result_of(r, what);
    const store::batch_state then = how.next;
    r.order.tries = how.tries;
    const bool written = co_await write_down(r, std::move(how));
    if (then != store::batch_state::queued) co_return true;
    if (!written) {   // the pool may have it still, or has granted it again
      r.tools->room.leave(r.order);
      co_return false;
    }
    if (!at_once) {
      const bool waits = r.kept.verdict.what == core::verdict::kind::waiting;
      if (waits) r.tools->room.waits_again(r.order);
      else r.tools->room.put_back(r.order, {});   // its pool was closed: a reload, or weir ends
      co_return false;
    }
    r.order.grant = next;
  }
}

// The attempt's number, and the batch itself. False: nothing was opened, and the grant is given
// back.
net::task<bool> dispatcher::open(run& r, store::batch& what) {
  r.route = route_of(*r.plan, r.order);
  const target_ptr to = r.route ? r.route->pool->links->target(r.order.grant.worker) : nullptr;
  if (r.stopped != fault::none || !to) {
    // The worker, or the route, was just removed: it goes where its route is now.
    const bool later = r.stopped == fault::none;
    later ? r.tools->room.put_back(r.order, {}) : r.tools->room.leave(r.order);
    co_return false;
  }
  r.began_ms = hall_.wall_ms();
  auto start = [&](store::done<store::opened_attempt> told) {
    r.tools->engine.open_attempt(r.order.id, to->name, r.began_ms, std::move(told));
  };
  auto got = co_await ask<store::opened_attempt>(hall_.loop, start);
  if (!got) {
    refuse_opening(r, got.error());
    co_return false;
  }
  r.kept.number = got->number;
  what = std::move(got->what);
  const bool readable = co_await open_body(r, what, to->name);
  co_return readable;
}

// Cancelled, damaged or dropped meanwhile: nobody has to run it. A store that fails is asked again.
void dispatcher::refuse_opening(run& r, const store::failure& why) {
  if (store::may_pass(why)) return r.tools->room.put_back(r.order, store_pause);
  r.tools->room.leave(r.order);
}

// A long body's file, checked whole: a worker must not get what was not sent.
net::task<bool> dispatcher::open_body(run& r, const store::batch& what,
                                      const std::string& worker) {
  r.body = {};
  if (what.body.spool == 0) co_return true;
  auto check = [&]() -> store::outcome<store::file> {
    if (auto sound = r.tools->bodies->verify(what.body); !sound) return sound.error();
    return r.tools->bodies->open(what.body);
  };
  auto opened = co_await r.tools->files.run(hall_.loop, check);
  if (opened) {
    r.body = std::move(*opened);
    co_return true;
  }
  const store::failure why = opened.error();
  if (store::may_pass(why)) co_await postpone(r, worker, why);
  else co_await condemn(r, !what.callback.empty(), why);
  co_return false;
}

// The disk fails now, but the body may be sound: the attempt ends before it began.
net::task<void> dispatcher::postpone(run& r, const std::string& worker, store::failure why) {
  store::finished_attempt how;
  how.id = r.order.id;
  how.note = {r.kept.number,   worker, r.began_ms, hall_.wall_ms(),
              std::string(core::name(core::attempt_end::client_fault)), std::move(why.detail)};
  how.next = store::batch_state::queued;
  how.tries = r.order.tries;
  how.not_before = hall_.wall_ms() + to_ms(store_pause);
  const bool written = co_await write_down(r, std::move(how));
  if (written) r.tools->room.put_back(r.order, store_pause);
  else r.tools->room.leave(r.order);
}

// A dead letter: what the client sent is not there any more.
net::task<void> dispatcher::condemn(run& r, bool tells, store::failure why) {
  auto start = [&](store::done<void> told) {
    r.tools->engine.give_up(r.order.id, "damaged", why.detail, hall_.wall_ms(), tells,
                            std::move(told));
  };
  const auto given_up = co_await ask<void>(hall_.loop, start);
  if (!given_up && store::may_pass(given_up.error()))
    co_return r.tools->room.put_back(r.order, store_pause);
  r.tools->room.leave(r.order);
  r.tools->room.given_up(r.order.id, tells && given_up);
}

// True: `next` is a grant to go on with at once.
net::task<bool> dispatcher::send(run& r, const store::batch& what, core::grant& next) {
  r.x = hall_.take_exchange();
  prepare(r, what);
  if (r.stopped != fault::none) r.x->stop(r.stopped);
  attempt_next then;
  {
    attempt a(*r.x, r.order.grant);
    then = co_await a.run(next);
  }
  co_return then == attempt_next::granted;
}

void dispatcher::prepare(run& r, const store::batch& what) {
  exchange& x = *r.x;
  const instant now = hall_.loop.now();
  r.kept.begin(*r.tools->bodies,
               {r.plan->limits.inline_bytes_max, r.plan->limits.result_bytes_max});
  x.begin(r.kept, r.timer, now);
  x.plan = r.plan;
  x.route = r.route;
  x.batch = r.order.grant.batch;
  x.method = what.method;
  x.target = what.target;
  x.tenant = what.tenant;
  x.group = http::value_of(http::line_of(what.fields, group_field));
  x.cost = what.cost;
  x.id = store::hex_of(what.id);
  x.has_key = true;
  x.is_head = what.method == "HEAD";
  x.request_head = what.fields;
  x.upload.kind = what.body.size > 0 ? http::body_kind::length : http::body_kind::none;
  x.upload.left = what.body.bytes.size();
  x.upload.buffered = what.body.bytes;
  x.upload.finished = what.body.bytes.empty();
  r.kept.request = {};
  if (r.body) r.kept.request = {r.body.descriptor(), 0, what.body.size};
  const auto& t = x.route_settings().timeout;
  x.deadlines.begin({t.connect, t.progress, t.response, t.total}, now);
  r.timer.set_action(&exchange::timer_fired, &x);
  x.arm();
}

// What the store is told; the answer's file is durable before it is named.
net::task<store::finished_attempt> dispatcher::result_of(run& r, const store::batch& what) {
  const exchange& x = *r.x;
  stored_run& kept = r.kept;
  const bool cut_off = x.stop_reason() == fault::closing;
  store::finished_attempt how;
  how.id = r.order.id;
  how.note = {kept.number,      x.worker, r.began_ms, hall_.wall_ms(),
              outcome_of(kept, x.stop_reason()), kept.detail};
  how.next = next_state(kept, cut_off);
  how.tries = cut_off ? r.order.tries : kept.verdict.tries;
  how.not_before = hall_.wall_ms() + to_ms(kept.verdict.delay);
  if (how.next != store::batch_state::queued) record(*r.x);
  r.timer.set_action(&dispatcher::pause_over, &r);
  r.timer.disarm();
  hall_.give_back(std::move(r.x));
  how.tells = !what.callback.empty();
  if (how.next == store::batch_state::queued || kept.status == 0) co_return how;
  store::response answer{static_cast<std::uint16_t>(kept.status), how.note.worker, kept.fields, {}};
  auto body = co_await kept.body.finish();
  if (body && !kept.body.too_large()) {
    answer.body = std::move(*body);
    how.answer = std::move(answer);
    co_return how;
  }
  how.note.detail += body ? "; its answer was larger than limits.result_bytes_max and is not kept"
                          : "; its answer could not be kept: " + body.error().detail;
  co_return how;
}

// Until it is durable; only a shutdown goes before that, and then the attempt counts as cut off.
net::task<bool> dispatcher::write_down(run& r, store::finished_attempt how) {
  for (;;) {
    auto start = [&](store::done<void> told) {
      r.tools->engine.end_attempt(how, std::move(told));
    };
    const auto written = co_await ask<void>(hall_.loop, start);
    if (written) co_return true;
    if (!store::may_pass(written.error()) || r.stopped == fault::closing) co_return false;
    co_await pause(r, store_pause);
  }
}

net::task<void> dispatcher::pause(run& r, base::duration how_long) {
  hall_.loop.timers().arm(r.timer, base::after(hall_.loop.now(), how_long));
  co_await r.woken;
}

void dispatcher::pause_over(void* context) { static_cast<run*>(context)->woken.ring(); }

}  // namespace weir::proxy
