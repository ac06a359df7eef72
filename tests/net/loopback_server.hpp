// A small HTTP server for tests, on the test's own io_context and a port of the kernel's choice:
// reads one request a connection, notes it, and answers with the raw bytes that the test wants.
// Plain or TLS. Also run_until, which turns the loop until a condition holds (or a minute passed).
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/socket_address.hpp"

namespace weir::test {

namespace asio = boost::asio;

// What a client sent; field names in lower case.
struct seen_request {
  std::string method, target, body, server_name;
  std::map<std::string, std::string> fields;
};

// The bytes to answer with, after which the connection is closed; nothing: say nothing and keep it.
using answer_with = std::function<std::optional<std::string>(const seen_request&)>;

inline std::string response(unsigned status, const std::string& body = {},
                            const std::string& fields = {}) {
  return "HTTP/1.1 " + std::to_string(status) +
         " Test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" +
         body;
}

namespace detail {

constexpr auto awaited = asio::as_tuple(asio::use_awaitable);

template <class Acceptor>
struct served {
  served(asio::io_context& context, typename Acceptor::endpoint_type at, answer_with how)
      : acceptor(context), answer(std::move(how)) {
    acceptor.open(at.protocol());
    acceptor.bind(at);
  }
  Acceptor acceptor;
  answer_with answer;
  std::shared_ptr<asio::ssl::context> tls;
  std::vector<seen_request> seen;
  unsigned connections = 0;
};

inline seen_request note(const boost::beast::http::request<boost::beast::http::string_body>& m) {
  seen_request r{m.method_string(), m.target(), m.body(), {}, {}};
  for (const auto& field : m) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    r.fields[name] = std::string(field.value());
  }
  return r;
}

template <class State, class Stream>
asio::awaitable<void> talk(std::shared_ptr<State> s, Stream& stream, std::string server_name) {
  boost::beast::flat_buffer buffer;
  boost::beast::http::request<boost::beast::http::string_body> message;
  auto [bad, n] = co_await boost::beast::http::async_read(stream, buffer, message, awaited);
  if (bad) co_return;
  seen_request r = note(message);
  r.server_name = server_name;
  s->seen.push_back(r);
  const std::optional<std::string> reply = s->answer(r);
  if (reply) {
    [[maybe_unused]] const auto sent =
        co_await asio::async_write(stream, asio::buffer(*reply), awaited);
    co_return;
  }
  char byte;
  [[maybe_unused]] const auto gone =
      co_await stream.async_read_some(asio::buffer(&byte, 1), awaited);
}

template <class State, class Socket>
asio::awaitable<void> serve(std::shared_ptr<State> s, Socket socket) {
  if (!s->tls) {
    co_await talk(s, socket, {});
    co_return;
  }
  asio::ssl::stream<Socket&> stream(socket, *s->tls);
  auto [bad] = co_await stream.async_handshake(asio::ssl::stream_base::server, awaited);
  if (bad) co_return;
  const char* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
  co_await talk(s, stream, name ? name : "");
  [[maybe_unused]] const auto closed = co_await stream.async_shutdown(awaited);
}

template <class State>
asio::awaitable<void> accept_all(std::shared_ptr<State> s) {
  for (;;) {
    auto [failed, socket] = co_await s->acceptor.async_accept(awaited);
    if (failed) co_return;
    ++s->connections;
    asio::co_spawn(s->acceptor.get_executor(), serve(s, std::move(socket)), asio::detached);
  }
}

}  // namespace detail

enum class listening { at_once, later };

template <class Acceptor>
class basic_loopback_server {
 public:
  basic_loopback_server(asio::io_context& context, typename Acceptor::endpoint_type at,
                        answer_with answer, std::shared_ptr<asio::ssl::context> tls = nullptr,
                        listening begin = listening::at_once)
      : state_(std::make_shared<detail::served<Acceptor>>(context, at, std::move(answer))) {
    state_->tls = std::move(tls);
    if (begin == listening::at_once) listen();
  }
  ~basic_loopback_server() { state_->acceptor.close(); }
  basic_loopback_server(const basic_loopback_server&) = delete;
  basic_loopback_server& operator=(const basic_loopback_server&) = delete;

  // Until then its port is taken and refuses connections.
  void listen() {
    state_->acceptor.listen();
    asio::co_spawn(state_->acceptor.get_executor(), detail::accept_all(state_), asio::detached);
  }
  const std::vector<seen_request>& seen() const { return state_->seen; }
  unsigned connections() const { return state_->connections; }
  typename Acceptor::endpoint_type local() const { return state_->acceptor.local_endpoint(); }

 private:
  std::shared_ptr<detail::served<Acceptor>> state_;
};

class loopback_server : public basic_loopback_server<asio::ip::tcp::acceptor> {
 public:
  loopback_server(asio::io_context& context, answer_with answer,
                  std::shared_ptr<asio::ssl::context> tls = nullptr,
                  listening begin = listening::at_once)
      : basic_loopback_server(context, {asio::ip::address_v4::loopback(), 0}, std::move(answer),
                              std::move(tls), begin) {}
  std::uint16_t port() const { return local().port(); }
  net::socket_address address() const { return *net::socket_address::ip("127.0.0.1", port()); }
};

using loopback_unix_server = basic_loopback_server<asio::local::stream_protocol::acceptor>;

// A port of 127.0.0.1 on which nobody listens, kept from others as long as it lives.
class closed_port {
 public:
  explicit closed_port(asio::io_context& context)
      : held_(context, {asio::ip::address_v4::loopback(), 0}) {}
  std::uint16_t port() const { return held_.local_endpoint().port(); }
  net::socket_address address() const { return *net::socket_address::ip("127.0.0.1", port()); }

 private:
  asio::ip::tcp::socket held_;  // bound, not listening
};

// True once the condition holds; false when a minute of turning the loop did not bring it about.
inline bool run_until(asio::io_context& context, const std::function<bool()>& holds) {
  const auto last = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  context.restart();
  while (!holds()) {
    if (std::chrono::steady_clock::now() > last) return false;
    if (context.stopped()) context.restart();
    context.run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace weir::test
