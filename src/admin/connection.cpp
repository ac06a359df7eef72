#include "admin/connection.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <ctime>

#include "http/problem.hpp"
#include "http/structured.hpp"

namespace weir::admin {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t piece = 16 * 1024;
constexpr std::size_t linger_bytes_max = 1 << 20;
constexpr auto linger_max = 2s;
constexpr auto cancel_again = 10ms;
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

std::string make_head(const api_response& a, bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(a.status) + " ";
  out.append(http::reason_phrase(a.status));
  out.append("\r\nDate: ").append(http::make_http_date(std::time(nullptr)).view());
  out.append("\r\nContent-Type: ").append(a.content_type);
  out.append("\r\nContent-Length: ").append(std::to_string(a.body.size()));
  out.append("\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff");
  for (const auto& [name, value] : a.fields)
    out.append("\r\n").append(name).append(": ").append(value);
  return out.append(keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n");
}

std::string value_of(const http::request_head& head, std::string_view name) {
  const http::field* f = head.find(name);
  return f ? std::string(f->value) : std::string();
}

}  // namespace

// Where an answer waits for its coroutine, or the coroutine for it. The backend may call back at
// once, later, or never: it holds no more than a weak reference.
struct connection::mailbox {
  explicit mailbox(const stream::executor_type& executor) : ready(executor) {}
  void put(api_response a) {
    if (filled) return;
    filled = true;
    answer = std::move(a);
    ready.cancel();
  }
  asio::steady_timer ready;
  api_response answer;
  bool filled = false;
};

connection::connection(stream socket, std::string peer, const server_options& limits,
                       handler handle, std::function<void(connection*)> gone)
    : socket_(std::move(socket)),
      deadline_(socket_.get_executor()),
      peer_(std::move(peer)),
      limits_(limits),
      handle_(std::move(handle)),
      gone_(std::move(gone)) {}

connection::~connection() { gone_(this); }

void connection::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  deadline_.cancel();
}

// What runs when `d` has passed unless arm() is called before: the read or write is given up.
void connection::arm(base::duration d) {
  deadline_.expires_after(d);
  const std::weak_ptr<connection*> weak = here_;
  deadline_.async_wait([weak](const boost::system::error_code& ec) {
    const auto here = weak.lock();
    if (!ec && here) (*here)->on_deadline();
  });
}

void connection::on_deadline() {
  if (deadline_.expiry() > clock::now()) return;   // it was set anew meanwhile
  timed_out_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
  arm(cancel_again);   // between two parts of a read or write there was nothing to cancel
}

asio::awaitable<void> connection::serve(std::shared_ptr<connection> self) {
  connection& c = *self;
  for (bool more = true; more;) {
    c.waiting_since_ = clock::now();
    const got what = co_await c.read_request();
    c.waiting_since_.reset();
    if (what == got::closed) break;
    if (what == got::bad) c.keep_alive_ = false;
    if (what == got::request) co_await c.ask();
    if (!c.socket_.is_open()) break;
    more = co_await c.respond();
  }
  c.close();
}

asio::awaitable<connection::got> connection::read_request() {
  got what = co_await read_head();
  if (what == got::request) what = co_await read_body();
  // A request that began and was not complete in time; an idle connection just ends.
  const bool began = !in_.empty() || !request_.method.empty();
  if (what == got::closed && timed_out_ && began && socket_.is_open())
    what = reject(408, "too-slow", "the request was not complete in time");
  co_return what;
}

asio::awaitable<connection::got> connection::read_head() {
  request_ = {};
  to_head_ = false;
  http::request_head head;
  std::size_t scanned = 0;
  const http::head_limits limits{limits_.head_bytes_max, 100, 8 * 1024};
  bool timing = !in_.empty();
  arm(timing ? limits_.request_timeout : limits_.idle_timeout);
  for (;;) {
    const auto outcome = http::parse_request(in_, limits, scanned, head);
    if (outcome.what == http::parse_outcome::kind::bad)
      co_return reject(outcome.status, "bad-request", outcome.reason);
    if (outcome.what == http::parse_outcome::kind::complete) {
      take_head(head);
      in_.erase(0, outcome.consumed);
      co_return got::request;
    }
    const bool read = co_await read_some();
    if (!read) co_return got::closed;
    if (!timing) arm(limits_.request_timeout);
    timing = true;
  }
}

