// The store's thread: what was asked since its last transaction is its next one, however many
// callers wait for it. When a group fails, its jobs are tried one by one, and each hears of its
// own. ask() is for any thread; jobs run, and are told, on this one, in the order they came in.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "store/books.hpp"

namespace weir::store {

// Something to do with the books, and whom to tell what came of it. It may be run again after a
// roll-back.
struct job {
  virtual ~job() = default;
  virtual const failure* run(books& b) = 0;    // null: it is done; valid until the next run
  virtual void fail(const failure& f) = 0;     // its transaction came to nothing
  virtual void tell() = 0;
};

// `Work`: outcome<T>(books&). `Told`: void(outcome<T>).
template <class T, class Work, class Told>
struct job_of final : job {
  job_of(Work w, Told t) : work(std::move(w)), told(std::move(t)) {}
  const failure* run(books& b) override {
    got.emplace(work(b));
    if (*got) return nullptr;
    why = got->error();
    return &why;
  }
  void fail(const failure& f) override { got.emplace(f); }
  void tell() override { told(std::move(*got)); }

  Work work;
  Told told;
  std::optional<outcome<T>> got;
  failure why;
};

class groups {
 public:
  struct hooks {
    std::function<void()> after;   // each group, when it was told
    std::function<bool()> mend;    // the database, which a job found malformed; true: try again
    std::function<void(const failure&)> failed = {};   // a job, by no fault of its asker
  };
  groups(books& of, unsigned most, hooks h) : books_(of), most_(most), hooks_(std::move(h)) {}
  ~groups();                                   // does what was asked so far, then ends
  void start();

  void ask(std::unique_ptr<job> j);
  std::uint64_t commits() const noexcept { return commits_.load(std::memory_order_relaxed); }

 private:
  using job_ptr = std::unique_ptr<job>;
  void run();
  std::vector<job_ptr> take();
  bool together(std::vector<job_ptr>& group);
  bool alone(job& one);
  bool failed(const failure& f) const;

  books& books_;
  const unsigned most_;
  const hooks hooks_;
  std::atomic<std::uint64_t> commits_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<job_ptr> waiting_;               // under the mutex, as the next
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace weir::store
