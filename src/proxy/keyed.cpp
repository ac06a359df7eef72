#include "proxy/keyed.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "proxy/ask.hpp"
#include "store/batch_ids.hpp"
#include "proxy/own_answer.hpp"
#include "proxy/session.hpp"
#include "store/checksum.hpp"

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;
using kind = store::key_record::kind;

constexpr base::duration first_look = 20ms, longest_look = 1s;   // while the first request runs
// An answer reaches its client a moment before it is kept: who asks again at once gets it too.
constexpr base::duration being_kept = 60ms;

void look_again(void* context) { static_cast<exchange*>(context)->cell.settled.ring(); }

net::task<store::outcome<store::key_record>> ask_for(exchange& x, const store::digest& scope) {
  auto start = [&x, scope](store::done<store::key_record> told) {
    x.plan->keys->claim_key(scope, x.in.wall_ms(), std::move(told));
  };
  return ask<store::key_record>(x.in.loop, start);
}

// Until the first request with the key has ended, or that long. The client's leaving and
// timeout.queue end it sooner.
net::task<store::outcome<store::key_record>> wait_for_first(exchange& x, const store::digest& scope,
                                                            base::duration most) {
  const instant until = base::after(x.in.loop.now(), most);
  base::duration look = first_look;
  for (;;) {
    x.timer->set_action(&look_again, &x);
    x.in.loop.timers().arm(*x.timer, base::after(x.in.loop.now(), look));
    co_await x.cell.settled;
    auto got = co_await ask_for(x, scope);
    const bool runs = got && got->what == kind::running;
    if (!runs || x.stopped() || x.in.loop.now() >= until) co_return got;
    look = std::min(2 * look, longest_look);
  }
}

// The body of a request that is not carried on is read all the same: it tells whether it is the
// one that the key belongs to.
net::task<void> answer_repeated(exchange& x, const store::key_record& known) {
  fingerprint_keeper print;
  print.print.part(x.method).part(x.target);
  const fault bad = co_await read_body(x, &print);
  if (bad != fault::none) {
    co_await answer(x, bad, {}, {});
    co_return;
  }
  if (print.print.value() != known.fingerprint) {
    co_await answer(x, fault::key_mismatch,
                    "this Idempotency-Key was used for a request with another target, method or "
                    "body; use a new key",
                    {});
    co_return;
  }
  if (known.what == kind::finished) {
    co_await answer_kept(x, known.answer, "Idempotent-Replayed: true\r\n", x.plan->durable);
    co_return;
  }
  const auto id = store::hex_of(known.id);
  co_await answer(x, fault::key_taken,
                  "the key belongs to the asynchronous batch /_weir/batches/" +
                      std::string(id.data(), id.size()) + "; its result is there",
                  {});
}

}  // namespace

net::task<bool> claim_key(exchange& x, const intake& read, keyed_run& run) {
  run.scope = key_scope(x.route_settings().name, x.tenant, read.key);
  run.request.print.part(x.method).part(x.target);
  run.answer.bytes_max = x.route_settings().idempotency.answer_bytes_max;
  auto got = co_await ask_for(x, run.scope);
  if (got && got->what == kind::running) {
    const auto action = x.route_settings().idempotency.on_running;
    const bool waits = action == config::running_key_action::wait;
    const base::duration most = waits ? x.route_settings().timeout.queue : being_kept;
    got = co_await wait_for_first(x, run.scope, most);
    x.timer->set_action(&exchange::timer_fired, &x);
    x.arm();
  }
  if (!got) {
    const bool full = got.error().what == store::trouble::full;
    co_await answer(x, full ? fault::disk_full : fault::store_failed, got.error().detail, 5s);
    co_return false;
  }
  if (got->what == kind::fresh && !x.stopped()) {
    x.keyed = &run;
    co_return true;
  }
  if (x.stopped()) {
    if (got->what == kind::fresh) x.plan->keys->release_key(run.scope);
    co_await answer(x, x.stop_reason(), {}, {});
    co_return false;
  }
  if (got->what == kind::running) {
    co_await answer(x, fault::key_running,
                    "the first request with this Idempotency-Key has not ended; send it again "
                    "after Retry-After",
                    1s);
    co_return false;
  }
  co_await answer_repeated(x, *got);
  co_return false;
}

// Answers that say "try again" are not kept, nor one that the client's body did not fully lead to.
void settle_key(exchange& x, keyed_run& run) {
  x.keyed = nullptr;
  const bool final_answer = run.status >= 200 && run.status < 500 && run.status != 408 &&
                            run.status != 425 && run.status != 429;
  const bool whole = x.failed == fault::none || x.failed == fault::client_gone;
  if (!final_answer || !whole || !run.whole || run.answer.too_large || !x.upload.complete())
    return x.plan->keys->release_key(run.scope);
  store::response r;
  r.status = static_cast<std::uint16_t>(run.status);
  r.worker = x.worker;
  r.fields = std::move(run.fields);
  r.body.size = run.answer.text.size();
  r.body.crc = store::checksum().bytes(run.answer.text).value();
  r.body.bytes = std::move(run.answer.text);
  x.plan->keys->settle_key({run.scope, run.request.print.value()}, std::move(r), x.in.wall_ms(),
                           [](store::outcome<void>) {});
}

}  // namespace weir::proxy
