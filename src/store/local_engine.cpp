#include "store/local_engine.hpp"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace weir::store {
namespace {

constexpr unsigned page_rows = 4096;   // read at once at the start

// Not the asker's mistake: the transaction around it is void.
bool breaks_group(const failure& f) {
  return f.what == trouble::full || f.what == trouble::io || f.what == trouble::damaged;
}

// Something to do with the ledger, and whom to tell what came of it.
struct job {
  virtual ~job() = default;
  virtual const failure* run(ledger& l) = 0;   // null: it is done; valid until the next run
  virtual void fail(const failure& f) = 0;     // its transaction came to nothing
  virtual void tell() = 0;
};

template <class T>
struct job_of final : job {
  job_of(std::function<outcome<T>(ledger&)> w, done<T> t)
      : work(std::move(w)), told(std::move(t)) {}
  const failure* run(ledger& l) override {
    got.emplace(work(l));
    if (*got) return nullptr;
    why = got->error();
    return &why;
  }
  void fail(const failure& f) override { got.emplace(f); }
  void tell() override { told(std::move(*got)); }

  std::function<outcome<T>(ledger&)> work;
  done<T> told;
  std::optional<outcome<T>> got;
  failure why;
};

using job_ptr = std::unique_ptr<job>;

}  // namespace

struct local_engine::state {
  state(ledger l, std::string spool_folder, std::uint64_t next_spool, unsigned most)
      : book(std::move(l)), bodies(std::move(spool_folder), next_spool), group_max(most) {}

  template <class T>
  void ask(std::function<outcome<T>(ledger&)> work, done<T> told) {
    auto made = std::make_unique<job_of<T>>(std::move(work), std::move(told));
    {
      const std::lock_guard lock(mutex);
      waiting.push_back(std::move(made));
    }
    wake.notify_one();
  }
  void run();
  std::vector<job_ptr> take();
  void perform(std::vector<job_ptr>& group);
  bool together(std::vector<job_ptr>& group);
  void alone(job& one);
  outcome<void> set_aside(const ledger::open_page& page, unix_ms now);

  ledger book;
  spool bodies;
  const unsigned group_max;
  std::size_t damaged = 0;
  std::atomic<std::uint64_t> commits{0};

  std::mutex mutex;
  std::condition_variable wake;
  std::vector<job_ptr> waiting;   // under the mutex, as the next
  bool closing = false;
  std::thread thread;
};

void local_engine::state::run() {
  for (;;) {
    std::vector<job_ptr> group = take();
    if (group.empty()) return;
    perform(group);
    for (const job_ptr& one : group) one->tell();
  }
}

// Waits for something to do; empty: closing, and all was done.
std::vector<job_ptr> local_engine::state::take() {
  std::unique_lock lock(mutex);
  wake.wait(lock, [&] { return closing || !waiting.empty(); });
  if (waiting.size() <= group_max) return std::exchange(waiting, {});
  const auto end = waiting.begin() + group_max;
  std::vector<job_ptr> group(std::make_move_iterator(waiting.begin()),
                             std::make_move_iterator(end));
  waiting.erase(waiting.begin(), end);
  return group;
}

void local_engine::state::perform(std::vector<job_ptr>& group) {
  if (together(group)) return;
  for (const job_ptr& one : group) alone(*one);
}

// False: nothing of it happened.
bool local_engine::state::together(std::vector<job_ptr>& group) {
  if (!book.begin()) return false;
  for (const job_ptr& one : group) {
    const failure* const why = one->run(book);
    if (!why || !breaks_group(*why)) continue;
    book.roll_back();
    return false;
  }
  const bool good = book.commit().has_value();
  if (!good) book.roll_back();
  commits.fetch_add(good, std::memory_order_relaxed);
  return good;
}

