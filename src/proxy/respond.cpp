// The way back: a worker's response to the client, weir's own answers, and the lingering close.
#include <algorithm>
#include <array>
#include <utility>

#include "http/load_report.hpp"
#include "http/problem.hpp"
#include "http/structured.hpp"
#include "proxy/attempt.hpp"
#include "proxy/keyed_run.hpp"
#include "proxy/stored_run.hpp"

namespace weir::proxy {
namespace {

using core::attempt_end;
using namespace std::chrono_literals;

constexpr base::duration answer_timeout = 10s;   // for a client that does not read weir's answer

double milliseconds(base::duration d) { return static_cast<double>(d.count()) / 1e6; }

bool from_worker(net::relay_end end) {
  return end == net::relay_end::source_closed || end == net::relay_end::source_failed ||
         end == net::relay_end::source_bad;
}

int whole_seconds(base::duration d) {
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(d).count());
}

// A body that came whole with its head is behind us: the next request may follow.
void skip_body_at_hand(net::body_source& body) {
  if (body.kind != http::body_kind::length || body.left > body.buffered.size()) return;
  body.buffered.remove_prefix(static_cast<std::size_t>(body.left));
  body.left = 0;
  body.finished = true;
}

// Returns the body's size.
std::size_t write_answer(exchange& x, const answer_kind& kind, std::string_view detail,
                         base::duration retry_after, std::string& out) {
  http::problem p;
  p.status = kind.status;
  p.type = kind.type;
  p.title = kind.title;
  p.detail = detail.empty() ? kind.title : detail;
  p.proxy_error = kind.proxy_error;
  if (x.route) p.batch_id = x.batch_id();
  const bool again = kind.status == 409 && retry_after > base::duration{};
  if (kind.status == 429 || kind.status == 503 || kind.status == 507 || again)
    p.retry_after_seconds = std::max(1, whole_seconds(retry_after));
  p.keep_alive = x.keep_alive;
  p.date = x.in.http_date();
  p.to_head = x.is_head;
  http::write_problem(p, out);
  constexpr std::string_view head_end = "\r\n\r\n";
  return out.size() - (out.find(head_end) + head_end.size());
}

}  // namespace

void count_chunk_limit(exchange& x, const http::chunk_decoder& chunks) {
  const auto& hit = chunks.limit_hit() == http::chunk_limit::line ? x.plan->hits.chunk_line
                                                                  : x.plan->hits.trailer;
  if (chunks.limit_hit() != http::chunk_limit::none) hit->add(x.in.shard);
}

net::task<void> answer(exchange& x, fault what, std::string detail, base::duration retry_after) {
  const answer_kind& kind = describe(what);
  x.failed = what;
  if (kind.status == 0 || x.response_begun || x.client_lost || !x.client) {
    x.keep_alive = false;
    co_return;
  }
  skip_body_at_hand(x.upload);
  x.keep_alive = x.keep_alive && x.upload.finished && !x.in.draining;
  x.status = kind.status;
  x.go_on();
  x.deadlines.begin({answer_timeout, answer_timeout, answer_timeout, answer_timeout},
                    x.in.loop.now());
  x.timer->set_action(&exchange::timer_fired, &x);
  x.arm();
  std::string out;
  x.response_bytes = write_answer(x, kind, detail, retry_after, out);
  const net::relay_end end =
      co_await net::write_all(x.in.loop, *x.client, out, x.download_progress);
  if (end != net::relay_end::done) x.keep_alive = false;
}

net::task<void> linger(exchange& x) {
  net::socket& client = *x.client;
  const bool unread = !x.upload.finished || !x.upload.buffered.empty();
  if (client.broken() || x.failed == fault::client_gone || x.cut_short) {
    if (x.cut_short) client.reset_on_close();
    co_return;
  }
  client.shutdown_send();
  if (!unread) co_return;
  client.clear_interrupts();
  x.go_on();
  const base::duration limit = x.plan->limits.linger_timeout;
  x.deadlines.begin({limit, limit, limit, limit}, x.in.loop.now());
  x.timer->set_action(&exchange::timer_fired, &x);
  x.arm();
  net::buffer discarded = x.in.relays.buffers.take();
  std::uint64_t left = x.plan->limits.linger_bytes_max;
  for (;;) {
    const net::wake woken = co_await client.readable();
    if (woken == net::wake::interrupted) break;
    const net::io r = client.try_read(discarded.span());
    if (r.what == net::io::kind::blocked) continue;
    if (r.what != net::io::kind::done) break;
    if (r.bytes >= left) {
      x.plan->hits.linger->add(x.in.shard);
      break;
    }
    left -= r.bytes;
    co_await net::yield{x.in.loop};
  }
}

