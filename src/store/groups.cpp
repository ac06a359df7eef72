#include "store/groups.hpp"

#include <iterator>

namespace weir::store {
namespace {

// Not the asker's mistake: the transaction around it is void.
bool breaks_group(const failure& f) {
  if (f.untouched) return false;
  return f.what == trouble::full || f.what == trouble::io || f.what == trouble::damaged;
}

}  // namespace

void groups::start() {
  thread_ = std::thread([this] { run(); });
}

groups::~groups() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void groups::ask(job_ptr j) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = waiting_.empty();
    waiting_.push_back(std::move(j));
  }
  if (first) wake_.notify_one();
}

void groups::run() {
  for (;;) {
    std::vector<job_ptr> group = take();
    if (group.empty()) return;
    if (!together(group))
      for (const job_ptr& one : group)
        if (alone(*one) && hooks_.mend()) (void)alone(*one);
    for (const job_ptr& one : group) one->tell();
    hooks_.after();
  }
}

// Waits for something to do; empty: closing, and all was done.
std::vector<groups::job_ptr> groups::take() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
  if (waiting_.size() <= most_) return std::exchange(waiting_, {});
  const auto end = waiting_.begin() + most_;
  std::vector<job_ptr> group(std::make_move_iterator(waiting_.begin()),
                             std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return group;
}

// False: nothing of it happened.
bool groups::together(std::vector<job_ptr>& group) {
  if (!books_.begin()) return false;
  for (const job_ptr& one : group) {
    const failure* const why = one->run(books_);
    if (!why || !breaks_group(*why)) continue;
    books_.roll_back();
    return false;
  }
  const bool good = books_.commit().has_value();
  if (!good) books_.roll_back();
  commits_.fetch_add(good, std::memory_order_relaxed);
  return good;
}

// Tells of it; true: the database's pages are not what was written.
bool groups::failed(const failure& f) const {
  if (hooks_.failed && breaks_group(f)) hooks_.failed(f);
  return f.malformed;
}

// Tries it; true: it failed because pages of the database are not what was written.
bool groups::alone(job& one) {
  if (const auto begun = books_.begin(); !begun) {
    one.fail(begun.error());
    return failed(begun.error());
  }
  if (const failure* const why = one.run(books_)) {
    const bool bad = failed(*why);
    books_.roll_back();
    return bad;
  }
  const auto committed = books_.commit();
  commits_.fetch_add(committed.has_value(), std::memory_order_relaxed);
  if (committed) return false;
  books_.roll_back();
  one.fail(committed.error());
  return failed(committed.error());
}

}  // namespace weir::store
