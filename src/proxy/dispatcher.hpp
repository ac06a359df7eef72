// Runs the attempts of durable batches on one loop: opens an attempt in the store, sends it as any
// other through an exchange without a client, and writes down how it ended. Owned by the door; the
// loop's thread only.
// Invariants: nothing goes to a worker before the attempt's number is durable; what ended is not
// forgotten before the store knows it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "proxy/backroom.hpp"
#include "proxy/durable.hpp"
#include "proxy/exchange.hpp"
#include "proxy/stored_run.hpp"

namespace weir::proxy {

class dispatcher {
 public:
  explicit dispatcher(hall& h) : hall_(h) {}
  dispatcher(const dispatcher&) = delete;
  dispatcher& operator=(const dispatcher&) = delete;

  void begin(run_order o);
  void interrupt(std::uint64_t owner);       // it was cancelled
  void abort();                              // shutting down: attempts are broken off
  bool empty() const noexcept { return runs_ == nullptr; }
  void when_empty(std::function<void()> told);

 private:
  struct run {
    run(dispatcher& d, run_order o);
    ~run();
    dispatcher& home;
    run_order order;
    plan_ptr plan;
    durable_tools* tools;
    const route_plan* route = nullptr;
    stored_run kept;
    store::file body;                        // open while an attempt sends it
    std::unique_ptr<exchange> x;
    net::timer timer;
    net::signal woken;
    std::int64_t began_ms = 0;
    fault stopped = fault::none;
    run* next = nullptr;
    run** link = nullptr;
  };

  net::task<void> serve(std::unique_ptr<run> r);
  net::task<bool> attempt_until_over(run& r);
  net::task<bool> open(run& r, store::batch& what);
  net::task<bool> open_body(run& r, const store::batch& what, const std::string& worker);
  net::task<void> postpone(run& r, const std::string& worker, store::failure why);
  net::task<void> condemn(run& r, bool tells, store::failure why);
  void refuse_opening(run& r, const store::failure& why);
  net::task<bool> send(run& r, const store::batch& what, core::grant& next);
  void prepare(run& r, const store::batch& what);
  net::task<store::finished_attempt> result_of(run& r, const store::batch& what);
  net::task<bool> write_down(run& r, store::finished_attempt how);
  net::task<void> pause(run& r, base::duration how_long);
  static void pause_over(void* context);
  static void stop(run& r, fault why);

  hall& hall_;
  run* runs_ = nullptr;
  std::function<void()> emptied_;
};

}  // namespace weir::proxy