// --- a worker's response ------------------------------------------------------------------------

http::body_kind attempt::write_head() {
  http::forward_response f;
  f.head = &head_;
  f.changes = &x_.route->response_edits;
  f.batch_id = x_.batch_id();
  f.worker = target_->name;
  f.queue_ms = milliseconds(x_.queued);
  f.worker_ms = milliseconds(x_.first_byte - x_.sent_last);
  f.client_minor = x_.client_minor_zero ? 0 : 1;
  f.date = x_.in.http_date();
  x_.keep_alive = x_.keep_alive && x_.upload.complete() && !x_.in.draining;
  f.keep_alive = x_.keep_alive;
  out_.clear();
  const http::body_kind kind = http::write_response_head(f, out_);
  if (kind == http::body_kind::until_close) x_.keep_alive = false;
  return kind;
}

// A short answer that came whole goes out in one write; all others take the longer way.
net::task<attempt_next> attempt::relay_response() {
  if (uploading_) x_.copy.cease();   // no other attempt comes after this
  else x_.copy.stop();
  const http::body_kind framing = write_head();
  x_.status = head_.status;
  x_.response_begun = true;
  if (x_.keyed) x_.keyed->answer_begun(head_.status, out_);
  net::body_source body = response_body();
  net::body_sink sink{x_.client_lost ? nullptr : x_.client, framing, out_, 0};
  if (!uploading_ && net::relay_at_once(loop_, body, sink, x_.download_progress,
                                        answer_keeper()) == net::relay_end::done) {
    x_.response_bytes = body.taken;
    response_ended(net::relay_end::done, body, framing);
    return net::task<attempt_next>::ready(attempt_next::finished);
  }
  return relay_on(std::move(body), sink);
}

net::body_source attempt::response_body() const {
  net::body_source body;
  body.from = &link_->socket;
  body.kind = head_.body;
  body.left = head_.content_length;
  body.finished = head_.body == http::body_kind::none;
  body.buffered = response_.view();
  body.chunks = http::chunk_decoder({x_.plan->limits.chunk_line_bytes_max,
                                     x_.plan->limits.trailer_bytes_max});
  return body;
}

net::body_keeper* attempt::answer_keeper() const noexcept {
  if (x_.stored) return &x_.stored->body;
  return x_.keyed ? x_.keyed->answer_keeper() : nullptr;
}

// A durable batch's answer goes to the store; one that breaks off is an attempt that failed.
net::task<attempt_next> attempt::keep_response(core::grant& next) {
  write_head();
  x_.status = head_.status;
  x_.stored->answer_begun(head_.status, out_);
  net::body_source body = response_body();
  net::body_sink nowhere;
  const net::relay_end end = co_await relay_body(body, nowhere);
  co_await stop_upload();
  if (end == net::relay_end::done) {
    x_.stored->whole = true;
    response_ended(end, body, http::body_kind::length);
    co_return attempt_next::finished;
  }
  x_.deadlines.download_due(false);
  if (!ticket_) {   // core was told already: a failing answer, without its body
    part_with_link();
    co_return attempt_next::finished;
  }
  failure_ = {attempt_end::failed, fault::worker_closed,
              "its response broke off or broke its framing"};
  const attempt_next then = co_await give_up(next);
  co_return then;
}

net::task<attempt_next> attempt::relay_on(net::body_source body, net::body_sink sink) {
  const net::relay_end end = co_await relay_body(body, sink);
  co_await stop_upload();
  response_ended(end, body, sink.kind);
  if (from_worker(end) && !sink.started()) {
    x_.response_begun = false;   // it broke before a byte went out: said as what it is
    co_await answer(x_, x_.failed,
                    "worker '" + x_.worker + "': its response broke off or broke its framing", {});
  }
  co_return attempt_next::finished;
}

