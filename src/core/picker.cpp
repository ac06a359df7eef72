#include "core/picker.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "core/order_forest.hpp"

namespace weir::core {
namespace {

// The free workers in no order: O(1) to add, take away, and draw from.
class free_workers {
 public:
  static constexpr std::uint32_t none = picker::none;

  void put(std::uint32_t worker, const candidate& c) {
    if (worker >= where_.size()) {
      where_.resize(worker + 1, none);
      facts_.resize(worker + 1);
    }
    if (where_[worker] == none) {
      where_[worker] = static_cast<std::uint32_t>(list_.size());
      list_.push_back(worker);
      running_ += c.running;
    } else {
      running_ += c.running - facts_[worker].running;
    }
    facts_[worker] = c;
  }

  void drop(std::uint32_t worker) {
    if (!has(worker)) return;
    const std::uint32_t at = std::exchange(where_[worker], none);
    const std::uint32_t last = list_.back();
    list_.pop_back();
    running_ -= facts_[worker].running;
    if (last == worker) return;
    list_[at] = last;
    where_[last] = at;
  }

  bool has(std::uint32_t worker) const noexcept {
    return worker < where_.size() && where_[worker] != none;
  }
  bool empty() const noexcept { return list_.empty(); }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(list_.size()); }
  std::uint32_t at(std::uint32_t i) const noexcept { return list_[i]; }
  const candidate& facts(std::uint32_t worker) const noexcept { return facts_[worker]; }
  std::uint64_t running() const noexcept { return running_; }

 private:
  std::vector<std::uint32_t> list_, where_;
  std::vector<candidate> facts_;  // by worker
  std::uint64_t running_ = 0;
};

// The free workers in the order in which they joined.
class joined_order {
 public:
  static constexpr std::uint32_t none = picker::none;

  void put(std::uint32_t worker) {
    if (worker / 64 >= words_.size()) words_.resize(worker / 64 + 1);
    const std::uint64_t bit = std::uint64_t{1} << (worker % 64);
    count_ += (words_[worker / 64] & bit) == 0;
    words_[worker / 64] |= bit;
  }
  void drop(std::uint32_t worker) {
    if (worker / 64 >= words_.size()) return;
    const std::uint64_t bit = std::uint64_t{1} << (worker % 64);
    count_ -= (words_[worker / 64] & bit) != 0;
    words_[worker / 64] &= ~bit;
  }
  std::uint32_t size() const noexcept { return count_; }

  // The first at or after `from`; none when there is none.
  std::uint32_t at_or_after(std::uint32_t from) const noexcept {
    for (std::size_t w = from / 64; w < words_.size(); ++w) {
      std::uint64_t word = words_[w];
      if (w == from / 64) word &= ~std::uint64_t{0} << (from % 64);
      if (word != 0) return static_cast<std::uint32_t>(w * 64 + std::countr_zero(word));
    }
    return none;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::uint32_t count_ = 0;
};

// A tree by rate, best first; each subtree knows its least busy worker, the one that was idle
// longest among equals.
class least_loaded final : public picker {
 public:
  explicit least_loaded(std::uint64_t seed) : tree_(seed) {}

  void put(std::uint32_t worker, const candidate& c) override {
    if (worker >= present_.size()) present_.resize(worker + 1);
    const double key = -rounded(c.rate);
    const least own{c.running, worker, ++stamp_};
    if (present_[worker] && tree_.key(worker) == key) return tree_.update(worker, own);
    drop(worker);
    present_[worker] = true;
    ++size_;
    tree_.insert(root_, worker, key, own);
  }

  void drop(std::uint32_t worker) override {
    if (worker >= present_.size() || !present_[worker]) return;
    present_[worker] = false;
    --size_;
    tree_.erase(root_, worker);
  }

  std::uint32_t pick(std::uint64_t, base::random&) override {
    if (root_ == none) return none;
    const double best = tree_.key(tree_.first(root_));
    return tree_.up_to(root_, best * (1 - rate_tolerance)).worker;
  }

  std::uint32_t size() const noexcept override { return size_; }

 private:
  struct least {
    std::uint32_t running = none;
    std::uint32_t worker = none;
    std::uint64_t stamp = 0;
    friend least operator+(const least& a, const least& b) noexcept {
      const bool b_first = b.running != a.running ? b.running < a.running : b.stamp < a.stamp;
      return b_first ? b : a;
    }
  };
  // To 0.1 %: a rate that moves by less than that keeps its place in the tree.
  static double rounded(double rate) noexcept {
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(rate) &
                                 ~((std::uint64_t{1} << 42) - 1));
  }

  order_forest<double, least> tree_;
  std::uint32_t root_ = none;
  std::vector<bool> present_;
  std::uint64_t stamp_ = 0;
  std::uint32_t size_ = 0;
};

// Two at random, the one with fewer attempts a slot (Mitzenmacher, IEEE TPDS 2001).
class power_of_two final : public picker {
 public:
  void put(std::uint32_t worker, const candidate& c) override { free_.put(worker, c); }
  void drop(std::uint32_t worker) override { free_.drop(worker); }
  std::uint32_t size() const noexcept override { return free_.size(); }

