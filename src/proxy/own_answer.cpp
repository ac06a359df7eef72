#include "proxy/own_answer.hpp"

#include <utility>

#include "http/problem.hpp"
#include "http/writer.hpp"
#include "proxy/session.hpp"

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;

constexpr base::duration answer_timeout = 10s;   // for a client that does not read weir's answer
constexpr base::duration store_retry_after = 5s;
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

void begin_answer(exchange& x, unsigned status) {
  x.status = status;
  x.keep_alive = x.keep_alive && x.upload.finished && !x.in.draining;
  x.go_on();
  x.deadlines.begin({answer_timeout, answer_timeout, base::forever, base::forever},
                    x.in.loop.now());
  x.timer->set_action(&exchange::timer_fired, &x);
  x.arm();
}

void write_status_line(unsigned status, std::string_view date, http::writer& to) {
  to.text("HTTP/1.1 ").number(status).text(" ").text(http::reason_phrase(status)).text("\r\n");
  if (!date.empty()) to.line("Date", date);
}

// No length where there is no body to measure (RFC 9110 section 8.6).
void write_end(const exchange& x, unsigned status, std::uint64_t size, http::writer& to) {
  const bool unknown = status == 204 || status == 304 || (x.is_head && size == 0);
  if (!unknown) to.text("Content-Length: ").number(size).text("\r\n");
  to.text(x.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

fault fault_of_body(net::relay_end end) {
  switch (end) {
    case net::relay_end::done: return fault::none;
    case net::relay_end::source_bad: return fault::body_broken;
    case net::relay_end::too_large: return fault::body_too_large;
    default: return fault::client_gone;
  }
}

}  // namespace

net::task<void> answer_json(exchange& x, unsigned status, std::string lines, std::string body) {
  begin_answer(x, status);
  std::string out;
  {
    http::writer to(out, 300 + lines.size() + body.size());
    write_status_line(status, x.in.http_date(), to);
    to.text("Content-Type: application/json\r\nCache-Control: no-store\r\n").text(lines);
    write_end(x, status, body.size(), to);
    if (!x.is_head) to.text(body);
  }
  const net::relay_end end =
      co_await net::write_all(x.in.loop, *x.client, out, x.download_progress);
  if (end != net::relay_end::done) x.keep_alive = false;
  x.response_bytes = body.size();
}

net::task<void> answer_kept(exchange& x, const store::response& kept, std::string lines,
                            const durable_tools* files) {
  net::body_source body;
  const bool sends = kept.body.size > 0 && !x.is_head;
  body.kind = sends ? http::body_kind::length : http::body_kind::none;
  if (sends) body.buffered = kept.body.bytes;
  body.left = body.buffered.size();
  body.finished = body.left == 0;
  store::file spooled;
  if (sends && kept.body.spool != 0) {
    auto open = [&] { return files->bodies->open(kept.body); };
    auto opened = co_await files->files.run(x.in.loop, open);
    if (!opened) {
      const bool gone = opened.error().what == store::trouble::damaged;
      co_await answer(x, gone ? fault::result_gone : fault::store_failed, opened.error().detail,
                      store_retry_after);
      co_return;
    }
    spooled = std::move(*opened);
    body.file = {spooled.descriptor(), 0, kept.body.size};
  }
  begin_answer(x, kept.status);
  std::string head;
  {
    http::writer to(head, 300 + lines.size() + kept.fields.size());
    write_status_line(kept.status, {}, to);
    to.text(kept.fields).text(lines);
    write_end(x, kept.status, kept.body.size, to);
  }
  x.deadlines.download_due(true);
  net::body_sink sink{x.client, body.kind, head, 0};
  const net::relay_end end = co_await net::relay(x.in.loop, body, sink, x.in.relays,
                                                 x.download_progress, nullptr);
  if (end != net::relay_end::done) x.keep_alive = false;
  x.response_bytes = sends ? kept.body.size : 0;
}

net::task<fault> read_body(exchange& x, net::body_keeper* keeper) {
  if (std::exchange(x.expects_continue, false) && x.upload.buffered.empty()) {
    const net::relay_end told =
        co_await net::write_all(x.in.loop, *x.client, go_on, x.upload_progress);
    if (told != net::relay_end::done) co_return fault::client_gone;
  }
  if (x.upload.finished) co_return fault::none;
  x.upload_progress.last_progress = x.in.loop.now();
  x.upload_progress.waits_for_source = true;
  x.deadlines.upload_due(true);
  x.arm();
  net::body_sink nowhere;
  const net::relay_end end = co_await net::relay(x.in.loop, x.upload, nowhere, x.in.relays,
                                                 x.upload_progress, keeper);
  x.deadlines.upload_due(false);
  count_chunk_limit(x, x.upload.chunks);
  if (end == net::relay_end::interrupted || x.stopped()) co_return x.stop_reason();
  co_return fault_of_body(end);
}

}  // namespace weir::proxy
