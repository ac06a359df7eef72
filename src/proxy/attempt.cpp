#include "proxy/attempt.hpp"
#include "proxy/keyed_run.hpp"
#include "proxy/stored_run.hpp"

#include <algorithm>
#include <utility>

#include "proxy/intake.hpp"

namespace weir::proxy {
namespace {

using core::attempt_end;

constexpr base::duration stale_window = std::chrono::milliseconds(100);
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

fault fault_of(connect_outcome::kind k) {
  switch (k) {
    case connect_outcome::kind::timed_out: return fault::connect_timeout;
    case connect_outcome::kind::unreachable: return fault::unreachable;
    case connect_outcome::kind::unresolved: return fault::unresolved;
    case connect_outcome::kind::tls_failed: return fault::tls_failed;
    case connect_outcome::kind::exhausted: return fault::exhausted;
    default: return fault::connect_refused;
  }
}

// Another worker may be reached, but not by a weir that has no descriptor left.
attempt_end end_of(connect_outcome::kind k) {
  return k == connect_outcome::kind::exhausted ? attempt_end::client_fault
                                               : attempt_end::connect_failed;
}

// What core is told when something other than the worker's answer ended the attempt.
attempt_end end_of(fault why) {
  switch (why) {
    case fault::connect_timeout: return attempt_end::connect_failed;
    case fault::response_timeout: return attempt_end::response_timeout;
    case fault::worker_stalled: return attempt_end::failed;
    case fault::client_gone: return attempt_end::client_gone;
    default: return attempt_end::client_fault;
  }
}

bool blames_worker(fault f) {
  return (f >= fault::connect_refused && f <= fault::tls_failed) ||
         (f >= fault::worker_closed && f <= fault::response_timeout);
}

std::string detail_of(fault why) {
  switch (why) {
    case fault::cancelled: return "the batch was cancelled while it ran";
    case fault::connect_timeout: return "no connection within the route's timeout.connect";
    case fault::response_timeout: return "no response head within the route's timeout.response";
    case fault::worker_stalled:
      return "no byte moved at the worker for the route's timeout.progress";
    case fault::body_stalled: return "no byte of the body came for the route's timeout.progress";
    case fault::total_timeout: return "the batch was not done within the route's timeout.total";
    case fault::body_broken: return "the body's chunked framing is broken (RFC 9112 section 7.1)";
    case fault::body_too_large: return "the body is over the route's body_max";
    case fault::copy_lost:
      return "an attempt failed, and weir's copy of the body could not be read from replay_dir";
    case fault::cut_off:
      return "weir was stopped before the worker was done; the batch may have been executed";
    default: return {};
  }
}

fault fault_of_upload(net::relay_end end) {
  switch (end) {
    case net::relay_end::source_bad: return fault::body_broken;
    case net::relay_end::too_large: return fault::body_too_large;
    case net::relay_end::file_failed: return fault::copy_lost;
    default: return fault::client_gone;
  }
}

// Its own end, or that of weir's copy of it.
bool from_client(net::relay_end end) {
  return end != net::relay_end::done && end != net::relay_end::sink_failed &&
         end != net::relay_end::interrupted;
}

}  // namespace

attempt::attempt(exchange& x, const core::grant& grant)
    : x_(x), loop_(x.in.loop), ticket_(*x.route->pool->gate, grant), head_(x.answer_head),
      out_(x.answer_text), upload_done_(x.in.loop) {
  head_.status = 0;
  head_.fields.clear();
  x.attempts = grant.attempt;
  x.granted_last = loop_.now();
}

net::task<attempt_next> attempt::run(core::grant& next) {
  const bool reached = co_await reach();
  if (!reached) {
    const attempt_next then = co_await give_up(next);
    co_return then;
  }
  co_await send();
  const bool answered = co_await read_head();
  if (!answered) {
    const attempt_next then = co_await give_up(next);
    co_return then;
  }
  const attempt_next then = co_await judge(next);
  co_return then;
}

// --- reaching the worker ------------------------------------------------------------------------

net::task<bool> attempt::reach() {
  links& pool_links = *x_.route->pool->links;
  const core::worker_id worker = ticket_.grant().worker;
  target_ = pool_links.target(worker);
  if (x_.stopped()) {
    stopped_by(x_.stop_reason());
    return net::task<bool>::ready(false);
  }
  if (!target_) {
    failure_ = {attempt_end::connect_failed, fault::unresolved, "the worker was just removed"};
    return net::task<bool>::ready(false);
  }
  x_.worker = target_->name;
  // What cannot be sent twice goes out on a connection that is proven live, or on a new one.
  link_ = pool_links.take_idle(worker, !x_.may_repeat(attempt_end::stale_connection));
  x_.connect_time = base::duration::zero();
  if (!link_) return open_link();
  x_.worker_socket = &link_->socket;
  return net::task<bool>::ready(true);
}

net::task<bool> attempt::open_link() {
  const instant began = loop_.now();
  link_ = x_.route->pool->links->make(ticket_.grant().worker, target_);
  x_.worker_socket = &link_->socket;
  x_.deadlines.connecting(began);
  x_.arm();
  connect_outcome o = co_await connect(*link_);
  x_.deadlines.connected();
  x_.connect_time = loop_.now() - began;
  if (o.what == connect_outcome::kind::connected && !x_.stopped()) co_return true;
  if (x_.stopped()) stopped_by(x_.stop_reason());
  else failure_ = {end_of(o.what), fault_of(o.what), std::move(o.detail)};
  x_.worker_socket = nullptr;
  link_.reset();
  co_return false;
}

// --- sending the request ------------------------------------------------------------------------

net::task<void> attempt::send() {
  x_.rewind_body();
  const bool short_rest = x_.upload.finished || (x_.upload.kind == http::body_kind::length &&
                                              x_.upload.left <= x_.upload.buffered.size());
  const bool on_disk = x_.stored ? x_.stored->request.left > 0 : x_.copy.on_disk();
  const bool at_hand = short_rest && !on_disk;
  if (at_hand && x_.upload.taken == 0 && !x_.upload.finished)
    x_.whole_body = x_.upload.buffered.substr(0, static_cast<std::size_t>(x_.upload.left));
  if (x_.keyed) x_.keyed->request.keep_whole(x_.whole_body);
  begin_request();
  net::body_sink sink{&link_->socket, x_.upload.kind, x_.request_head, 0};
  if (!at_hand) {
    uploading_ = true;
    // The child has its own: the common part may be needed again meanwhile.
    net::spawn(send_beside(x_.request_head, std::exchange(x_.expects_continue, false)));
    x_.request_head.resize(head_common_);
    return net::task<void>::ready();
  }
  const auto end = net::relay_at_once(loop_, x_.upload, sink, x_.upload_progress, keeper());
  if (!end) return send_on(sink);
  upload_ended(*end);
  x_.request_head.resize(head_common_);
  return net::task<void>::ready();
}

// The head as this attempt sends it, and what is kept and sent again of the body.
void attempt::begin_request() {
  if (!x_.route_settings().rewrite.preserve_host) {
    if (x_.stored) http::replace_host(x_.request_head, link_->target->host);
    else write_forwarded_head(x_, link_->target->host);
  }
  head_common_ = x_.request_head.size();
  http::finish_request_head(x_.stored ? x_.stored->number : ticket_.grant().attempt,
                            x_.request_head);
  // At the first attempt that sends anything: those before it may have found no connection.
  if (x_.upload.taken == 0 && !x_.copy.keeping() && x_.wants_copy())
    x_.copy.start(*x_.plan, x_.upload.kind == http::body_kind::length ? x_.upload.left : 0);
  x_.upload.replay = x_.copy.bytes();
  x_.upload.file = x_.stored ? x_.stored->request : x_.copy.file();
  request_begun_ = true;
  x_.sent_last = loop_.now();
}

net::body_keeper* attempt::keeper() noexcept {
  net::body_keeper* const copy = x_.copy.keeping() ? &x_.copy : nullptr;
  if (!x_.keyed || !x_.whole_body.empty()) return copy;
  x_.keyed->request.next = copy;
  return &x_.keyed->request;
}

net::task<void> attempt::send_on(net::body_sink sink) {
  const net::relay_end end = co_await send_body(sink);
  upload_ended(end);
  x_.request_head.resize(head_common_);
}

// The child: runs beside the wait for the response.
net::task<void> attempt::send_beside(std::string head, bool promised) {
  net::relay_end end = net::relay_end::done;
  if (promised && x_.upload.taken == 0 && x_.upload.buffered.empty())
    end = co_await net::write_all(loop_, *x_.client, go_on, x_.upload_progress);
  net::body_sink sink{&link_->socket, x_.upload.kind, head, 0};
  if (end == net::relay_end::done) end = co_await send_body(sink);
  else if (end == net::relay_end::sink_failed) end = net::relay_end::source_failed;
  upload_ended(end);
  uploading_ = false;
  upload_done_.ring();
}

net::task<net::relay_end> attempt::send_body(net::body_sink& sink) {
  x_.upload_progress.last_progress = loop_.now();
  x_.deadlines.upload_due(true);
  x_.arm();
  return net::relay(loop_, x_.upload, sink, x_.in.relays, x_.upload_progress, keeper());
}

void attempt::upload_ended(net::relay_end end) {
  if (x_.upload.wanted_pipe) x_.plan->hits.pipes->add(x_.in.shard);
  x_.deadlines.upload_due(false);
  count_chunk_limit(x_, x_.upload.chunks);
  if (end == net::relay_end::done || end == net::relay_end::sink_failed) {
    x_.deadlines.request_sent(loop_.now());
    x_.arm();
  }
  // What could not be written will not be answered, but an answer may be on its way already: the
  // worker is told that no more comes, and its end is awaited.
  if (end == net::relay_end::sink_failed) link_->socket.shutdown_send();
  if (from_client(end)) x_.stop(fault_of_upload(end));
}

net::task<void> attempt::stop_upload() {
  if (!uploading_) return net::task<void>::ready();
  return interrupt_upload();
}

net::task<void> attempt::interrupt_upload() {
  if (x_.client) x_.client->interrupt();
  link_->socket.interrupt();
  x_.copy.wake();
  co_await upload_done_;
  if (x_.client) x_.client->clear_interrupts();
  link_->socket.clear_interrupts();
}

// What is on its way to the disk decides whether the batch can be sent again.
net::task<void> attempt::settle_copy() {
  if (x_.copy.settled() || !retryable_stop()) return net::task<void>::ready();
  return wait_for_copy();
}

net::task<void> attempt::wait_for_copy() {
  x_.upload_progress.last_progress = loop_.now();
  x_.deadlines.upload_due(true);
  x_.arm();
  co_await x_.copy.settle();
  x_.deadlines.upload_due(false);
  x_.arm();
}

// --- reading the response's head ----------------------------------------------------------------

net::task<bool> attempt::read_head() {
  std::size_t scanned = 0;
  for (;;) {
    const head_step step = parse_head(scanned);
    if (step == head_step::complete || step == head_step::bad)
      co_return step == head_step::complete;
    if (step == head_step::interim) {
      if (!may_interim()) co_return false;
      const bool told = co_await take_interim();
      if (!told) co_return false;
      continue;
    }
    const net::wake woken = co_await link_->socket.readable();
    if (!take_bytes(woken)) co_return false;
  }
}

attempt::head_step attempt::parse_head(std::size_t& scanned) {
  if (response_.empty()) return head_step::need_more;
  const auto o = http::parse_response(response_.view(), x_.plan->head_limits, scanned, x_.is_head,
                                      head_);
  if (o.what == http::parse_outcome::kind::need_more) return head_step::need_more;
  if (o.what == http::parse_outcome::kind::bad) {
    failure_ = {attempt_end::failed, fault::worker_protocol, std::string(o.reason)};
    return head_step::bad;
  }
  response_.consume(o.consumed);
  return head_.status < 200 ? head_step::interim : head_step::complete;
}

bool attempt::may_interim() {
  if (++interims_ <= x_.plan->limits.interim_responses_max) return true;
  x_.plan->hits.interims->add(x_.in.shard);
  failure_ = {attempt_end::failed, fault::worker_protocol,
              "the worker sent more interim responses than limits.interim_responses_max"};
  return false;
}

// False: the attempt is over without an answer.
bool attempt::take_bytes(net::wake woken) {
  if (woken == net::wake::interrupted || x_.stopped()) {
    stopped_by(x_.stop_reason());
    return false;
  }
  const net::io r = link_->socket.try_read(
      response_.room(x_.in.relays.buffers, x_.plan->limits.head_bytes_max + 1));
  if (r.what == net::io::kind::done) response_.filled(r.bytes);
  else if (r.what == net::io::kind::blocked && response_.empty()) response_.release();
  if (r.what == net::io::kind::done || r.what == net::io::kind::blocked) return true;
  closed_without_answer();
  return false;
}

// 100 was answered by weir itself when the slot was granted; others go on to a 1.1 client.
net::task<bool> attempt::take_interim() {
  if (head_.status == 100 || x_.client_minor_zero || x_.client_lost || !x_.client)
    co_return true;
  out_.clear();
  http::write_interim_head(head_, out_);
  const net::relay_end end =
      co_await net::write_all(loop_, *x_.client, out_, x_.download_progress);
  if (end == net::relay_end::done) co_return true;
  stopped_by(x_.stopped() ? x_.stop_reason() : fault::client_gone);
  co_return false;
}

// A reused connection that ends at once, before a byte of the answer, was most likely closed before
// it saw the request: nobody's fault (RFC 9112 section 9.3.1). Later, it is the worker's.
void attempt::closed_without_answer() {
  const bool at_once = loop_.now() - x_.sent_last < stale_window;
  const bool stale = link_->uses > 0 && response_.empty() && at_once;
  failure_ = {stale ? attempt_end::stale_connection : attempt_end::failed, fault::worker_closed,
              "it closed the connection before it answered"};
}

void attempt::stopped_by(fault why) {
  if (why == fault::closing && request_begun_) why = fault::cut_off;
  failure_ = {end_of(why), why, detail_of(why)};
  // A durable batch's time is an attempt's.
  if (x_.stored && why == fault::total_timeout) failure_.end = attempt_end::response_timeout;
}

// --- what to do with it -------------------------------------------------------------------------

net::task<attempt_next> attempt::judge(core::grant& next) {
  x_.deadlines.response_begun();
  x_.first_byte = loop_.now();
  const unsigned status = head_.status;
  const bool busy = x_.route->busy.test(status) && head_.find(http::field_name::retry_after);
  if (!busy && !x_.route->failure.test(status))
    return x_.stored ? keep_response(next) : relay_response();
  return judge_refusal(busy ? attempt_end::busy : attempt_end::failed, next);
}

net::task<attempt_next> attempt::judge_refusal(attempt_end end, core::grant& next) {
  co_await stop_upload();
  co_await settle_copy();
  const attempt_next then = co_await send_back(end, next);
  co_return then;
}

// A busy or failing answer: core says whether the batch goes on elsewhere or the answer is relayed.
net::task<attempt_next> attempt::send_back(attempt_end end, core::grant& next) {
  if (x_.stopped()) {
    stopped_by(x_.stop_reason());
    const attempt_next then = co_await give_up(next);
    co_return then;
  }
  const core::verdict v = close(report_of(end));
  if (v.what == core::verdict::kind::granted || v.what == core::verdict::kind::waiting) {
    x_.retried_for = end;
    part_with_link();
    co_return take_verdict(v, next);
  }
  x_.batch = {};
  if (v.why == core::refusal::poisoned && !x_.stored) {
    part_with_link();
    co_await answer(x_, fault::poisoned, poisoned_detail(), v.retry_after);
    co_return attempt_next::finished;
  }
  net::task<attempt_next> rest = x_.stored ? keep_response(next) : relay_response();
  const attempt_next then = co_await rest;
  co_return then;
}

// The attempt failed without an answer to relay.
net::task<attempt_next> attempt::give_up(core::grant& next) {
  co_await stop_upload();
  co_await settle_copy();
  if (x_.stopped()) stopped_by(x_.stop_reason());
  const bool abandoned = link_ && request_begun_ && failure_.end != attempt_end::failed &&
                         failure_.end != attempt_end::stale_connection;
  core::attempt_report report = report_of(failure_.end);
  report.slot_abandoned = abandoned;
  const core::batch_id batch = x_.batch;
  const core::verdict v = close(report);
  if (abandoned) {
    x_.worker_socket = nullptr;
    link_->home.abandon(std::move(link_), x_.route->pool->gate, batch,
                        x_.route->pool->abandoned_hold);
  }
  part_with_link();
  if (v.what == core::verdict::kind::granted || v.what == core::verdict::kind::waiting) {
    x_.retried_for = failure_.end;
    co_return take_verdict(v, next);
  }
  x_.batch = {};
  if (v.why == core::refusal::poisoned)
    failure_ = {failure_.end, fault::poisoned, poisoned_detail()};
  if (blames_worker(failure_.what)) failure_.detail.insert(0, "worker '" + x_.worker + "': ");
  co_await answer(x_, failure_.what, std::move(failure_.detail), v.retry_after);
  co_return attempt_next::finished;
}

std::string attempt::poisoned_detail() const {
  return "the batch failed on two workers on which others succeeded meanwhile, on '" + x_.worker +
         "' last";
}

attempt_next attempt::take_verdict(const core::verdict& v, core::grant& next) {
  x_.deadlines.attempt_ended();
  x_.go_on();
  x_.arm();
  x_.route->pool->retries[static_cast<std::size_t>(x_.retried_for)]->add(x_.in.shard);
  next = v.grant;
  return v.what == core::verdict::kind::granted ? attempt_next::granted : attempt_next::waiting;
}

core::attempt_report attempt::report_of(attempt_end end) {
  core::attempt_report r;
  r.end = end;
  r.may_retry = x_.may_repeat(end) && retryable_stop();
  r.retry_after = end == attempt_end::busy ? worker_retry_after() : base::duration{};
  r.has_response = head_.status >= 200;
  if (r.has_response) r.reported_load = reported_load();
  x_.cell.now = verdict_cell::state::waiting;
  x_.cell.settled.reset();
  return r;
}

// A batch whose client left or whose time is up does not go on, whatever the attempt was.
bool attempt::retryable_stop() const noexcept {
  const fault f = x_.stop_reason();
  return f == fault::none || f == fault::connect_timeout || f == fault::response_timeout ||
         f == fault::worker_stalled || (x_.stored && f == fault::total_timeout);
}

// Tells core, and whoever keeps the batch, how the attempt ended.
core::verdict attempt::close(const core::attempt_report& report) {
  count(report.end);
  const core::verdict v = ticket_.finish(report, loop_.now());
  if (!x_.stored) return v;
  const bool poisoned = v.why == core::refusal::poisoned;
  std::string why = poisoned ? poisoned_detail() : failure_.detail;
  if (why.empty() && head_.status >= 200)
    why = "the worker answered " + std::to_string(head_.status);
  x_.stored->ended(report.end, why, v);
  return v;
}

void attempt::count(attempt_end end) {
  if (!target_) return;
  const auto& c = target_->attempts[static_cast<std::size_t>(end)];
  if (c) c->add(x_.in.shard);
}

}  // namespace weir::proxy