void connection::take_head(const http::request_head& head) {
  request_.method = head.method, request_.path = head.path, request_.query = head.query;
  request_.has_host = head.find(http::field_name::host) != nullptr;
  request_.host = value_of(head, "Host");
  request_.origin = value_of(head, "Origin");
  request_.authorization = value_of(head, "Authorization");
  request_.content_type = value_of(head, "Content-Type");
  request_.peer = peer_;
  body_ = head.body, body_left_ = head.content_length;
  keep_alive_ = head.keep_alive && head.version_minor == 1;
  to_head_ = head.is_head, expects_continue_ = head.expect_continue;
}

asio::awaitable<connection::got> connection::read_body() {
  if (body_ == http::body_kind::length && body_left_ > limits_.body_bytes_max)
    co_return reject(413, "body", "the body is larger than this server takes");
  if (expects_continue_ && in_.empty() && body_ != http::body_kind::none) {
    boost::system::error_code ec;
    co_await asio::async_write(socket_, asio::buffer(go_on),
                               asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return got::closed;
  }
  http::chunk_decoder chunks;
  for (;;) {
    const got what = body_ == http::body_kind::chunked ? take_chunks(chunks) : take_body();
    if (what != got::closed) co_return what;
    const bool read = co_await read_some();
    if (!read) co_return got::closed;
  }
}

// Moves what is there of a body with a length. `closed` means that more is to come.
connection::got connection::take_body() {
  const std::size_t n = std::min<std::uint64_t>(body_left_, in_.size());
  request_.body.append(in_, 0, n);
  in_.erase(0, n);
  body_left_ -= n;
  return body_left_ == 0 ? got::request : got::closed;
}

connection::got connection::take_chunks(http::chunk_decoder& chunks) {
  using kind = http::chunk_decoder::step::kind;
  for (std::size_t used = 0;;) {
    const auto step = chunks.next(std::string_view(in_).substr(used));
    used += step.consumed;
    request_.body.append(step.data);
    if (request_.body.size() > limits_.body_bytes_max)
      return reject(413, "body", "the body is larger than this server takes");
    if (step.what == kind::data) continue;
    in_.erase(0, used);
    if (step.what == kind::bad) return reject(400, "bad-request", step.reason);
    return step.what == kind::done ? got::request : got::closed;
  }
}

connection::got connection::reject(unsigned status, std::string_view word,
                                   std::string_view detail) {
  answer_ = make_problem(status, word, detail);
  return got::bad;
}

asio::awaitable<bool> connection::read_some() {
  const std::size_t before = in_.size();
  in_.resize(before + piece);
  boost::system::error_code ec;
  const std::size_t n =
      co_await socket_.async_read_some(asio::buffer(in_.data() + before, piece),
                                       asio::redirect_error(asio::use_awaitable, ec));
  in_.resize(before + (ec ? 0 : n));
  co_return !ec;
}

// Leaves the backend's answer in answer_.
asio::awaitable<void> connection::ask() {
  deadline_.cancel();
  const auto box = std::make_shared<mailbox>(socket_.get_executor());
  const std::weak_ptr<mailbox> weak = box;
  const bool open = handle_(request_, [weak](api_response a) {
    if (const auto b = weak.lock()) b->put(std::move(a));
  });
  if (!open) close();
  if (open && !box->filled) {
    box->ready.expires_after(limits_.answer_timeout);
    boost::system::error_code ignored;
    co_await box->ready.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (!box->filled) reject(504, "too-slow", "this takes longer than an answer may; it goes on");
  if (box->filled) answer_ = std::move(box->answer);
}

// False: this was the connection's last answer.
asio::awaitable<bool> connection::respond() {
  const std::string head = make_head(answer_, keep_alive_);
  const std::array<asio::const_buffer, 2> parts{
      asio::buffer(head), to_head_ ? asio::const_buffer() : asio::buffer(answer_.body)};
  timed_out_ = false;
  arm(limits_.request_timeout);
  boost::system::error_code ec;
  co_await asio::async_write(socket_, parts, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return false;
  if (!keep_alive_) co_await linger();
  co_return keep_alive_;
}

// A close with unread input would reset the connection and destroy the answer on its way.
asio::awaitable<void> connection::linger() {
  boost::system::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  arm(linger_max);
  for (std::size_t thrown_away = in_.size(); thrown_away < linger_bytes_max;) {
    in_.clear();
    const bool read = co_await read_some();
    if (!read) break;
    thrown_away += in_.size();
  }
}

}  // namespace weir::admin
