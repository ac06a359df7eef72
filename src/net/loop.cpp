#include "net/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.hpp"

namespace weir::net {
namespace {

constexpr std::uint64_t bell_key = ~std::uint64_t{0};
constexpr int events_per_turn = 256;
constexpr int wait_ms_max = 500;

thread_local loop* running = nullptr;

std::uint64_t key_of(const watch& w) {
  return (std::uint64_t{w.generation} << 32) | w.index;
}

void resume(std::coroutine_handle<>& slot) {
  if (auto h = std::exchange(slot, nullptr)) h.resume();
}

}  // namespace

instant loop::read_clock() noexcept {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return instant{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
}

loop::loop(unsigned index) : index_(index), now_(read_clock()), timers_(now_) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  bell_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  WEIR_CHECK(epoll_ >= 0 && bell_ >= 0);
  epoll_event e{};
  e.events = EPOLLIN | EPOLLET;
  e.data.u64 = bell_key;
  WEIR_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, bell_, &e) == 0);
}

loop::~loop() {
  ::close(bell_);
  ::close(epoll_);
}

watch& loop::add(int fd) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(watches_.size()));
    watches_.emplace_back().index = free_.back();
  }
  watch& w = watches_[free_.back()];
  free_.pop_back();
  w.fd = fd;
  epoll_event e{};
  e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  e.data.u64 = key_of(w);
  WEIR_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e) == 0);
  return w;
}

void loop::remove(watch& w) noexcept {
  const std::uint32_t index = w.index, generation = w.generation + 1;
  w = watch{};   // the descriptor leaves the epoll set when its owner closes it
  w.index = index;
  w.generation = generation;
  free_.push_back(index);
}

void loop::post(std::function<void()> what) {
  bool first;
  {
    std::lock_guard guard(mail_lock_);
    first = mail_.empty();
    mail_.push_back(std::move(what));
  }
  if (first) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(bell_, &one, sizeof one);
  }
}

void loop::stop() {
  post([this] { stopping_ = true; });
}

loop* loop::current() noexcept { return running; }

void loop::run() {
  running = this;
  now_ = read_clock();
  while (!stopping_ || !deferred_.empty()) turn();
  running = nullptr;
}

int loop::wait_ms() const {
  if (!deferred_.empty()) return 0;
  instant due = timers_.next();
  if (tick_.due) due = std::min(due, tick_.due());
  if (due == base::never) return wait_ms_max;
  const auto left = due - now_;
  if (left.count() <= 0) return 0;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(ms, wait_ms_max));
}

void loop::turn() {
  std::array<epoll_event, events_per_turn> events;
  const int n = epoll_wait(epoll_, events.data(), events_per_turn, wait_ms());
  WEIR_CHECK(n >= 0 || errno == EINTR);
  now_ = read_clock();
  for (int i = 0; i < n; ++i) dispatch(events[i].data.u64, events[i].events);
  run_deferred();
  if (timers_.next() <= now_) timers_.advance(now_);
  if (tick_.due && tick_.due() <= now_) tick_.run(now_);
  run_deferred();
}

void loop::dispatch(std::uint64_t key, std::uint32_t events) {
  if (key == bell_key) return read_mail();
  watch& w = watches_[static_cast<std::uint32_t>(key)];
  const auto generation = static_cast<std::uint32_t>(key >> 32);
  const auto still = [&] { return w.generation == generation && w.fd >= 0; };
  if (!still()) return;
  const bool closed_before = w.peer_closed, broken_before = w.broken;
  if (events & EPOLLRDHUP) w.peer_closed = true;
  if (events & (EPOLLERR | EPOLLHUP)) w.broken = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) w.readable = true;
  if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) w.writable = true;
  if (w.crossed && (w.readable || w.writable)) {
    w.readable = w.writable = true;
    w.crossed = false;
  }
  if (w.readable) resume(w.reader);
  if (still() && w.writable) resume(w.writer);
  const bool news = still() && (w.peer_closed != closed_before || w.broken != broken_before);
  if (news && w.departed) w.departed(w.context);
}

void loop::run_deferred() {
  resuming_.swap(deferred_);
  for (auto h : resuming_) h.resume();   // those deferred by these run on the next turn
  resuming_.clear();
}

void loop::read_mail() {
  std::uint64_t rung;
  [[maybe_unused]] const auto n = ::read(bell_, &rung, sizeof rung);
  std::vector<std::function<void()>> mail;
  {
    std::lock_guard guard(mail_lock_);
    mail.swap(mail_);
  }
  for (auto& m : mail) m();
}

void interrupt_reader(loop& l, watch& w) {
  w.interrupt_reader = true;
  if (auto h = std::exchange(w.reader, nullptr)) l.defer(h);
}

void interrupt_writer(loop& l, watch& w) {
  w.interrupt_writer = true;
  if (auto h = std::exchange(w.writer, nullptr)) l.defer(h);
}

}  // namespace weir::net