net::task<net::relay_end> attempt::relay_body(net::body_source& body, net::body_sink& sink) {
  x_.download_progress.last_progress = loop_.now();
  x_.deadlines.download_due(true);
  x_.arm();
  net::relay_end end = co_await net::relay(loop_, body, sink, x_.in.relays,
                                           x_.download_progress, answer_keeper());
  // The client left, and the route lets the worker finish: the rest is read and thrown away.
  const bool finish = x_.route_settings().on_client_gone == config::gone_action::finish;
  if (end == net::relay_end::sink_failed && finish) {
    x_.client_lost = true;
    sink.to = nullptr;
    end = co_await net::relay(loop_, body, sink, x_.in.relays, x_.download_progress,
                              answer_keeper());
  }
  count_chunk_limit(x_, body.chunks);
  if (body.wanted_pipe) x_.plan->hits.pipes->add(x_.in.shard);
  x_.deadlines.download_due(false);
  x_.response_bytes = body.taken;
  co_return end;
}

void attempt::response_ended(net::relay_end end, const net::body_source& body,
                             http::body_kind framing) {
  if (x_.client_lost) x_.failed = fault::client_gone;
  if (x_.keyed) x_.keyed->whole = end == net::relay_end::done;
  if (end == net::relay_end::done) {
    finish(attempt_end::succeeded, false);
    const bool clean = body.buffered.empty() && head_.body != http::body_kind::until_close;
    if (clean && head_.keep_alive && x_.upload.complete()) give_link_back();
    return part_with_link();
  }
  x_.keep_alive = false;
  if (from_worker(end)) {
    x_.failed = end == net::relay_end::source_bad ? fault::worker_protocol : fault::worker_closed;
    x_.cut_short = framing == http::body_kind::until_close;
    finish(attempt_end::failed, false);
    return part_with_link();
  }
  x_.failed = x_.stopped() ? x_.stop_reason() : fault::client_gone;
  x_.cut_short = framing == http::body_kind::until_close;
  finish(x_.failed == fault::worker_stalled ? attempt_end::failed : attempt_end::client_gone, true);
  part_with_link();
}

// Unless core was told before the answer was relayed.
void attempt::finish(attempt_end end, bool abandoned) {
  if (!ticket_) return;
  core::attempt_report report = report_of(end);
  report.may_retry = false;
  report.slot_abandoned = abandoned;
  close(report);
  const core::batch_id batch = std::exchange(x_.batch, {});
  if (!abandoned) return;
  x_.worker_socket = nullptr;
  link_->home.abandon(std::move(link_), x_.route->pool->gate, batch,
                      x_.route->pool->abandoned_hold);
}

base::duration attempt::worker_retry_after() const {
  const http::field* f = head_.find(http::field_name::retry_after);
  if (!f) return {};
  return http::parse_retry_after(f->value, x_.in.wall_ms()).value_or(base::duration{});
}

// The worker's own word on its load, for the choice of the next one.
double attempt::reported_load() const noexcept {
  const http::field* f = head_.find(http::field_name::endpoint_load_metrics);
  if (!f) return 0;
  const http::load_report said = http::parse_load_report(f->value);
  if (said.bad && target_ && target_->bad_load_reports)
    target_->bad_load_reports->add(x_.in.shard);
  return said.utilization;
}

// A worker that says how long it keeps a connection is taken at its word, with room for the race.
void attempt::learn_idle_life() {
  const http::field* f = head_.find(http::field_name::keep_alive);
  if (!f) return;
  const auto seconds = http::parse_keep_alive_timeout(f->value);
  if (!seconds) return;
  const base::duration said = std::chrono::seconds(*seconds);
  link_->idle_max = said > 2s ? std::max(target_->idle_max, said - 1s) : said / 2;
}

void attempt::give_link_back() {
  learn_idle_life();
  x_.worker_socket = nullptr;
  link_->home.give_back(std::move(link_));
}

bool attempt::answer_at_hand() const noexcept {
  const bool whole = head_.body == http::body_kind::none
                         ? response_.empty()
                         : head_.body == http::body_kind::length &&
                               head_.content_length == response_.view().size();
  return head_.status >= 200 && head_.keep_alive && whole && x_.upload.complete();
}

// A short busy answer leaves a connection as good as any; all else is closed.
void attempt::part_with_link() {
  if (!link_) return;
  if (!x_.response_begun && answer_at_hand()) return give_link_back();
  x_.worker_socket = nullptr;
  link_.reset();
}

}  // namespace weir::proxy
