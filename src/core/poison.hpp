// Whose fault a failure is: failures are charged to (batch, worker) pairs, and a batch that failed
// on two workers on which other batches succeeded meanwhile is at fault itself. "Meanwhile" is
// after the failure, for the newest failure since its attempt began. A success from before says
// nothing: when what all workers need goes down, each of them has one, and nobody is to blame; in a
// pool where nothing else runs a batch's attempts run out instead. One record a batch that failed,
// kept by pool, which charges nothing in a shared outage and takes back what led to one. Pure.
// Invariant: a worker has one charge at most, the newest charge stands last.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "core/types.hpp"

namespace weir::core {

struct charge {
  worker_id worker;
  instant since{};          // a success from then on shows that the worker was not at fault
  instant failed{};         // the last time
  std::uint32_t count = 0;  // failures in a row: no success on the worker between them
};

// `proven(worker)` below is when a batch last succeeded on it; instant::min() when none did.
class failure_record {
 public:
  static constexpr std::size_t kept = 4;        // workers; the oldest charge makes room
  static constexpr std::uint32_t condemned_by = 2;  // pairs

  std::span<const charge> all() const noexcept { return {charges_.data(), size_}; }

  // It failed on `worker`, in an attempt that began at `began`.
  template <class Proven>
  void add(worker_id worker, instant began, instant now, Proven proven) noexcept {
    if (size_ > 0) newest().since = newest().failed;
    std::uint32_t before = 0;
    for (std::size_t i = 0; i < size_; ++i)
      if (charges_[i].worker == worker) {
        before = proven(worker) > charges_[i].failed ? 0 : charges_[i].count;
        remove(i);
        break;
      }
    if (size_ == kept) remove(0);
    charges_[size_++] = {worker, began, now, before + 1};
  }

  // Other batches succeeded where this one failed.
  template <class Proven>
  bool condemned(Proven proven) const noexcept {
    const auto stand =
        std::ranges::count_if(all(), [&](const charge& c) { return proven(c.worker) > c.since; });
    return stand >= condemned_by;
  }

  // What failed on workers that did nothing well since was an outage's fault: how many failures
  // those were.
  template <class Proven>
  std::uint32_t forgive(Proven proven) noexcept {
    std::uint32_t forgiven = 0;
    for (std::size_t i = size_; i-- > 0;)
      if (proven(charges_[i].worker) <= charges_[i].failed) {
        forgiven += charges_[i].count;
        remove(i);
      }
    return forgiven;
  }

 private:
  charge& newest() noexcept { return charges_[size_ - 1]; }
  void remove(std::size_t at) noexcept {
    std::move(charges_.begin() + at + 1, charges_.begin() + size_, charges_.begin() + at);
    --size_;
  }

  std::array<charge, kept> charges_{};
  std::size_t size_ = 0;
};

// Who failed lately, to tell a shared outage from one batch that fails alone: the pool's newest
// failure, and the newest of another batch.
class failure_watch {
 public:
  struct mark {
    batch_id batch;
    worker_id worker;
    instant when = instant::min();
  };
  void failed(batch_id batch, worker_id worker, instant now) noexcept {
    if (last_.batch != batch) other_ = last_;
    last_ = {batch, worker, now};
  }
  // Another batch failed since, on a worker that did nothing well after it.
  template <class Proven>
  bool others_fail(batch_id batch, instant since, Proven proven) const noexcept {
    const mark& m = last_.batch == batch ? other_ : last_;
    return m.batch && m.when >= since && proven(m.worker) <= m.when;
  }

 private:
  mark last_, other_;
};

}  // namespace weir::core
