// One thread's event loop: an edge-triggered epoll set, a timer wheel, a list of coroutines to
// resume, and a mailbox. Every connection is registered once for all its life and lives on one
// loop; nothing but post() and stop() may be called from another thread.
// Why not io_context here: each of its waits costs an empty read or an epoll_ctl, and it does not
// show EPOLLRDHUP; a registered-once edge-triggered set needs neither. The control thread, which is
// not on the data path, does run an io_context.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "net/timer.hpp"

namespace weir::net {

class loop;

// How a wait ended.
enum class wake : std::uint8_t { ready, interrupted };

// A descriptor's place in a loop: what the kernel last said of it and who waits for it.
struct watch {
  using departed_action = void (*)(void* context);

  int fd = -1;
  std::uint32_t index = 0, generation = 0;
  bool readable = false, writable = false;
  bool peer_closed = false;   // a FIN came (EPOLLRDHUP); data may still be unread
  bool broken = false;        // reset or error (EPOLLERR, or EPOLLHUP)
  bool interrupt_reader = false, interrupt_writer = false;
  bool crossed = false;       // TLS: a read waits for room to write, or a write for input
  std::coroutine_handle<> reader, writer;
  departed_action departed = nullptr;   // called when peer_closed turns true, and when broken does
  void* context = nullptr;
};

class loop {
 public:
  explicit loop(unsigned index);
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;
  ~loop();

  // Until stop(). Everything posted before stop() is run.
  void run();
  // The loop that this thread runs; null when it runs none.
  static loop* current() noexcept;
  void stop();                              // any thread
  void post(std::function<void()> what);    // any thread; in order

  // Resume `h` after the event at hand: for waking a coroutine from within another.
  void defer(std::coroutine_handle<> h) { deferred_.push_back(h); }

  // Registers a non-blocking descriptor for input, output and hang-up, edge-triggered. The watch
  // stays valid until remove(); events that were under way for a removed one are dropped.
  watch& add(int fd);
  void remove(watch& w) noexcept;

  // Called on each turn when now >= due(): for clocks that belong to nobody's connection.
  struct tick {
    std::function<instant()> due;
    std::function<void(instant now)> run;
  };
  void set_tick(tick t) { tick_ = std::move(t); }

  instant now() const noexcept { return now_; }          // of this turn
  static instant read_clock() noexcept;                  // CLOCK_MONOTONIC
  timer_wheel& timers() noexcept { return timers_; }
  unsigned index() const noexcept { return index_; }

 private:
  void turn();
  int wait_ms() const;
  void dispatch(std::uint64_t key, std::uint32_t events);
  void run_deferred();
  void read_mail();

  unsigned index_;
  int epoll_ = -1, bell_ = -1;
  instant now_;
  timer_wheel timers_;
  tick tick_;
  std::vector<std::coroutine_handle<>> deferred_, resuming_;
  std::deque<watch> watches_;
  std::vector<std::uint32_t> free_;
  bool stopping_ = false;

  std::mutex mail_lock_;
  std::vector<std::function<void()>> mail_;
};

// Awaits that `w` may be read (or written). Returns at once when it may already.
struct wait_readable {
  watch& w;
  bool await_ready() const noexcept { return w.readable || w.broken || w.interrupt_reader; }
  void await_suspend(std::coroutine_handle<> h) const noexcept { w.reader = h; }
  wake await_resume() const noexcept {
    w.reader = nullptr;
    if (!w.interrupt_reader) return wake::ready;
    w.interrupt_reader = false;
    return wake::interrupted;
  }
};
struct wait_writable {
  watch& w;
  bool await_ready() const noexcept { return w.writable || w.broken || w.interrupt_writer; }
  void await_suspend(std::coroutine_handle<> h) const noexcept { w.writer = h; }
  wake await_resume() const noexcept {
    w.writer = nullptr;
    if (!w.interrupt_writer) return wake::ready;
    w.interrupt_writer = false;
    return wake::interrupted;
  }
};

// Lets the loop turn before going on: for work that never has to wait, so that it starves nobody.
struct yield {
  loop& l;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) const { l.defer(h); }
  void await_resume() const noexcept {}
};

// Wakes a waiting reader (writer) as interrupted, or the next one to wait.
void interrupt_reader(loop& l, watch& w);
void interrupt_writer(loop& l, watch& w);

// One coroutine waits, another (or a callback on the same loop) rings; a ring before the wait
// counts.
class signal {
 public:
  explicit signal(loop& l) noexcept : loop_(l) {}
  void ring() {
    rung_ = true;
    if (auto h = std::exchange(waiter_, nullptr)) loop_.defer(h);
  }
  void reset() noexcept { rung_ = false; }
  bool rung() const noexcept { return rung_; }

  bool await_ready() const noexcept { return rung_; }
  void await_suspend(std::coroutine_handle<> h) noexcept { waiter_ = h; }
  void await_resume() noexcept { rung_ = false; }

 private:
  loop& loop_;
  std::coroutine_handle<> waiter_;
  bool rung_ = false;
};

}  // namespace weir::net
