#include "app/signals.hpp"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace weir::app {
namespace {

sigset_t awaited() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGHUP, SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, s);
  return set;
}

// The next one; 0 when `patience` passed without.
int next(const sigset_t& set, const timespec* patience) {
  for (;;) {
    const int s = sigtimedwait(&set, nullptr, patience);
    if (s > 0) return s;
    if (errno == EAGAIN) return 0;
  }
}

}  // namespace

void signals::block() {
  const sigset_t set = awaited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

signals::signals(std::function<void(int)> told, std::chrono::milliseconds last_patience)
    : told_(std::move(told)), last_patience_(last_patience), thread_([this] { wait(); }) {}

signals::~signals() {
  over_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR1);   // wakes it
  thread_.join();
}

void signals::wait() {
  const sigset_t set = awaited();
  const timespec patience{last_patience_.count() / 1000, last_patience_.count() % 1000 * 1'000'000};
  int ends_asked_for = 0;
  for (;;) {
    const int s = next(set, ends_asked_for > 1 ? &patience : nullptr);
    if (over_) return;
    if (s == 0) ::_exit(1);   // some thread is stuck: nothing that it holds may be waited for
    ends_asked_for += s == SIGTERM || s == SIGINT;
    told_(s);
  }
}

}  // namespace weir::app
