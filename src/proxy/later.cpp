#include "proxy/later.hpp"

#include <algorithm>
#include <utility>

#include "http/forward.hpp"
#include "http/lines.hpp"
#include "proxy/ask.hpp"
#include "proxy/backroom.hpp"
#include "store/batch_ids.hpp"
#include "proxy/batch_json.hpp"
#include "proxy/body_gatherer.hpp"
#include "proxy/fingerprint.hpp"
#include "proxy/keyed_run.hpp"
#include "proxy/own_answer.hpp"
#include "proxy/session.hpp"
#include "proxy/tenants.hpp"

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;

constexpr base::duration disk_retry_after = 30s;   // of a 507

// Room on disk in the pool's books; given back unless the batch was stored.
class reservation {
 public:
  explicit reservation(pool_gate& gate) : gate_(gate) {}
  reservation(const reservation&) = delete;
  reservation& operator=(const reservation&) = delete;
  ~reservation() {
    if (!held_) return;
    gate_.with(net::loop::read_clock(),
               [this](core::pool& p, instant) { p.release_durable(bytes_); });
  }

  core::refusal take(std::uint64_t bytes, instant now, instant deadline) {
    const core::refusal why = gate_.with(now, [&](core::pool& p, instant t) {
      return p.reserve_durable(bytes, t, deadline);
    });
    held_ = why == core::refusal::none;
    bytes_ = bytes;
    return why;
  }
  void used() noexcept { held_ = false; }

 private:
  pool_gate& gate_;
  std::uint64_t bytes_ = 0;
  bool held_ = false;
};

// Told once when the batch ends, from before it was stored; the exchange goes on then.
class end_watch {
 public:
  end_watch(exchange& x, const store::batch_id& id)
      : room_(x.plan->durable->room), id_(id), there_(std::make_shared<exchange*>(&x)) {
    number_ = room_.when_ended(id, [there = there_, &home = x.in.loop] {
      home.post([there] {
        if (!*there) return;
        (*there)->cell.settled.ring();
        *there = nullptr;
      });
    });
  }
  end_watch(const end_watch&) = delete;
  end_watch& operator=(const end_watch&) = delete;
  ~end_watch() {
    *there_ = nullptr;
    room_.forget(id_, number_);
  }
  bool ended() const noexcept { return !*there_; }

 private:
  backroom& room_;
  store::batch_id id_;
  std::shared_ptr<exchange*> there_;
  backroom::watch number_ = 0;
};

fault fault_of_store(const store::failure& f) noexcept {
  switch (f.what) {
    case store::trouble::full: return fault::disk_full;
    case store::trouble::conflict: return fault::key_mismatch;
    case store::trouble::closed: return fault::closing;
    default: return fault::store_failed;
  }
}

std::string why_not_stored(fault what) {
  switch (what) {
    case fault::disk_full:
      return "there is no room on the disk of state_dir; send it again after Retry-After, or free "
             "some";
    case fault::key_mismatch:
      return "this Idempotency-Key was used for a request with another target, method or body; "
             "use a new key";
    case fault::closing: return "weir is shutting down; send it to another instance";
    default: return "the store in state_dir failed; its log says why. Send it again";
  }
}

// The head that every attempt sends. Its framing comes when the body's size is known.
void write_stored_head(exchange& x) {
  for (http::field& f : x.head.fields)
    if (f.known == http::field_name::prefer) f.hop_by_hop = true;   // it was for weir
  x.head.body = http::body_kind::none;
  x.needs_key = !x.has_key;
  const bool preserve = x.route_settings().rewrite.preserve_host;
  write_forwarded_head(x, preserve ? std::string_view{} : std::string_view{"worker"});
}

store::batch describe(exchange& x, const intake& read, store::payload body, bool has_body) {
  store::batch b;
  b.id = *store::parse_batch_id(x.batch_id());
  b.pool = x.route->pool->name;
  b.route = x.route_settings().name;
  b.tenant = x.tenant;
  b.key = x.has_key ? read.key : std::string(x.batch_id());
  b.method = x.method;
  b.target = x.target;
  b.fields = std::move(x.request_head);
  if (has_body)
    b.fields += "Content-Length: " + std::to_string(body.size) + "\r\n";
  const bool by_bytes = x.route_settings().cost.kind == config::cost_kind::bytes;
  b.cost = by_bytes ? static_cast<double>(body.size) : read.units;
  b.urgency = read.urgency;
  b.callback = read.callback;
  b.created = b.changed = x.began_unix_ms;
  if (read.deadline != base::never) {
    const base::duration left = read.deadline - x.in.loop.now();
    b.deadline = x.in.wall_ms() + std::chrono::ceil<std::chrono::milliseconds>(left).count();
  }
  b.body = std::move(body);
  return b;
}

