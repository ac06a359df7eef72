// One batch on its way: the request as read, what the plan says of it, its place in core, the
// body's source, and everything that the access log will say. Owned by the coroutine that serves
// it; other events of its loop (deadlines, a client that left) reach it through stop(). Objects are
// reused.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/deadlines.hpp"
#include "core/retry.hpp"
#include "http/head.hpp"
#include "net/relay.hpp"
#include "proxy/answers.hpp"
#include "proxy/hall.hpp"
#include "proxy/input.hpp"
#include "proxy/replay.hpp"

namespace weir::proxy {

class session;
struct stored_run;
struct keyed_run;

class exchange {
 public:
  explicit exchange(hall& h);
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  // Before each request; keeps the input and the capacity of everything.
  void begin(session& s, instant now);
  // Before an attempt of a durable batch: no client is there, the answer is kept.
  void begin(stored_run& run, net::timer& t, instant now);

  // The batch cannot go on: whoever waits for it is woken. The first reason stands.
  void stop(fault why);
  void go_on() noexcept;  // to another attempt: an attempt's own stop is forgotten
  bool stopped() const noexcept { return stop_ != fault::none; }
  fault stop_reason() const noexcept { return stop_; }

  // Arms the session's timer for the first limit that runs; call when limits change.
  void arm();
  static void timer_fired(void* context);
  static void client_departed(void* context);

  // Could the request be sent again now, if the attempt ended this way?
  bool may_repeat(core::attempt_end end) const noexcept;
  bool wants_copy() const noexcept;         // a copy of the body is worth keeping
  void rewind_body() noexcept;              // a whole body: to be sent from its start again
  std::string_view batch_id() const noexcept { return {id.data(), id.size()}; }
  const config::route& route_settings() const noexcept { return route->settings; }

  hall& in;
  session* owner = nullptr;                 // null, as the client: of a durable batch
  net::socket* client = nullptr;
  net::timer* timer = nullptr;
  stored_run* stored = nullptr;             // of a durable batch
  keyed_run* keyed = nullptr;               // the answer will be kept for its Idempotency-Key
  plan_ptr plan;
  const route_plan* route = nullptr;

  proxy::input input;
  http::request_head head;                  // views into input until the forwarded head is written
  std::string request_head;                 // forwarded, without the lines of an attempt
  http::response_head answer_head;          // of the attempt that runs; views into its input
  std::string answer_text;                  // the response head to the client
  std::string method, tenant, target, host; // copies for the log and for retries
  std::string group;
  double cost = 0;                          // declared; 0: nothing
  std::array<char, 32> id{};
  bool idempotent = false, has_key = false, is_head = false, expects_continue = false;
  bool keep_alive = false, client_minor_zero = false;
  bool prefers_async = false, accepted = false;   // accepted: 202, its end is not this answer
  bool needs_key = false;                   // weir makes the Idempotency-Key that the client lacks

  net::body_source upload;                  // from the client
  std::string_view whole_body;              // in `input`, when it came whole with the head
  net::relay_progress upload_progress, download_progress;
  replay_copy copy;
  net::socket* worker_socket = nullptr;     // of the attempt that runs
  bool response_begun = false;              // the client got bytes of a final response
  bool cut_short = false;  // a response without framing broke off: reset, not close
  bool client_lost = false;                 // it left and on_client_gone says finish

  verdict_cell cell;
  std::uint64_t owner_number = 0;
  core::batch_id batch;                     // null: not in the pool
  core::deadlines deadlines;

  // For the log and the metrics.
  instant began, head_read, admitted, granted_last, first_byte, sent_last;
  base::duration queued{}, connect_time{-1};
  std::int64_t began_unix_ms = 0;
  unsigned status = 0;
  std::uint32_t attempts = 0;
  std::string worker;
  fault failed = fault::none;
  core::attempt_end retried_for = core::attempt_end::succeeded;
  std::uint64_t response_bytes = 0;
  bool reused_connection = false;

 private:
  void begin(instant now);
  bool client_has_left() const noexcept;
  core::deadlines::moved moved() const noexcept;
  fault stop_ = fault::none;
};

}  // namespace weir::proxy
