// One client connection of the load generator: connects, shakes hands, sends one request at a time
// and steps over its answer. Driven by edge-triggered events; says what became of it and keeps no
// opinion on what comes next, which is the mode's. Errors are kinds, counted by the crowd.
#pragma once

#include <optional>
#include <string>

#include "http.hpp"
#include "stream.hpp"

namespace weir::load {

enum class trouble { connect, tls, reset, closed, malformed, status, timeout, count };
inline constexpr const char* trouble_names[] = {"connect",   "tls",    "reset",  "closed",
                                                "malformed", "status", "timeout"};

/// What is asked: a head, body bytes after it, and when it was due (latency counts from there).
struct request {
  std::string head;
  std::uint64_t body = 0;
  nanos due = 0;
};

/// What an event led to. ready: it may send. ended: the other side closed it while it was idle.
enum class event { none, ready, answered, ended, held, failed };

class connection {
 public:
  /// `hold_after`: stop reading an answer's body after this many bytes.
  connection(descriptor socket, const tls_client* tls, std::uint64_t hold_after);

  int number() const { return stream_.number(); }
  /// Never was ready to send: still connecting, or failed at it.
  bool unready() const { return !was_ready_; }
  /// Has a request without an answer.
  bool asked() const { return asked_; }
  const request& current() const { return request_; }
  trouble why() const { return why_; }
  /// The answer told that the connection ends with it.
  bool closing() const { return head_.close; }
  /// Bytes sent and received so far, over all requests.
  std::uint64_t sent() const { return sent_; }
  std::uint64_t received() const { return received_; }

  /// What an idle connection sends next; the first bytes go out at once.
  event send(request next);
  /// What the kernel reported: EPOLLIN and so on.
  event handle(std::uint32_t events);

 private:
  enum class state { connecting, shaking, idle, busy, done };

  event fail(trouble why);
  event connected();
  event shake();
  event flush();
  event receive();
  event receive_head();
  event take_head(std::string_view data);
  event receive_body();
  event skip_chunks(std::string_view data);
  event count_down(std::size_t bytes);
  event read_on(flow how);
  event complete();
  event idle_readable();

  stream stream_;
  std::uint64_t hold_after_;
  state state_ = state::connecting;
  trouble why_ = trouble::closed;
  bool was_ready_ = false;
  bool asked_ = false;
  request request_;
  std::uint64_t out_ = 0;  // of the request: head and body sent
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::string partial_;    // of a head that came in parts
  head head_;
  bool in_body_ = false;
  std::uint64_t body_left_ = 0;
  std::uint64_t body_read_ = 0;
  std::optional<chunk_skipper> chunks_;
};

}  // namespace weir::load