// All that core's facts need of its fields.
std::string lines_for_waiting(const exchange& x, const store::batch& b) {
  std::string lines(http::line_of(b.fields, group_field));
  const config::affinity_source& by = x.route_settings().affinity;
  if (by.kind == config::affinity_kind::header) lines += http::line_of(b.fields, by.header);
  return lines;
}

// What waits for a slot: its body is in the store.
std::shared_ptr<store::batch> without_body(const exchange& x, store::batch& b) {
  std::string bytes = std::exchange(b.body.bytes, {});
  auto light = std::make_shared<store::batch>(b);
  b.body.bytes = std::move(bytes);
  light->fields = lines_for_waiting(x, b);
  return light;
}

// On the engine's thread the batch begins to wait, in the order of the store.
net::task<store::outcome<store::added>> store_batch(exchange& x, store::batch b,
                                                    std::optional<store::key_claim> key) {
  durable_tools& tools = *x.plan->durable;
  const auto light = without_body(x, b);
  auto start = [&tools, b = std::move(b), key, light](store::done<store::added> told) mutable {
    tools.engine.add(std::move(b), key,
                     [light, &room = tools.room, told = std::move(told)](
                         store::outcome<store::added> got) {
                       if (got && !got->known) room.arrived(*light, *got);
                       told(std::move(got));
                     });
  };
  return ask<store::added>(x.in.loop, std::move(start));
}

void wait_is_over(void* context) { static_cast<exchange*>(context)->cell.settled.ring(); }

// True: the batch ended within the time that the client wants to wait.
net::task<bool> wait_for_end(exchange& x, const end_watch& watch, base::duration how_long) {
  x.timer->set_action(&wait_is_over, &x);
  x.in.loop.timers().arm(*x.timer, base::after(x.in.loop.now(), how_long));
  co_await x.cell.settled;
  co_return watch.ended();
}

std::string location_lines(const exchange& x, const store::batch_id& id) {
  const auto hex = store::hex_of(id);
  std::string lines = "Location: /_weir/batches/";
  lines.append(hex.data(), hex.size()).append("\r\n");
  if (x.prefers_async) lines.append("Preference-Applied: respond-async\r\n");
  return lines;
}

net::task<void> answer_accepted(exchange& x, const store::batch_id& id,
                                store::batch_state state = store::batch_state::queued) {
  const auto hex = store::hex_of(id);
  std::string lines = location_lines(x, id).append("Weir-Batch-Id: ");
  lines.append(hex.data(), hex.size()).append("\r\n");
  return answer_json(x, 202, std::move(lines), accepted_json(id, state));
}

// What a synchronous client would have got; its lines have the batch's id already.
net::task<void> answer_ended(exchange& x, const store::batch_id& id) {
  durable_tools& tools = *x.plan->durable;
  const auto hex = store::hex_of(id);
  auto start = [&](store::done<store::response> told) {
    tools.engine.response_of(id, std::move(told));
  };
  const auto got = co_await ask<store::response>(x.in.loop, start);
  if (got) {
    co_await answer_kept(x, *got, location_lines(x, id), &tools);
    co_return;
  }
  if (got.error().what != store::trouble::not_found) {   // it may be readable later
    co_await answer_accepted(x, id);
    co_return;
  }
  co_await answer(x, fault::retries_exhausted,
                  "the batch has ended without an answer to relay; see /_weir/batches/" +
                      std::string(hex.data(), hex.size()),
                  {});
}

// Its key has a batch already: what became of that one.
net::task<void> answer_known(exchange& x, const store::batch_id& id,
                             std::optional<base::duration> wait) {
  durable_tools& tools = *x.plan->durable;
  const end_watch watch(x, id);
  auto start = [&](store::done<store::batch> told) {
    tools.engine.find(id, false, std::move(told));
  };
  const auto b = co_await ask<store::batch>(x.in.loop, start);
  if (!b && b.error().what == store::trouble::not_found) {
    co_await answer(x, fault::result_gone,
                    "the batch of this Idempotency-Key has ended and is no longer kept "
                    "(retention.results, or it was dropped); to run it again use a new key",
                    {});
    co_return;
  }
  if (!b && b.error().what != store::trouble::damaged) {
    const fault what = fault_of_store(b.error());
    co_await answer(x, what, why_not_stored(what), disk_retry_after);
    co_return;
  }
  store::batch_state state = b ? b->state : store::batch_state::damaged;
  bool ended = !store::is_open(state);
  if (!ended && wait) ended = co_await wait_for_end(x, watch, *wait);
  if (ended && wait) {
    co_await answer_ended(x, id);
    co_return;
  }
  co_await answer_accepted(x, id, state);
}

