#include "proxy/exchange.hpp"

#include <sys/ioctl.h>

#include <algorithm>
#include <utility>

#include "proxy/session.hpp"

namespace weir::proxy {
namespace {

fault fault_of(core::deadline d, const exchange& x) {
  switch (d) {
    case core::deadline::connect: return fault::connect_timeout;
    case core::deadline::upload:
      return x.upload_progress.waits_for_source ? fault::body_stalled : fault::worker_stalled;
    case core::deadline::response: return fault::response_timeout;
    case core::deadline::download:
      return x.download_progress.waits_for_source ? fault::worker_stalled : fault::client_gone;
    case core::deadline::total: return fault::total_timeout;
    case core::deadline::none: break;
  }
  return fault::none;
}

}  // namespace

exchange::exchange(hall& h) : in(h), copy(h), cell(h.loop) {}

void exchange::begin(session& s, instant now) {
  begin(now);
  owner = &s;
  client = &s.client();
  timer = &s.timer();
}

void exchange::begin(stored_run& run, net::timer& t, instant now) {
  begin(now);
  stored = &run;
  timer = &t;
}

void exchange::begin(instant now) {
  owner = nullptr;
  client = nullptr;
  timer = nullptr;
  stored = nullptr;
  keyed = nullptr;
  plan = in.plan;
  route = nullptr;
  for (std::string* text : {&request_head, &method, &tenant, &target, &host, &group, &worker})
    text->clear();
  cost = 0;
  idempotent = has_key = is_head = expects_continue = false;
  prefers_async = accepted = needs_key = false;
  keep_alive = client_minor_zero = response_begun = cut_short = client_lost = false;
  upload = net::body_source{};
  whole_body = {};
  upload_progress = download_progress = {};
  copy.stop();
  worker_socket = nullptr;
  cell.now = verdict_cell::state::waiting;
  cell.settled.reset();
  batch = {};
  began = head_read = admitted = granted_last = first_byte = sent_last = now;
  queued = {};
  connect_time = base::duration{-1};
  began_unix_ms = in.wall_ms();
  status = 0;
  attempts = 0;
  failed = fault::none;
  retried_for = core::attempt_end::succeeded;
  response_bytes = 0;
  stop_ = fault::none;
}

void exchange::stop(fault why) {
  if (stopped()) return;
  stop_ = why;
  if (cell.now == verdict_cell::state::waiting) cell.now = verdict_cell::state::interrupted;
  cell.settled.ring();
  if (client) client->interrupt();
  if (worker_socket) worker_socket->interrupt();
  copy.wake();
}

void exchange::go_on() noexcept {
  stop_ = fault::none;
  if (client) client->clear_interrupts();
}

core::deadlines::moved exchange::moved() const noexcept {
  return {upload_progress.last_progress, download_progress.last_progress};
}

void exchange::arm() { in.loop.timers().arm(*timer, deadlines.next(moved())); }

void exchange::timer_fired(void* context) {
  exchange& x = *static_cast<exchange*>(context);
  const core::deadline d = x.deadlines.expired(x.moved(), x.in.loop.now());
  if (d == core::deadline::none) return x.arm();
  // Neither side has stalled: a disk that takes nothing costs the copy, not the batch.
  if (d == core::deadline::upload && x.copy.waits()) {
    x.copy.give_up_disk();
    x.upload_progress.last_progress = x.in.loop.now();
    return x.arm();
  }
  x.stop(fault_of(d, x));
}

// A reset means gone. A FIN means gone when part of the body can never come any more, or when the
// route says so; else it is a half-close: the client still waits for its answer.
bool exchange::client_has_left() const noexcept {
  net::socket& c = *client;
  if (c.broken()) return true;
  if (!c.peer_closed()) return false;
  if (route && route_settings().half_close == config::half_close_action::abort) return true;
  if (upload.finished || upload.kind != http::body_kind::length || c.is_tls()) return false;
  int unread = 0;
  ::ioctl(c.fd(), FIONREAD, &unread);
  return static_cast<std::uint64_t>(unread) + upload.buffered.size() < upload.left;
}

void exchange::client_departed(void* context) {
  exchange& x = *static_cast<exchange*>(context);
  if (!x.client_has_left()) return;
  const bool runs = x.worker_socket != nullptr;
  const bool whole = x.upload.finished;   // weir has it, though the worker may not yet
  if (runs && whole && x.route_settings().on_client_gone == config::gone_action::finish) {
    x.client_lost = true;
    return;
  }
  x.stop(fault::client_gone);
}

void exchange::rewind_body() noexcept {
  if (whole_body.empty()) return;
  const std::size_t sent = static_cast<std::size_t>(std::exchange(upload.taken, 0));
  upload.buffered = {whole_body.data(), sent + upload.buffered.size()};
  upload.left = whole_body.size();
  upload.finished = false;
}

bool exchange::wants_copy() const noexcept {
  return !stored && whole_body.empty() && upload.kind != http::body_kind::none &&
         (idempotent || has_key || route_settings().retry.unsafe);
}

bool exchange::may_repeat(core::attempt_end end) const noexcept {
  const bool untouched = upload.taken == 0;
  const bool whole = upload.kind == http::body_kind::none || untouched || copy.keeping() ||
                     !whole_body.empty() || stored;
  const core::request_traits traits{idempotent, has_key, whole, response_begun};
  return core::may_repeat(traits, end, route_settings().retry);
}

}  // namespace weir::proxy
