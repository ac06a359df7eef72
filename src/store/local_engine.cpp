#include "store/local_engine.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "store/backup.hpp"
#include "store/checkpointer.hpp"
#include "store/folder_lock.hpp"
#include "store/groups.hpp"
#include "store/mend.hpp"

namespace weir::store {
namespace {

unix_ms wall_clock() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

struct local_engine::state {
  state(const local_settings& s, std::unique_ptr<books> b, std::uint64_t next_spool)
      : settings(s),
        book(std::move(b)),
        bodies(s.folder + "/" + spool_folder, next_spool),
        work(*book, s.group_max, {[this] { keep_log_short(), keep_log_dense(); },
                                   [this] { return mend(); },
                                   [this](const failure& f) { note(f); }}) {}
  ~state();
  static outcome<std::unique_ptr<state>> open(const local_settings& settings,
                                              const std::string& path);

  // `w`: outcome<T>(books&), on the store's thread.
  template <class T, class Work, class Told>
  void ask(Work w, Told told) {
    work.ask(std::make_unique<job_of<T, Work, Told>>(std::move(w), std::move(told)));
  }
  void remove(const spool_numbers& files);
  void keep_log_short();
  void keep_log_dense();
  void note(const failure& f);
  bool mend();
  void begin_copy(std::string folder, done<void> told);
  void end_copy();

  const local_settings settings;
  folder_lock lock;
  std::unique_ptr<books> book;
  spool bodies;
  std::atomic<std::uint64_t> damaged{0}, keys_forgotten{0}, short_of_room{0};

  std::mutex troubles_lock;
  troubles had;

  // Of the store's thread.
  std::uint64_t last_pass = 0;               // pages of the log when one was asked for
  bool passing = false;
  bool moving = false;
  unsigned rest = 0;                         // groups until bodies may be moved
  bool copying = false;
  spool_numbers unnamed;                     // to be removed when the copy is made