std::string why_no_room(core::refusal why, const exchange& x) {
  const std::string pool = "pool '" + x.route->pool->name + "'";
  if (why == core::refusal::closing) return "weir is shutting down; send it to another instance";
  if (why == core::refusal::deadline) return "its Weir-Deadline has passed already";
  return pool + " has as many asynchronous batches as queue.durable." +
         (why == core::refusal::queue_full ? "max_batches" : "max_bytes") +
         " allows; send it again after Retry-After";
}

net::task<bool> refuse_room(exchange& x, core::refusal why) {
  const double drain = x.route->pool->gate->with(
      x.in.loop.now(), [](core::pool& p, instant t) { return p.view(t).drain_seconds; });
  const base::duration again = std::clamp<base::duration>(base::from_seconds(drain), 1s, 60s);
  co_await answer(x, fault_of(why, true), why_no_room(why, x), again);
  co_return false;
}

net::task<bool> find_room(exchange& x, reservation& room, std::uint64_t bytes,
                          instant deadline) {
  const core::refusal why = room.take(bytes, x.in.loop.now(), deadline);
  if (why == core::refusal::none) return net::task<bool>::ready(true);
  return refuse_room(x, why);
}

// The body, whole and checked. Nothing: the client was answered.
net::task<std::optional<store::payload>> gather(exchange& x, fingerprint_keeper& print,
                                                body_gatherer& body) {
  durable_tools& tools = *x.plan->durable;
  body.begin(*tools.bodies, {x.plan->limits.inline_bytes_max, ~std::uint64_t{0}});
  print.next = &body;
  const fault bad = co_await read_body(x, &print);
  if (bad != fault::none) {
    co_await answer(x, bad, {}, {});
    co_return std::nullopt;
  }
  auto done = co_await body.finish();
  if (done) co_return std::move(*done);
  const fault what = fault_of_store(done.error());
  co_await answer(x, what, why_not_stored(what), disk_retry_after);
  co_return std::nullopt;
}

void forget_body(durable_tools& tools, std::uint64_t spool) {
  if (spool == 0) return;
  tools.files.post([&tools, spool] { (void)tools.bodies->remove(spool); });
}

}  // namespace

net::task<void> take_for_later(exchange& x, intake& read) {
  durable_tools& tools = *x.plan->durable;
  reservation room(*x.route->pool->gate);
  const bool announced = x.upload.kind == http::body_kind::length;
  const bool has_body = x.upload.kind != http::body_kind::none;
  if (announced) {
    const bool fits = co_await find_room(x, room, x.upload.left, read.deadline);
    if (!fits) co_return;
  }
  write_stored_head(x);
  fingerprint_keeper print;
  print.print.part(x.method).part(x.target);
  body_gatherer body(x.in.loop, tools.files);
  std::optional<store::payload> whole = co_await gather(x, print, body);
  if (!whole) co_return;
  if (!announced) {
    const bool fits = co_await find_room(x, room, whole->size, read.deadline);
    if (!fits) {
      forget_body(tools, whole->spool);
      co_return;
    }
  }
  const std::uint64_t spool = whole->spool;
  store::batch b = describe(x, read, std::move(*whole), has_body);
  const store::batch_id id = b.id;
  std::optional<end_watch> watch;
  if (read.wait) watch.emplace(x, id);
  std::optional<store::key_claim> key;
  if (x.has_key)
    key = store::key_claim{key_scope(b.route, b.tenant, b.key), print.print.value()};
  const auto stored = co_await store_batch(x, std::move(b), key);
  if (!stored || stored->known) forget_body(tools, spool);
  if (!stored) {
    const fault what = fault_of_store(stored.error());
    co_await answer(x, what, why_not_stored(what), disk_retry_after);
    co_return;
  }
  if (stored->known) {
    watch.reset();
    co_await answer_known(x, stored->id, read.wait);
    co_return;
  }
  room.used();
  x.accepted = true;
  if (watch) {
    const bool ended = co_await wait_for_end(x, *watch, *read.wait);
    if (ended) {
      co_await answer_ended(x, id);
      co_return;
    }
  }
  co_await answer_accepted(x, id);
}

}  // namespace weir::proxy
