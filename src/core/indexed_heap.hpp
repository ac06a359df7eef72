// A heap of small ids that knows where each one is: the least key at the top, set and erase by id
// in O(log n), no allocation once grown. Four children a node, so that a sift touches few lines.
// Used for timers and for tenants by start tag. Single-threaded, like all of core; ids are dense
// (indices into somebody's table), equal keys come out in no promised order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace weir::core {

template <class Key>
class indexed_heap {
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  // The id with the least key, and that key; not for an empty heap.
  std::uint32_t top() const noexcept { return heap_.front().id; }
  const Key& top_key() const noexcept { return heap_.front().key; }

  bool contains(std::uint32_t id) const noexcept {
    return id < where_.size() && where_[id] != none;
  }
  const Key& key(std::uint32_t id) const noexcept { return heap_[where_[id]].key; }

  // Inserts `id`, or moves it to its new place.
  void set(std::uint32_t id, Key key) {
    if (!contains(id)) append(id);
    const std::uint32_t at = where_[id];
    heap_[at] = {key, id};
    if (!sift_up(at)) sift_down(at);
  }

  // Nothing happens when it is not there.
  void erase(std::uint32_t id) noexcept {
    if (!contains(id)) return;
    const std::uint32_t at = where_[id];
    where_[id] = none;
    const entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    put(at, last);
    if (!sift_up(at)) sift_down(at);
  }

  // Forgets all; O(size).
  void clear() noexcept {
    for (const entry& e : heap_) where_[e.id] = none;
    heap_.clear();
  }

 private:
  struct entry {
    Key key;
    std::uint32_t id;
  };

  void append(std::uint32_t id) {
    if (id >= where_.size()) where_.resize(id + 1, none);
    where_[id] = static_cast<std::uint32_t>(heap_.size());
    heap_.push_back({Key{}, id});
  }

  void put(std::uint32_t at, const entry& e) noexcept {
    heap_[at] = e;
    where_[e.id] = at;
  }

  bool sift_up(std::uint32_t at) noexcept {
    const entry moving = heap_[at];
    const std::uint32_t start = at;
    while (at > 0 && moving.key < heap_[(at - 1) / 4].key) {
      put(at, heap_[(at - 1) / 4]);
      at = (at - 1) / 4;
    }
    if (at != start) put(at, moving);
    return at != start;
  }

  std::uint32_t least_child(std::uint32_t at) const noexcept {
    const std::uint32_t first = 4 * at + 1;
    const auto end = std::min<std::size_t>(first + 4, heap_.size());
    std::uint32_t best = first;
    for (std::uint32_t i = first + 1; i < end; ++i)
      if (heap_[i].key < heap_[best].key) best = i;
    return best;
  }

  void sift_down(std::uint32_t at) noexcept {
    const entry moving = heap_[at];
    while (4 * std::size_t{at} + 1 < heap_.size()) {
      const std::uint32_t child = least_child(at);
      if (!(heap_[child].key < moving.key)) break;
      put(at, heap_[child]);
      at = child;
    }
    put(at, moving);
  }

  std::vector<entry> heap_;
  std::vector<std::uint32_t> where_;  // by id; none: not in the heap
};

}  // namespace weir::core
