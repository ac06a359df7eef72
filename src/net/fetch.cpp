#include "net/fetch.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>

#include "net/tls_client_context.hpp"

namespace weir::net {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using protocol = asio::generic::stream_protocol;
using base::error_code;

// The connection and its clock, shared between the coroutine, the timer's handler and the stop.
// Closing the socket ends whatever the coroutine awaits; `why` then says what it was.
struct fetch_stop::state {
  struct wire;
  bool stopped = false;
  std::vector<std::weak_ptr<wire>> wires;
};

struct fetch_stop::state::wire {
  explicit wire(asio::io_context& context) : socket(context), timer(context) {}
  void end(fetch_failure reason) {
    if (why == fetch_failure::none || reason == fetch_failure::cancelled) why = reason;
    error_code ignored;
    socket.close(ignored);
  }

  protocol::socket socket;
  asio::steady_timer timer;
  fetch_failure why = fetch_failure::none;
};

namespace {

using wire = fetch_stop::state::wire;
using wire_ptr = std::shared_ptr<wire>;
using secure_stream = asio::ssl::stream<protocol::socket&>;
constexpr auto awaited = asio::as_tuple(asio::use_awaitable);
constexpr int interim_max = 8;  // 1xx responses before the final one

using clock = asio::steady_timer::clock_type;

void arm(const wire_ptr& w, clock::time_point at) {
  w->timer.expires_at(at);
  w->timer.async_wait([weak = std::weak_ptr(w)](error_code ec) {
    const auto alive = weak.lock();
    if (!ec && alive && alive->timer.expiry() <= clock::now()) alive->end(fetch_failure::timed_out);
  });
}

void attach(const fetch_stop& stop, const wire_ptr& w) {
  auto& wires = stop.shared()->wires;
  std::erase_if(wires, [](const auto& weak) { return weak.expired(); });
  wires.push_back(w);
  if (stop.stopped()) w->end(fetch_failure::cancelled);
}

std::string seconds_text(base::duration d) {
  std::string text = std::to_string(base::to_seconds(d));
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + " s";
}

// One errand: what every step needs to know, and where it writes how things went.
struct errand {
  wire_ptr w;
  fetch_peer peer;
  base::duration timeout{};
  clock::time_point deadline;
  socket_address at{};  // being tried, or connected
  fetch_result out;

