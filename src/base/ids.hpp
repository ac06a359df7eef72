// Ids that cannot go stale unnoticed: an index into a table and the generation of what lives there.
// slab<T, Tag> is that table: O(1) insert, find and erase, no allocation once grown, and an id of
// something erased finds nothing. Single-threaded; references stay valid until the next insert.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace weir::base {

template <class Tag>
struct id {
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t index = none;
  std::uint32_t generation = 0;

  constexpr explicit operator bool() const noexcept { return index != none; }
  constexpr std::uint64_t packed() const noexcept {
    return (std::uint64_t{generation} << 32) | index;
  }
  static constexpr id unpack(std::uint64_t v) noexcept {
    return {static_cast<std::uint32_t>(v), static_cast<std::uint32_t>(v >> 32)};
  }
  friend constexpr auto operator<=>(const id&, const id&) = default;
};

template <class T, class Tag>
class slab {
 public:
  using id_type = id<Tag>;

  template <class... Args>
  id_type insert(Args&&... args) {
    std::uint32_t index = free_;
    if (index == id_type::none) {
      index = extent_;
      slots_.emplace_back();
      ++extent_;
    } else {
      free_ = slots_[index].next_free;
    }
    slots_[index].value.emplace(std::forward<Args>(args)...);
    ++size_;
    return {index, slots_[index].generation};
  }

  T* find(id_type i) noexcept {
    if (i.index >= extent_) return nullptr;
    slot& s = slots_[i.index];
    return s.value && s.generation == i.generation ? &*s.value : nullptr;
  }
  const T* find(id_type i) const noexcept { return const_cast<slab*>(this)->find(i); }

  // The entry at an index that the caller knows to be taken.
  T& at(std::uint32_t index) noexcept { return *slots_[index].value; }
  const T& at(std::uint32_t index) const noexcept { return *slots_[index].value; }
  bool taken(std::uint32_t index) const noexcept {
    return index < extent_ && slots_[index].value.has_value();
  }
  id_type id_at(std::uint32_t index) const noexcept { return {index, slots_[index].generation}; }

  bool erase(id_type i) noexcept {
    if (!find(i)) return false;
    erase_at(i.index);
    return true;
  }
  // Of one that is known to be taken.
  void erase_at(std::uint32_t index) noexcept {
    slot& s = slots_[index];
    s.value.reset();
    ++s.generation;
    s.next_free = free_;
    free_ = index;
    --size_;
  }

  std::size_t size() const noexcept { return size_; }
  // One past the highest index ever used: for walks with taken() and at().
  std::uint32_t extent() const noexcept { return extent_; }
  void reserve(std::size_t n) { slots_.reserve(n); }

 private:
  struct slot {
    std::optional<T> value;
    std::uint32_t generation = 1;
    std::uint32_t next_free = id_type::none;
  };
  std::vector<slot> slots_;
  std::uint32_t extent_ = 0;  // of slots_: its own size() takes a division by the size of a slot
  std::uint32_t free_ = id_type::none;
  std::size_t size_ = 0;
};

}  // namespace weir::base
