// What happens next in a simulation: events by time, ties in the order in which they were put in,
// so that a run never depends on how a heap settles them. A 4-ary heap: fewer levels than a binary
// one and children in one or two cache lines (LaMarca and Ladner, "The influence of caches on the
// performance of heaps", JEA 1996). Nothing is taken out of the middle: whoever changes his mind
// lets the old event come and knows it by its version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace weir::sim {

// T is plain data, copied freely.
template <class T>
class event_queue {
 public:
  struct event {
    std::int64_t at = 0;  // ns
    std::uint64_t order = 0;
    T what{};
    bool before(const event& o) const noexcept {
      return at != o.at ? at < o.at : order < o.order;
    }
  };

  void reserve(std::size_t n) { heap_.reserve(n); }
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  const event& top() const noexcept { return heap_.front(); }

  void push(std::int64_t at, const T& what) {
    heap_.emplace_back();
    rise(heap_.size() - 1, event{at, next_order_++, what});
  }

  void pop() noexcept {
    const event last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sink(last);
  }

 private:
  static constexpr std::size_t arity = 4;

  void rise(std::size_t hole, const event& e) noexcept {
    while (hole > 0) {
      const std::size_t parent = (hole - 1) / arity;
      if (!e.before(heap_[parent])) break;
      heap_[hole] = heap_[parent];
      hole = parent;
    }
    heap_[hole] = e;
  }

  void sink(const event& e) noexcept {
    std::size_t hole = 0;
    for (;;) {
      const std::size_t first = first_child_of(hole);
      if (first == none || !heap_[first].before(e)) break;
      heap_[hole] = heap_[first];
      hole = first;
    }
    heap_[hole] = e;
  }

  std::size_t first_child_of(std::size_t parent) const noexcept {
    const std::size_t begin = parent * arity + 1;
    if (begin >= heap_.size()) return none;
    std::size_t best = begin;
    for (std::size_t i = begin + 1; i < begin + arity && i < heap_.size(); ++i)
      if (heap_[i].before(heap_[best])) best = i;
    return best;
  }

  static constexpr std::size_t none = ~std::size_t{0};

  std::vector<event> heap_;
  std::uint64_t next_order_ = 0;
};

}  // namespace weir::sim