  // A failure that the step itself saw, unless the clock or a stop caused it. False, for returning.
  bool fail(fetch_failure seen, const std::string& doing, const std::string& detail) {
    out.failure = w->why == fetch_failure::none ? seen : w->why;
    const std::string who = at.size ? " " + to_string(at) : "";
    if (out.failure == fetch_failure::cancelled)
      out.error = "cancelled";
    else if (out.failure == fetch_failure::timed_out)
      out.error = "timed out after " + seconds_text(timeout) + " " + doing + who;
    else
      out.error = doing + who + ": " + detail;
    return false;
  }
};

fetch_failure kind_of(const error_code& e) {
  using namespace boost::system::errc;
  const bool ours = e == too_many_files_open || e == too_many_files_open_in_system ||
                    e == no_buffer_space || e == not_enough_memory;
  return ours ? fetch_failure::exhausted : fetch_failure::connect;
}

asio::awaitable<bool> connect_one(errand& e) {
  e.w->socket = protocol::socket(e.w->socket.get_executor());
  const protocol::endpoint to(e.at.data(), e.at.size, e.at.family() == AF_UNIX ? 0 : IPPROTO_TCP);
  auto [failed] = co_await e.w->socket.async_connect(to, awaited);
  if (!failed) co_return true;
  co_return e.fail(kind_of(failed), "connecting to", failed.message());
}

// Each address gets its share of the time: one that swallows packets must not hide the next.
asio::awaitable<bool> connect_any(errand& e) {
  if (e.peer.where.empty()) co_return e.fail(fetch_failure::connect, "connecting", "no address");
  auto left = static_cast<std::int64_t>(e.peer.where.size());
  for (const socket_address& to : e.peer.where) {
    if (e.w->why == fetch_failure::cancelled) co_return e.fail(e.w->why, {}, {});
    const auto now = clock::now();
    e.w->why = fetch_failure::none;
    e.at = to;
    arm(e.w, now + (e.deadline - now) / left--);
    const bool connected = co_await connect_one(e);
    if (!connected) continue;
    arm(e.w, e.deadline);
    e.out = {};  // what the addresses before it said
    co_return true;
  }
  co_return false;
}

asio::awaitable<bool> handshake(errand& e, secure_stream& stream) {
  auto [failed] = co_await stream.async_handshake(asio::ssl::stream_base::client, awaited);
  if (!failed) co_return true;
  const std::string refused = verify_failure(stream.native_handle());
  const bool eof = failed == asio::error::eof || failed == asio::ssl::error::stream_truncated;
  co_return e.fail(fetch_failure::tls, "TLS handshake with",
                   !refused.empty() ? "certificate refused: " + refused
                   : eof            ? "connection closed"
                                    : failed.message());
}

using request_message = http::request<http::string_body>;
using response_parser = http::response_parser<http::string_body>;

request_message make_message(const fetch_request& r) {
  request_message m;
  m.method_string(r.method);
  m.target(r.target);
  m.version(11);
  m.set(http::field::host, r.host);
  m.set(http::field::connection, "close");
  m.set(http::field::user_agent, "weir/" WEIR_VERSION);
  for (const auto& [field, value] : r.fields) m.set(field, value);
  m.body() = r.body;
  m.prepare_payload();
  return m;
}

void take_head(errand& e, const response_parser& parser) {
  e.out.status = parser.get().result_int();
  for (const auto& field : parser.get())
    e.out.fields.emplace_back(field.name_string(), field.value());
}

bool fail_reading(errand& e, error_code ec) {
  const bool early = ec == http::error::end_of_stream || ec == http::error::partial_message ||
                     ec == asio::error::eof || ec == asio::ssl::error::stream_truncated;
  if (ec == http::error::body_limit)
    return e.fail(fetch_failure::too_large, "answer of", "too large");
  return e.fail(fetch_failure::broken, "answer of",
                early ? "connection closed before its end" : ec.message());
}

// Reads one response, interim ones included. The head is kept even when the body fails.
template <class Stream>
asio::awaitable<bool> receive(errand& e, Stream& stream, bool to_head, fetch_limits limits) {
  boost::beast::flat_buffer buffer;
  for (int interim = 0; interim <= interim_max; ++interim) {
    response_parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits.head_bytes_max));
    parser.body_limit(limits.body_max);
    parser.skip(to_head);
    auto [no_head, head_bytes] = co_await http::async_read_header(stream, buffer, parser, awaited);
    if (no_head == http::error::body_limit) take_head(e, parser);
    if (no_head) co_return fail_reading(e, no_head);
    if (parser.get().result_int() < 200) continue;
    take_head(e, parser);
    auto [no_body, body_bytes] = co_await http::async_read(stream, buffer, parser, awaited);
    e.out.body = std::move(parser.get().body());
    if (no_body) co_return fail_reading(e, no_body);
    co_return true;
  }
  co_return e.fail(fetch_failure::broken, "answer of", "too many interim responses");
}

// A server may answer and close before it has read a whole request (RFC 9112 §9.3): a failed write
// is only a failure when no answer can be read.
template <class Stream>
asio::awaitable<bool> exchange(errand& e, Stream& stream, const fetch_request& request,
                               fetch_limits limits) {
  const request_message message = make_message(request);
  auto [unsent, bytes] = co_await http::async_write(stream, message, awaited);
  const bool answered = co_await receive(e, stream, request.method == "HEAD", limits);
  if (!answered && unsent && e.out.status == 0)
    co_return e.fail(fetch_failure::broken, "sending to", unsent.message());
  co_return answered;
}

// null: e.out says why.
std::unique_ptr<secure_stream> make_secure(errand& e) {
  SSL* session = SSL_new(e.peer.tls->handle());
  if (session && prepare_client_ssl(session, e.peer.server_name))
    return std::make_unique<secure_stream>(e.w->socket, session);
  SSL_free(session);
  e.fail(fetch_failure::tls, "TLS with", "cannot verify the name '" + e.peer.server_name + "'");
  return nullptr;
}

