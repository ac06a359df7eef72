// One connection to an admin surface: reads requests one after the other, hands each to the api and
// writes its answer. A coroutine on the control thread's io_context; the server counts and cuts
// connections. Every wait has a deadline; a request that is not complete in time gets 408.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "admin/message.hpp"
#include "admin/server.hpp"
#include "http/chunked.hpp"
#include "http/head.hpp"

namespace weir::admin {

class connection {
 public:
  using stream = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                  boost::asio::io_context::executor_type>;
  using replier = std::function<void(api_response)>;
  // Hands a request over; false: the server is closed, go.
  using handler = std::function<bool(const api_request&, replier)>;

  connection(stream socket, std::string peer, const server_options& limits, handler handle,
             std::function<void(connection*)> gone);
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  // Serves until either side is done. The coroutine keeps the connection alive.
  static boost::asio::awaitable<void> serve(std::shared_ptr<connection> self);
  void close();

  // Since when it has waited for a whole request; nothing: one is being carried out or answered.
  using instant = std::chrono::steady_clock::time_point;
  std::optional<instant> waiting_since() const noexcept { return waiting_since_; }

 private:
  enum class got : std::uint8_t { request, bad, closed };
  struct mailbox;

  boost::asio::awaitable<got> read_request();
  boost::asio::awaitable<got> read_head();
  boost::asio::awaitable<got> read_body();
  boost::asio::awaitable<bool> read_some();
  boost::asio::awaitable<void> ask();
  boost::asio::awaitable<bool> respond();
  boost::asio::awaitable<void> linger();
  void take_head(const http::request_head& head);
  got take_body();
  got take_chunks(http::chunk_decoder& chunks);
  got reject(unsigned status, std::string_view word, std::string_view detail);
  void arm(base::duration d);
  void on_deadline();

  stream socket_;
  boost::asio::steady_timer deadline_;
  const std::string peer_;
  const server_options& limits_;   // the server's; it outlives its connections
  const handler handle_;
  const std::function<void(connection*)> gone_;
  const std::shared_ptr<connection*> here_ = std::make_shared<connection*>(this);   // for arm()

  std::string in_;                 // read and not yet used
  api_request request_;
  api_response answer_;            // what to respond with
  http::body_kind body_ = http::body_kind::none;
  std::uint64_t body_left_ = 0;
  bool keep_alive_ = false, to_head_ = false, expects_continue_ = false;
  bool timed_out_ = false;
  std::optional<instant> waiting_since_;
};

}  // namespace weir::admin