void local_engine::state::alone(job& one) {
  if (const auto begun = book.begin(); !begun) return one.fail(begun.error());
  if (one.run(book)) return book.roll_back();
  const auto committed = book.commit();
  if (committed) {
    commits.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  book.roll_back();
  one.fail(committed.error());
}

outcome<void> local_engine::state::set_aside(const ledger::open_page& page, unix_ms now) {
  if (page.damaged.empty()) return {};
  if (auto begun = book.begin(); !begun) return begun;
  for (const auto& [seq, why] : page.damaged) {
    if (auto moved = book.set_aside(seq, why.detail, now); !moved) {
      book.roll_back();
      return moved;
    }
  }
  damaged += page.damaged.size();
  return book.commit();
}

// --- opening ------------------------------------------------------------------------------------

namespace {

outcome<void> make_folder(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return failure{trouble::io, "making the folder " + path + ": " + failed.message()};
  return {};
}

outcome<void> sweep(ledger& book, const spool& bodies) {
  const auto named = book.spool_files();
  if (!named) return named.error();
  const auto swept = bodies.sweep({named->begin(), named->end()});
  if (!swept) return swept.error();
  return {};
}

}  // namespace

outcome<std::unique_ptr<local_engine>> local_engine::open(const local_settings& settings) {
  const std::string spool_folder = settings.folder + "/spool";
  if (auto made = make_folder(spool_folder); !made) return made.error();
  auto book = ledger::open(settings.folder + "/batches.db", settings.vfs);
  if (!book) return book.error();
  const auto highest = book->highest_spool();
  if (!highest) return highest.error();
  auto made = std::make_unique<state>(std::move(*book), spool_folder, *highest + 1,
                                      settings.group_max);
  if (auto swept = sweep(made->book, made->bodies); !swept) return swept.error();
  return std::unique_ptr<local_engine>(new local_engine(std::move(made)));
}

local_engine::local_engine(std::unique_ptr<state> made) : state_(std::move(made)) {
  state_->thread = std::thread([s = state_.get()] { s->run(); });
}

local_engine::~local_engine() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
  }
  state_->wake.notify_one();
  state_->thread.join();
}

// --- what is asked ------------------------------------------------------------------------------

void local_engine::add(batch b, done<void> told) {
  state_->ask<void>([b = std::move(b)](ledger& l) { return l.add(b); }, std::move(told));
}

void local_engine::start_attempt(batch_id id, std::string worker, unix_ms now,
                                 done<std::uint32_t> told) {
  state_->ask<std::uint32_t>(
      [id, worker = std::move(worker), now](ledger& l) { return l.start_attempt(id, worker, now); },
      std::move(told));
}

void local_engine::end_attempt(finished_attempt how, done<void> told) {
  state_->ask<void>(
      [how = std::move(how)](ledger& l) {
        return l.end_attempt(how.id, {how.note, how.next, how.not_before,
                                      how.answer ? &*how.answer : nullptr});
      },
      std::move(told));
}

void local_engine::cancel(batch_id id, unix_ms now, done<void> told) {
  state_->ask<void>([=](ledger& l) { return l.cancel(id, now); }, std::move(told));
}

void local_engine::requeue(batch_id id, unix_ms now, done<void> told) {
  state_->ask<void>([=](ledger& l) { return l.requeue(id, now); }, std::move(told));
}

// The files go when no record can name them any more: after the commit.
void local_engine::drop(batch_id id, done<void> told) {
  state* const s = state_.get();
  s->ask<std::vector<std::uint64_t>>(
      [id](ledger& l) { return l.drop(id); },
      [s, told = std::move(told)](outcome<std::vector<std::uint64_t>> files) {
        if (!files) return told(files.error());
        for (const std::uint64_t n : *files) (void)s->bodies.remove(n);   // else swept at a start
        told({});
      });
}

void local_engine::find(batch_id id, bool with_body, done<batch> told) {
  state_->ask<batch>([=](ledger& l) { return l.find(id, with_body); }, std::move(told));
}

void local_engine::response_of(batch_id id, done<response> told) {
  state_->ask<response>([id](ledger& l) { return l.response_of(id); }, std::move(told));
}

void local_engine::attempts_of(batch_id id, done<std::vector<attempt_note>> told) {
  state_->ask<std::vector<attempt_note>>([id](ledger& l) { return l.attempts_of(id); },
                                         std::move(told));
}

void local_engine::list(batch_query q, done<std::vector<batch_line>> told) {
  state_->ask<std::vector<batch_line>>([q = std::move(q)](ledger& l) { return l.list(q); },
                                       std::move(told));
}

outcome<void> local_engine::each_open(unix_ms now, const std::function<void(batch)>& take) {
  for (std::int64_t after = 0;;) {
    auto page = state_->book.load_open(after, page_rows);
    if (!page) return page.error();
    if (auto aside = state_->set_aside(*page, now); !aside) return aside;
    for (batch& b : page->batches) take(std::move(b));
    if (page->last == 0) return {};
    after = page->last;
  }
}

std::size_t local_engine::damaged() const noexcept { return state_->damaged; }
spool& local_engine::bodies() noexcept { return state_->bodies; }
std::uint64_t local_engine::commits() const noexcept {
  return state_->commits.load(std::memory_order_relaxed);
}

}  // namespace weir::store
