// task<T>: a lazily started coroutine that is awaited once, and spawn() for one that nobody awaits.
// A plain function that may have its result at once returns task<T>::ready(result) and needs no
// frame. Single-threaded: a task starts, suspends and ends on one loop. Completion resumes the
// awaiting coroutine by a plain call, bounded by the nesting of tasks: no optimisation level and no
// sanitizer changes the stack's depth. Frames come from a per-thread free list: none is
// allocated in the steady state. Nothing may throw out of a task: that ends the process.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

namespace weir::net {

void* allocate_frame(std::size_t bytes);
void release_frame(void* frame, std::size_t bytes) noexcept;
// Lets go of this thread's free frames that nobody needed since the last trim; returns bytes.
std::size_t trim_frames() noexcept;

namespace detail {

struct frame_memory {
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) { release_frame(frame, bytes); }
};

struct promise_base : frame_memory {
  std::coroutine_handle<> continuation;
  bool starting = false;   // still inside the awaiter's first resume
  bool finished = false;
  bool detached = false;   // nobody awaits it: the frame goes when it ends

  struct final_awaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) noexcept {
      promise_base& p = self.promise();
      if (p.detached) return self.destroy();
      p.finished = true;
      if (!p.starting && p.continuation) p.continuation.resume();
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  final_awaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { std::terminate(); }
};

template <class T>
struct promise_value : promise_base {
  std::optional<T> value;
  void return_value(T v) { value.emplace(std::move(v)); }
  T take() { return std::move(*value); }
};

// The result of a task that never ran, beside its missing frame.
template <class T>
struct ready_value {
  std::optional<T> value;
  T take() { return std::move(*value); }
};
template <>
struct ready_value<void> {
  void take() noexcept {}
};

template <>
struct promise_value<void> : promise_base {
  void return_void() noexcept {}
  void take() noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] task {
 public:
  struct promise_type : detail::promise_value<T> {
    task get_return_object() noexcept {
      return task{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
  };

  // A task that is over before it began: awaiting it goes on at once.
  template <class... V>
  static task ready(V&&... v) {
    task t{nullptr};
    if constexpr (sizeof...(V) > 0) t.ready_.value.emplace(std::forward<V>(v)...);
    return t;
  }

  task(task&& other) noexcept
      : frame_(std::exchange(other.frame_, nullptr)), ready_(std::move(other.ready_)) {}
  task& operator=(task&&) = delete;
  ~task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return !frame_; }
  bool await_suspend(std::coroutine_handle<> parent) {
    promise_type& p = frame_.promise();
    p.continuation = parent;
    p.starting = true;
    frame_.resume();
    p.starting = false;
    return !p.finished;
  }
  T await_resume() { return frame_ ? frame_.promise().take() : ready_.take(); }

  // Starts it on this thread; see spawn().
  void detach() && {
    if (!frame_) return;
    const auto frame = std::exchange(frame_, nullptr);
    frame.promise().detached = true;
    frame.resume();
  }

 private:
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
  [[no_unique_address]] detail::ready_value<T> ready_;
};

// Starts `body` now, on this thread; its frame goes when it ends.
inline void spawn(task<void> body) { std::move(body).detach(); }

}  // namespace weir::net
