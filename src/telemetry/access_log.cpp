#include "telemetry/access_log.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/check.hpp"
#include "telemetry/byte_ring.hpp"
#include "telemetry/log_file.hpp"
#include "telemetry/metrics.hpp"

namespace weir::telemetry {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto pause_between_rounds = 50ms;
constexpr std::chrono::milliseconds stall_max = 1s;   // of a pipe, before a round gives up
constexpr std::size_t record_bytes = 512;  // a usual line, for sizing

struct shard {
  explicit shard(std::size_t bytes) : ring(bytes, access_line_bytes_max), drops(1) {}
  byte_ring ring;
  second_cache cache;
  counter drops;   // added to by the producer
};

// Signals belong to the control thread; a broken pipe must come back as an error.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

struct access_log::state {
  state(const access_log_options& o, log_file f) : path(o.file), file(std::move(f)) {
    for (unsigned i = 0; i < o.shards; ++i)
      shards.push_back(std::make_unique<shard>(std::size_t{o.buffer_records} * record_bytes));
  }

  // --- the writer thread ---------------------------------------------------------------------
  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait_for(lock, pause_between_rounds, [this] { return stopping || wanted > started; });
      const bool last = stopping;
      ++started;
      lock.unlock();
      if (reopen_asked.exchange(false)) open_anew();
      drain(last ? std::optional(clock::now() + stall_max) : std::nullopt);
      lock.lock();
      finished = started;
      round_over.notify_all();
      if (last) return;
    }
  }

  void open_anew() {
    auto fresh = log_file::open(path);
    if (!fresh) {
      ++errors;
      return;
    }
    if (mid_line) skip_rest_of_line(*shards[next]);
    file = std::move(*fresh);
  }

  // A line cut by a failed write and a new file: its rest would be no line there.
  void skip_rest_of_line(shard& s) {
    std::size_t n = 0;
    for (const std::string_view run : s.ring.readable()) {
      const auto newline = run.find('\n');
      n += newline == std::string_view::npos ? run.size() : newline + 1;
      if (newline != std::string_view::npos) break;
    }
    s.ring.consume(n);
    mid_line = false;
    ++errors;
  }

  // One round over all shards, starting where the last one failed so that a line that was cut goes
  // on where it stopped. Ends at the first failure: what is left is tried again in the next round.
  void drain(std::optional<clock::time_point> deadline) {
    for (std::size_t i = 0; i < shards.size(); ++i) {
      if (!drain_shard(*shards[next], deadline)) return;
      next = (next + 1) % shards.size();
    }
  }

  bool drain_shard(shard& s, std::optional<clock::time_point> deadline) {
    // No more than the ring held at once, so that one busy shard does not starve the others.
    for (std::size_t left = s.ring.capacity(); left > 0;) {
      const auto runs = s.ring.readable();
      if (runs[0].empty()) return true;
      if (hurry && !deadline) return false;
      const auto wrote = write(runs, deadline);
      if (!wrote) return ++errors, false;
      s.ring.consume(*wrote);
      left -= std::min(left, *wrote);
    }
    return !mid_line;
  }

  base::result<std::size_t> write(const std::array<std::string_view, 2>& runs,
                                  std::optional<clock::time_point> deadline) {
    const auto left = deadline ? *deadline - clock::now() : clock::duration(stall_max);
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(left);
    const auto wrote = file.write(runs, std::clamp(wait, 0ms, stall_max));
    if (!wrote || *wrote == 0) return wrote;
    const std::size_t in_first = std::min(*wrote, runs[0].size());
    const char last = *wrote > in_first ? runs[1][*wrote - in_first - 1] : runs[0][in_first - 1];
    mid_line = last != '\n';
    return wrote;
  }

  const std::string path;
  std::vector<std::unique_ptr<shard>> shards;
  std::atomic<bool> reopen_asked{false};
  std::atomic<bool> hurry{false};   // the last round is wanted: end the one that runs
  std::atomic<std::uint64_t> errors{0};
  // The writer's own.
  log_file file;
  std::size_t next = 0;    // the shard that the next round starts with
  bool mid_line = false;   // the last byte written ended no line; it came from `next`
  // Rounds, under the mutex.
  std::mutex mutex;
  std::condition_variable wake, round_over;
  std::uint64_t wanted = 0, started = 0, finished = 0;
  bool stopping = false;
  std::thread thread;
};

base::result<std::unique_ptr<access_log>> access_log::open(const access_log_options& o) {
  WEIR_CHECK(o.shards > 0);
  auto file = log_file::open(o.file);
  if (!file) return file.error();
  return std::unique_ptr<access_log>(
      new access_log(std::make_unique<state>(o, std::move(*file))));
}

access_log::access_log(std::unique_ptr<state> s) : s_(std::move(s)) {
  const signals_blocked blocked;
  s_->thread = std::thread([this] { s_->run(); });
}

access_log::~access_log() {
  {
    const std::lock_guard lock(s_->mutex);
    s_->stopping = true;
    s_->hurry = true;
  }
  s_->wake.notify_one();
  s_->thread.join();
}

bool access_log::offer(unsigned shard_number, const access_record& record) noexcept {
  shard& s = *s_->shards[shard_number];
  char* const at = s.ring.begin_line();
  if (!at) return s.drops.add(0), false;
  s.ring.end_line(format_access_line(record, s.cache, at));
  return true;
}

void access_log::reopen() noexcept { s_->reopen_asked = true; }

void access_log::flush() {
  std::unique_lock lock(s_->mutex);
  // A round that runs may have passed our records already: the next one has not.
  const std::uint64_t round = s_->started + 1;
  s_->wanted = std::max(s_->wanted, round);
  s_->wake.notify_one();
  s_->round_over.wait(lock, [&] { return s_->finished >= round; });
}

std::uint64_t access_log::dropped() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& s : s_->shards) sum += s->drops.total();
  return sum;
}

std::uint64_t access_log::write_errors() const noexcept { return s_->errors; }

void access_log::collect(sink& to) const {
  to.counter(names::limit_hits, {{"limit", "access_log.buffer_records"}},
             static_cast<double>(dropped()));
  to.counter(names::access_log_errors, {}, static_cast<double>(write_errors()));
}

}  // namespace weir::telemetry
