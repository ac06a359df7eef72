// One attempt of a batch on a worker: reach it, send the request (its body, when long, by a child
// coroutine while the response is awaited), read the response's head, and either relay the response
// or hand the batch back to core for another attempt. Lives in a frame of carry.cpp, on one loop.
#pragma once

#include <string>

#include "proxy/session.hpp"

namespace weir::proxy {

// The batch was answered, or goes on: with a grant at once, or waiting for one.
enum class attempt_next : std::uint8_t { finished, granted, waiting };

class attempt {
 public:
  attempt(exchange& x, const core::grant& grant);

  // `next` becomes the grant to go on with when the outcome is `granted`.
  net::task<attempt_next> run(core::grant& next);

 private:
  // How an attempt failed: what core is told, what the client is told if it comes to that.
  struct failure {
    core::attempt_end end = core::attempt_end::failed;
    fault what = fault::none;
    std::string detail;
  };

  net::task<bool> reach();
  net::task<bool> open_link();
  net::task<void> send();
  void begin_request();
  net::task<void> send_on(net::body_sink sink);
  net::task<void> send_beside(std::string head, bool promised);
  net::task<net::relay_end> send_body(net::body_sink& sink);
  net::body_keeper* keeper() noexcept;
  void upload_ended(net::relay_end end);
  net::task<void> stop_upload();
  net::task<void> interrupt_upload();
  net::task<void> settle_copy();
  net::task<void> wait_for_copy();

  net::task<bool> read_head();
  enum class head_step : std::uint8_t { need_more, interim, complete, bad };
  head_step parse_head(std::size_t& scanned);
  bool take_bytes(net::wake woken);
  bool may_interim();
  net::task<bool> take_interim();
  void closed_without_answer();
  void stopped_by(fault why);

  net::task<attempt_next> judge(core::grant& next);
  net::task<attempt_next> judge_refusal(core::attempt_end end, core::grant& next);
  net::task<attempt_next> send_back(core::attempt_end end, core::grant& next);
  net::task<attempt_next> give_up(core::grant& next);
  net::task<attempt_next> relay_response();
  net::task<attempt_next> keep_response(core::grant& next);
  net::body_source response_body() const;
  net::body_keeper* answer_keeper() const noexcept;
  net::task<attempt_next> relay_on(net::body_source body, net::body_sink sink);
  net::task<net::relay_end> relay_body(net::body_source& body, net::body_sink& sink);
  http::body_kind write_head();
  void response_ended(net::relay_end end, const net::body_source& body, http::body_kind framing);
  void finish(core::attempt_end end, bool abandoned);
  core::verdict close(const core::attempt_report& report);
  attempt_next take_verdict(const core::verdict& v, core::grant& next);
  std::string poisoned_detail() const;
  core::attempt_report report_of(core::attempt_end end);
  bool retryable_stop() const noexcept;
  base::duration worker_retry_after() const;
  void learn_idle_life();
  double reported_load() const noexcept;
  bool answer_at_hand() const noexcept;
  void give_link_back();
  void part_with_link();
  void count(core::attempt_end end);

  exchange& x_;
  net::loop& loop_;
  ticket ticket_;
  target_ptr target_;
  link_ptr link_;
  input response_;
  http::response_head& head_;        // of the exchange, which outlives attempts: reused
  std::string& out_;                 // the response head to the client, likewise
  net::signal upload_done_;
  std::size_t head_common_ = 0;      // of the request head: what all attempts share
  std::uint32_t interims_ = 0;       // 1xx responses so far
  bool uploading_ = false, request_begun_ = false;
  failure failure_;
};

}  // namespace weir::proxy