// Connected, and secured when that is asked for: then `request`, if there is one.
asio::awaitable<bool> converse(errand& e, const fetch_request* request, fetch_limits limits) {
  if (!e.peer.tls && !request) co_return true;
  if (!e.peer.tls) {
    const bool answered = co_await exchange(e, e.w->socket, *request, limits);
    co_return answered;
  }
  const auto stream = make_secure(e);
  if (!stream) co_return false;
  const bool secured = co_await handshake(e, *stream);
  if (!secured || !request) co_return secured;
  const bool answered = co_await exchange(e, *stream, *request, limits);
  co_return answered;
}

asio::awaitable<fetch_result> run(asio::io_context& context, fetch_peer peer,
                                  std::optional<fetch_request> request, fetch_limits limits,
                                  fetch_stop stop) {
  errand e{std::make_shared<wire>(context),
           std::move(peer),
           limits.timeout,
           clock::now() + std::chrono::duration_cast<clock::duration>(limits.timeout),
           {},
           {}};
  attach(stop, e.w);
  const bool connected = co_await connect_any(e);
  if (connected) co_await converse(e, request ? &*request : nullptr, limits);
  e.w->timer.cancel();
  e.w->end(fetch_failure::none);
  co_return std::move(e.out);
}

fetch_result gave_up(std::exception_ptr why) {
  try {
    std::rethrow_exception(why);
  } catch (const std::exception& x) {
    return {fetch_failure::broken, x.what(), 0, {}, {}};
  }
}

void start(asio::io_context& context, asio::awaitable<fetch_result> what, fetched tell) {
  asio::co_spawn(context, std::move(what),
                 [tell = std::move(tell)](std::exception_ptr thrown, fetch_result result) {
                   tell(thrown ? gave_up(thrown) : std::move(result));
                 });
}

}  // namespace

std::string_view name(fetch_failure f) noexcept {
  switch (f) {
    case fetch_failure::none:
      return "none";
    case fetch_failure::connect:
      return "connect";
    case fetch_failure::exhausted:
      return "exhausted";
    case fetch_failure::tls:
      return "tls";
    case fetch_failure::timed_out:
      return "timed_out";
    case fetch_failure::broken:
      return "broken";
    case fetch_failure::too_large:
      return "too_large";
    case fetch_failure::cancelled:
      return "cancelled";
  }
  return "";
}

std::string_view fetch_result::field(std::string_view field_name) const noexcept {
  for (const auto& [key, value] : fields) {
    if (boost::beast::iequals(key, field_name)) return value;
  }
  return {};
}

fetch_stop::fetch_stop() : state_(std::make_shared<state>()) {}
bool fetch_stop::stopped() const noexcept {
  return state_->stopped;
}

void fetch_stop::stop() const {
  state_->stopped = true;
  for (const auto& weak : std::exchange(state_->wires, {})) {
    if (const auto alive = weak.lock()) alive->end(fetch_failure::cancelled);
  }
}

asio::awaitable<fetch_result> fetch(asio::io_context& context, fetch_peer peer,
                                    fetch_request request, fetch_limits limits, fetch_stop stop) {
  return run(context, std::move(peer), std::move(request), limits, std::move(stop));
}

asio::awaitable<fetch_result> try_connect(asio::io_context& context, fetch_peer peer,
                                          base::duration timeout, fetch_stop stop) {
  fetch_limits limits;
  limits.timeout = timeout;
  return run(context, std::move(peer), std::nullopt, limits, std::move(stop));
}

void fetch_then(asio::io_context& context, fetch_peer peer, fetch_request request,
                fetch_limits limits, fetch_stop stop, fetched tell) {
  start(context, fetch(context, std::move(peer), std::move(request), limits, std::move(stop)),
        std::move(tell));
}

void try_connect_then(asio::io_context& context, fetch_peer peer, base::duration timeout,
                      fetch_stop stop, fetched tell) {
  start(context, try_connect(context, std::move(peer), timeout, std::move(stop)), std::move(tell));
}

}  // namespace weir::net