  std::uint32_t pick(std::uint64_t, base::random& random) override {
    if (free_.empty()) return none;
    const std::uint32_t i = random.below(free_.size());
    if (free_.size() == 1) return free_.at(i);
    const std::uint32_t j = (i + 1 + random.below(free_.size() - 1)) % free_.size();
    return better(free_.at(i), free_.at(j));
  }

 private:
  std::uint32_t better(std::uint32_t a, std::uint32_t b) const noexcept {
    const candidate& ca = free_.facts(a);
    const candidate& cb = free_.facts(b);
    const std::uint64_t load_a = std::uint64_t{ca.running} * cb.slots;
    const std::uint64_t load_b = std::uint64_t{cb.running} * ca.slots;
    if (load_a != load_b) return load_a < load_b ? a : b;
    return ca.rate >= cb.rate ? a : b;
  }
  free_workers free_;
};

class uniform final : public picker {
 public:
  void put(std::uint32_t worker, const candidate& c) override { free_.put(worker, c); }
  void drop(std::uint32_t worker) override { free_.drop(worker); }
  std::uint32_t size() const noexcept override { return free_.size(); }
  std::uint32_t pick(std::uint64_t, base::random& random) override {
    return free_.empty() ? none : free_.at(random.below(free_.size()));
  }

 private:
  free_workers free_;
};

class round_robin final : public picker {
 public:
  void put(std::uint32_t worker, const candidate&) override { free_.put(worker); }
  void drop(std::uint32_t worker) override { free_.drop(worker); }
  std::uint32_t size() const noexcept override { return free_.size(); }
  std::uint32_t pick(std::uint64_t, base::random&) override {
    std::uint32_t w = free_.at_or_after(next_);
    if (w == none) w = free_.at_or_after(0);
    if (w != none) next_ = w + 1;
    return w;
  }

 private:
  joined_order free_;
  std::uint32_t next_ = 0;
};

class first_joined final : public picker {
 public:
  void put(std::uint32_t worker, const candidate&) override { free_.put(worker); }
  void drop(std::uint32_t worker) override { free_.drop(worker); }
  std::uint32_t size() const noexcept override { return free_.size(); }
  std::uint32_t pick(std::uint64_t, base::random&) override { return free_.at_or_after(0); }

 private:
  joined_order free_;
};

// Consistent hashing with bounded load: the first worker on the ring from the affinity's point on
// that has no more than its share of what runs.
class hash_ring final : public picker {
 public:
  void put(std::uint32_t worker, const candidate& c) override {
    if (worker >= members_) grow(worker + 1);
    free_.put(worker, c);
  }
  void drop(std::uint32_t worker) override { free_.drop(worker); }
  std::uint32_t size() const noexcept override { return free_.size(); }

  std::uint32_t pick(std::uint64_t affinity, base::random& random) override {
    if (free_.empty()) return none;
    if (affinity == 0) return free_.at(random.below(free_.size()));
    const std::uint64_t from = base::random(affinity).next();
    const double mean = static_cast<double>(free_.running() + 1) / free_.size();
    const auto limit = static_cast<std::uint32_t>(std::ceil(bounded_load * mean));
    const auto found = walk(from, limit);
    return found != none ? found : free_.at(static_cast<std::uint32_t>(from % free_.size()));
  }

 private:
  static constexpr std::uint32_t points_per_worker = 32;
  static constexpr std::uint32_t steps_max = 256;
  using point = std::pair<std::uint64_t, std::uint32_t>;

  std::uint32_t walk(std::uint64_t from, std::uint32_t limit) const noexcept {
    auto at = std::lower_bound(ring_.begin(), ring_.end(), point{from, 0});
    for (std::uint32_t step = 0; step < steps_max && step < ring_.size(); ++step, ++at) {
      if (at == ring_.end()) at = ring_.begin();
      if (free_.has(at->second) && free_.facts(at->second).running < limit) return at->second;
    }
    return none;
  }

  void grow(std::uint32_t members) {
    for (; members_ < members; ++members_) {
      base::random points(members_ + 1);
      for (std::uint32_t i = 0; i < points_per_worker; ++i)
        ring_.emplace_back(points.next(), members_);
    }
    std::sort(ring_.begin(), ring_.end());
  }

  free_workers free_;
  std::vector<point> ring_;
  std::uint32_t members_ = 0;
};

}  // namespace

std::unique_ptr<picker> make_picker(balance policy, std::uint64_t seed) {
  switch (policy) {
    case balance::power_of_two:
      return std::make_unique<power_of_two>();
    case balance::round_robin:
      return std::make_unique<round_robin>();
    case balance::random:
      return std::make_unique<uniform>();
    case balance::hash:
      return std::make_unique<hash_ring>();
    case balance::first:
      return std::make_unique<first_joined>();
    case balance::least_loaded:
      break;
  }
  return std::make_unique<least_loaded>(seed);
}

}  // namespace weir::core