  std::unique_ptr<checkpointer> passes;      // none: all is in memory
  std::atomic<bool> stop{false};
  std::thread copier;
  groups work;                               // last: it ends first
};

void local_engine::state::note(const failure& f) {
  const std::lock_guard held(troubles_lock);
  ++had.count;
  had.last = f.detail;
}

// The copy asks for its end to be told: it goes before the store's thread does.
local_engine::state::~state() {
  stop = true;
  ask<void>([](books&) { return outcome<void>(); },
            [this](outcome<void>) { if (copier.joinable()) copier.join(); });
}

// A file goes when no record can name it any more, after the commit; what stays by mistake is swept
// at the next start.
void local_engine::state::remove(const spool_numbers& files) {
  if (copying) unnamed.insert(unnamed.end(), files.begin(), files.end());
  else for (const std::uint64_t n : files) (void)bodies.remove(n);
}

// The other thread copies most of the log; what came meanwhile is short, and is copied here, so
// that the log starts anew. While a reader holds it back, it is tried again as the log grows.
void local_engine::state::keep_log_short() {
  keys_forgotten.store(book->keys.forgotten(), std::memory_order_relaxed);
  short_of_room.store(book->short_of_room(), std::memory_order_relaxed);
  if (!passes) return;
  const std::uint64_t pages = book->log_pages();
  if (pages < last_pass) last_pass = 0;
  if (passing && passes->idle()) {
    passing = false;
    (void)book->check_point();
  } else if (!passing && pages >= last_pass + settings.log_pages) {
    passing = true;
    last_pass = pages;
    passes->ask();
  }
}

// A piece with each group, behind what waits. One that failed for want of room is no use soon.
void local_engine::state::keep_log_dense() {
  if (rest > 0) --rest;
  if (moving || rest > 0 || !book->log() || !book->log()->wasteful()) return;
  moving = true;
  ask<std::size_t>([](books& b) { return b.batches.move_bodies(); },
                   [this](outcome<std::size_t> moved) {
                     moving = false;
                     if (!moved) rest = 1000;
                   });
}

// No other connection may be open then: one that ends would take the new database's log with it.
bool local_engine::state::mend() {
  if (!passes) return false;
  passes.reset();
  stop = true;
  if (copier.joinable()) copier.join();
  stop = false, passing = false, last_pass = 0;
  std::uint64_t gaps = 0;
  const bool good = book->mend(gaps).has_value();
  damaged += gaps;
  if (auto again = checkpointer::start(settings.folder + "/" + database_file, settings.vfs); again)
    passes = std::move(*again);
  return good;
}

// --- a copy -------------------------------------------------------------------------------------

// From here on no spool file goes until end_copy().
void local_engine::state::begin_copy(std::string folder, done<void> told) {
  if (settings.folder.empty()) return told(failure{trouble::conflict, "there is nothing on disk"});
  if (copying) return told(failure{trouble::conflict, "a copy is being made already"});
  if (copier.joinable()) copier.join();
  copying = true;
  book->log()->hold();
  copier = std::thread([this, folder = std::move(folder), told = std::move(told)] {
    const copy_order order{settings.folder, folder, wall_clock(), &stop, settings.vfs};
    auto made = copy_store(order);
    ask<void>([](books&) { return outcome<void>(); },
              [this, made = std::move(made), told = std::move(told)](outcome<void>) {
                end_copy();
                told(made);
              });
  });
}

void local_engine::state::end_copy() {
  copying = false;
  book->log()->release();
  remove(std::exchange(unnamed, {}));
}

// --- opening ------------------------------------------------------------------------------------

namespace {

outcome<void> sweep_spool(ledger& of, const spool& bodies) {
  const auto swept = bodies.sweep([&](std::uint64_t n) { return of.names_spool(n); });
  if (!swept) return swept.error();
  return {};
}

}  // namespace

// Everything that reads: what it meets may be damaged.
outcome<std::unique_ptr<local_engine::state>> local_engine::state::open(
    const local_settings& settings, const std::string& path) {
  auto book = books::open(path, settings.now, settings.vfs, settings.segment_bytes);
  if (!book) return book.error();
  const auto highest = (*book)->batches.highest_spool();
  if (!highest) return highest.error();
  (*book)->keys.limit(settings.keys_bytes);
  (*book)->reserve(settings.reserve_bytes);
  auto made = std::make_unique<state>(settings, std::move(*book), *highest + 1);
  if (settings.folder.empty()) return made;
  if (auto swept = sweep_spool(made->book->batches, made->bodies); !swept) return swept.error();
  auto passes = checkpointer::start(path, settings.vfs);
  if (!passes) return passes.error();
  made->passes = std::move(*passes);
  return made;
}

outcome<std::unique_ptr<local_engine>> local_engine::open(const local_settings& settings) {
  using engine_ptr = std::unique_ptr<local_engine>;
  if (settings.folder.empty()) {
    auto made = state::open(settings, ":memory:");
    if (!made) return made.error();
    return engine_ptr(new local_engine(std::move(*made)));
  }
  auto lock = folder_lock::take(settings.folder);
  if (!lock) return lock.error();
  if (auto spooled = make_folder(settings.folder + "/" + spool_folder); !spooled)
    return spooled.error();
  const std::string path = settings.folder + "/" + database_file;
  auto made = state::open(settings, path);
  if (!made && made.error().what == trouble::damaged) {
    const auto found = mend(path, settings.now);
    if (!found)
      return failure{found.error().what, made.error().detail + "; " + found.error().detail};
    made = state::open(settings, path);
    if (made) (*made)->damaged = std::max<std::uint64_t>(found->gaps, 1);
  }
  if (!made) return made.error();
  (*made)->lock = std::move(*lock);
  return engine_ptr(new local_engine(std::move(*made)));
}

local_engine::local_engine(std::unique_ptr<state> made) : state_(std::move(made)) {
  state_->work.start();
}

local_engine::~local_engine() = default;

// --- what is asked ------------------------------------------------------------------------------

void local_engine::add(batch b, std::optional<key_claim> key, done<added> told) {
  state_->ask<added>([b = std::move(b), key](books& s) { return s.add(b, key); },
                     std::move(told));
}

void local_engine::open_attempt(batch_id id, std::string worker, unix_ms now,
                                done<opened_attempt> told) {
  state* const s = state_.get();
  s->ask<books::tried>(
      [id, worker = std::move(worker), now](books& b) { return b.open_attempt(id, worker, now); },
      [s, told = std::move(told)](outcome<books::tried> got) {
        if (!got) return told(got.error());
        if (got->opened) return told(std::move(*got->opened));
        ++s->damaged;
        told(got->why);
      });
}

void local_engine::end_attempt(finished_attempt how, done<void> told) {
  state* const s = state_.get();
  s->ask<spool_numbers>(
      [how = std::move(how)](books& b) {
        b.saw(how.note.ended);
        return b.end_attempt(how);
      },
      [s, told = std::move(told)](outcome<spool_numbers> unnamed) {
        if (!unnamed) return told(unnamed.error());
        s->remove(*unnamed);
        told({});
      });
}

void local_engine::give_up(batch_id id, std::string outcome, std::string detail, unix_ms now,
                           bool tells, done<void> told) {
  state_->ask<void>(
      [=, outcome = std::move(outcome), detail = std::move(detail)](books& b) {
        return b.give_up(id, outcome, detail, now, tells);
      },
      std::move(told));
}

void local_engine::cancel(batch_id id, unix_ms now, done<void> told) {
  state_->ask<void>([=](books& b) { return b.batches.cancel(id, now); }, std::move(told));
}

void local_engine::requeue(batch_id id, unix_ms now, done<batch> told) {
  state_->ask<batch>([=](books& b) { return b.batches.requeue(id, now); }, std::move(told));
}

void local_engine::drop(batch_id id, done<void> told) {
  state* const s = state_.get();
  s->ask<spool_numbers>([id](books& b) { return b.batches.drop(id); },
                        [s, told = std::move(told)](outcome<spool_numbers> unnamed) {
                          if (!unnamed) return told(unnamed.error());
                          s->remove(*unnamed);
                          told({});
                        });
}

void local_engine::find(batch_id id, bool with_body, done<batch> told) {
  state_->ask<batch>([=](books& b) { return b.batches.find(id, with_body); }, std::move(told));
}

void local_engine::response_of(batch_id id, done<response> told) {
  state_->ask<response>([id](books& b) { return b.batches.response_of(id); }, std::move(told));
}

void local_engine::attempts_of(batch_id id, done<std::vector<attempt_note>> told) {
  state_->ask<std::vector<attempt_note>>([id](books& b) { return b.batches.attempts_of(id); },
                                         std::move(told));
}

void local_engine::list(batch_query q, done<std::vector<batch_line>> told) {
  state_->ask<std::vector<batch_line>>(
      [q = std::move(q)](books& b) { return b.batches.list(q); }, std::move(told));
}

void local_engine::count(done<store_counts> told) {
  state_->ask<store_counts>([](books& b) { return b.counts(); }, std::move(told));
}

void local_engine::load(std::uint32_t lane, std::int64_t after, unsigned limit,
                        done<std::vector<batch>> told) {
  state* const s = state_.get();
  auto bad = std::make_shared<std::size_t>(0);
  s->ask<std::vector<batch>>(
      [=](books& b) { return b.load(lane, after, limit, *bad); },
      [s, bad, told = std::move(told)](outcome<std::vector<batch>> got) {
        if (got) s->damaged += *bad;
        told(std::move(got));
      });
}

void local_engine::lanes(done<std::vector<lane_state>> told) {
  state_->ask<std::vector<lane_state>>([](books& b) { return b.batches.lanes(); },
                                       std::move(told));
}

void local_engine::claim_key(digest scope, unix_ms now, done<key_record> told) {
  state_->ask<key_record>(
      [=](books& b) {
        b.saw(now);
        return b.keys.claim(scope, now);
      },
      std::move(told));
}

void local_engine::settle_key(key_claim key, response answer, unix_ms now, done<void> told) {
  state_->ask<void>(
      [key, answer = std::move(answer), now](books& b) { return b.keys.settle(key, answer, now); },
      std::move(told));
}

void local_engine::release_key(digest scope) {
  state_->ask<void>(
      [scope](books& b) {
        b.keys.release(scope);
        return outcome<void>();
      },
      [](const outcome<void>&) {});
}

void local_engine::keep_message(message m, done<void> told) {
  state_->ask<void>([m = std::move(m)](books& b) { return b.messages.keep(m); }, std::move(told));
}

void local_engine::forget_message(message m, done<void> told) {
  state_->ask<void>([m = std::move(m)](books& b) { return b.messages.forget(m); },
                    std::move(told));
}

void local_engine::messages(std::string prefix, done<message_page> told) {
  state_->ask<message_page>(
      [prefix = std::move(prefix)](books& b) { return b.messages.all(prefix); }, std::move(told));
}

void local_engine::due_messages(std::string prefix, unsigned limit, done<message_page> told) {
  state_->ask<message_page>(
      [prefix = std::move(prefix), limit](books& b) { return b.messages.due(prefix, limit); },
      std::move(told));
}

void local_engine::sweep(retention keep, unix_ms now, done<swept> told) {
  state* const s = state_.get();
  auto files = std::make_shared<spool_numbers>();
  s->ask<swept>(
      [=](books& b) { return b.sweep(keep, now, s->settings.sweep_max, *files); },
      [s, files, told = std::move(told)](outcome<swept> gone) {
        if (gone) s->remove(*files);
        told(std::move(gone));
      });
}

void local_engine::back_up(std::string folder, done<void> told) {
  state* const s = state_.get();
  s->ask<void>([](books&) { return outcome<void>(); },
               [s, folder = std::move(folder), told = std::move(told)](outcome<void> begun) {
                 if (!begun) return told(begun);
                 s->begin_copy(folder, told);
               });
}

spool& local_engine::bodies() noexcept { return state_->bodies; }
std::uint64_t local_engine::damaged() const noexcept { return state_->damaged.load(); }
local_engine::troubles local_engine::take_troubles() {
  const std::lock_guard held(state_->troubles_lock);
  return std::exchange(state_->had, {});
}

std::uint64_t local_engine::short_of_room() const noexcept {
  return state_->short_of_room.load(std::memory_order_relaxed);
}

std::uint64_t local_engine::keys_forgotten() const noexcept {
  return state_->keys_forgotten.load(std::memory_order_relaxed);
}

std::uint64_t local_engine::commits() const noexcept { return state_->work.commits(); }

}  // namespace weir::store
