#include "core/picker.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

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
    }
    facts_[worker] = c;
  }

  void drop(std::uint32_t worker) {
    if (!has(worker)) return;
    const std::uint32_t at = std::exchange(where_[worker], none);
    const std::uint32_t last = list_.back();
    list_.pop_back();
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

 private:
  std::vector<std::uint32_t> list_, where_;
  std::vector<candidate> facts_;  // by worker
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

// Rates on a scale of ranks, from the fastest: a rank is 1/64 of an octave.
constexpr std::uint32_t octave_steps = 64;
constexpr std::uint32_t octaves = 16;  // rates from 1/256 to 256, clamped
constexpr std::uint32_t ranks = octaves * octave_steps;
constexpr std::uint64_t slowest_step = (std::uint64_t{1023} - octaves / 2) * octave_steps;
constexpr std::uint64_t fastest_step = slowest_step + ranks - 1;

// Exponent and the first six bits of the mantissa: close to the logarithm, and free.
constexpr std::uint32_t rank_of(double rate) noexcept {
  const std::uint64_t step = std::bit_cast<std::uint64_t>(rate) >> (52 - 6);
  return static_cast<std::uint32_t>(fastest_step - std::clamp(step, slowest_step, fastest_step));
}
constexpr double rate_of(std::uint32_t rank) noexcept {
  return std::bit_cast<double>((fastest_step - rank) << (52 - 6));
}

// For a rank % 64, which of the ranks behind it are still within `share` of its rate (less than
// half): a bit each, the next one in the lowest. It is the same in every octave.
std::array<std::uint64_t, octave_steps> tolerated_within(double share) noexcept {
  std::array<std::uint64_t, octave_steps> masks{};
  for (std::uint32_t rank = 0; rank < octave_steps; ++rank) {
    const std::uint32_t last = rank_of(rate_of(rank) * (1 - share));
    masks[rank] = (std::uint64_t{1} << (last - rank)) - 1;
  }
  return masks;
}

// Free workers in cells of equal rate (to 1.6 %) and equal number of attempts running, so that
// every call is O(1) whatever the size of the fleet. Inside a cell the one that came first goes
// first, which takes equal workers in turn. Ranks count from the fastest rate, columns from the
// fewest attempts, so that the lowest bit of a word is the best of it.
class least_loaded final : public picker {
 public:
  explicit least_loaded(double equal_within) : tolerated_(tolerated_within(equal_within)) {
    row_of_.fill(no_row);
  }

  void put(std::uint32_t worker, const candidate& c) override {
    const std::uint32_t rank = rank_of(c.rate);
    if (worker >= places_.size() || row_of_[rank] == no_row) make_room(worker, rank);
    place& p = places_[worker];
    const std::uint32_t to = row_of_[rank] + std::min(c.running, columns - 1);
    if (p.cell == absent) {
      ++size_;
    } else if (p.cell == to && p.after == none) {
      return;
    } else {
      unlink(p);
    }
    link(worker, p, rank, to);
  }

  void drop(std::uint32_t worker) override {
    if (worker >= places_.size() || places_[worker].cell == absent) return;
    unlink(places_[worker]);
    places_[worker] = {};
    --size_;
  }

  std::uint32_t pick(std::uint64_t, base::random&) override {
    if (size_ == 0) return none;
    const std::uint32_t best = top_rank();
    std::uint32_t chosen = best;
    std::uint64_t least = lowest_bit(columns_[best]);
    std::uint64_t others = behind(best) & tolerated_[best % 64];
    for (; others != 0 && least > 1; others &= others - 1) {
      const std::uint32_t rank = best + 1 + static_cast<std::uint32_t>(std::countr_zero(others));
      const std::uint64_t here = lowest_bit(columns_[rank]);
      if (here >= least) continue;
      least = here;
      chosen = rank;
    }
    const auto column = static_cast<std::uint32_t>(std::countr_zero(least));
    return cells_[row_of_[chosen] + column].first;
  }

  std::uint32_t size() const noexcept override { return size_; }

 private:
  static constexpr std::uint32_t columns = 64;  // more attempts than that count as 63
  static constexpr std::uint32_t words = ranks / 64;
  static constexpr std::uint32_t no_row = none, no_rank = none, absent = none;

  struct cell {
    std::uint32_t first = none, last = none;
  };
  struct place {
    std::uint32_t rank = 0, cell = absent, before = none, after = none;
  };

  static std::uint64_t lowest_bit(std::uint64_t word) noexcept { return word & (~word + 1); }

  // The occupied ones of the 64 ranks behind `rank`, the next one in the lowest bit.
  std::uint64_t behind(std::uint32_t rank) const noexcept {
    const std::uint32_t word = rank / 64, bit = rank % 64;
    return (occupied_[word] >> bit >> 1) | (occupied_[word + 1] << (63 - bit));
  }

  std::uint32_t top_rank() const noexcept {
    const auto word = static_cast<std::uint32_t>(std::countr_zero(occupied_words_));
    return word * 64 + static_cast<std::uint32_t>(std::countr_zero(occupied_[word]));
  }

  void mark(std::uint32_t rank) noexcept {
    occupied_[rank / 64] |= std::uint64_t{1} << (rank % 64);
    occupied_words_ |= 1u << (rank / 64);
  }
  void unmark(std::uint32_t rank) noexcept {
    occupied_[rank / 64] &= ~(std::uint64_t{1} << (rank % 64));
    if (occupied_[rank / 64] == 0) occupied_words_ &= ~(1u << (rank / 64));
  }

  // Kept out of put(), which seldom needs it.
  [[gnu::noinline]] void make_room(std::uint32_t worker, std::uint32_t rank) {
    if (worker >= places_.size()) {
      places_.resize(worker + 1);
      ranks_of_rows_.resize(std::min(2 * (worker + 1), ranks), no_rank);
      cells_.resize(ranks_of_rows_.size() * columns);
    }
    if (row_of_[rank] == no_row) row_of_[rank] = take_row(rank);
  }

  // A rank keeps its row until another one needs it. There are two rows a worker, so that at most
  // half of them hold somebody and an empty one is not far; new rates allocate nothing.
  std::uint32_t take_row(std::uint32_t rank) noexcept {
    for (;;) {
      hand_ = hand_ + 1 < ranks_of_rows_.size() ? hand_ + 1 : 0;
      const std::uint32_t owner = ranks_of_rows_[hand_];
      if (owner != no_rank && columns_[owner] != 0) continue;
      if (owner != no_rank) row_of_[owner] = no_row;
      ranks_of_rows_[hand_] = rank;
      return hand_ * columns;
    }
  }

  void link(std::uint32_t worker, place& p, std::uint32_t rank, std::uint32_t to) noexcept {
    cell& c = cells_[to];
    p = {rank, to, c.last, none};
    (c.last == none ? c.first : places_[c.last].after) = worker;
    c.last = worker;
    if (columns_[rank] == 0) mark(rank);
    columns_[rank] |= std::uint64_t{1} << (to % columns);
  }

  void unlink(const place& p) noexcept {
    cell& c = cells_[p.cell];
    (p.before == none ? c.first : places_[p.before].after) = p.after;
    (p.after == none ? c.last : places_[p.after].before) = p.before;
    if (c.first != none) return;
    columns_[p.rank] &= ~(std::uint64_t{1} << (p.cell % columns));
    if (columns_[p.rank] == 0) unmark(p.rank);
  }

  const std::array<std::uint64_t, octave_steps> tolerated_;
  std::vector<place> places_;                        // by worker
  std::vector<cell> cells_;                          // rows of `columns`
  std::vector<std::uint32_t> ranks_of_rows_;         // who has the row
  std::uint32_t hand_ = 0;                           // the row that was given last
  std::array<std::uint32_t, ranks> row_of_;          // by rank: the first of its cells
  std::array<std::uint64_t, ranks> columns_{};       // by rank: a bit a column that holds some
  std::array<std::uint64_t, words + 1> occupied_{};  // a bit a rank; the last word is always 0
  std::uint32_t occupied_words_ = 0;                 // a bit for each word of it
  static_assert(words <= 32);
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
// that has no more than its share of what runs. Shares are of all that serve: were those without a
// free slot left out, the bound would fall just when much runs, and move what could stay.
class hash_ring final : public picker {
 public:
  explicit hash_ring(double factor) : factor_(factor) {}

  void put(std::uint32_t worker, const candidate& c) override {
    count(worker, c);
    free_.put(worker, c);
  }
  void fill(std::uint32_t worker, const candidate& c) override {
    count(worker, c);
    free_.drop(worker);
  }
  void drop(std::uint32_t worker) override {
    if (worker < members_) count(worker, nobody);
    free_.drop(worker);
  }
  std::uint32_t size() const noexcept override { return free_.size(); }

  std::uint32_t pick(std::uint64_t affinity, base::random& random) override {
    if (free_.empty()) return none;
    if (affinity == 0) return free_.at(random.below(free_.size()));
    const std::uint64_t from = base::random(affinity).next();
    const auto found = walk(from, factor_ * static_cast<double>(running_ + 1) /
                                      static_cast<double>(slots_));
    return found != none ? found : free_.at(static_cast<std::uint32_t>(from % free_.size()));
  }

 private:
  static constexpr std::uint32_t points_per_worker = 32;
  static constexpr std::uint32_t steps_max = 256;
  using point = std::pair<std::uint64_t, std::uint32_t>;

  static constexpr candidate nobody{0, 0, 0};

  void count(std::uint32_t worker, const candidate& c) {
    if (worker >= members_) grow(worker + 1);
    candidate& known = serving_[worker];
    running_ += c.running - std::uint64_t{known.running};
    slots_ += c.slots - std::uint64_t{known.slots};
    known = c;
  }

  bool takes(std::uint32_t worker, double by_slot) const noexcept {
    if (!free_.has(worker)) return false;
    const candidate& c = free_.facts(worker);
    return c.running < std::ceil(by_slot * c.slots);
  }

  std::uint32_t walk(std::uint64_t from, double by_slot) const noexcept {
    auto at = std::lower_bound(ring_.begin(), ring_.end(), point{from, 0});
    for (std::uint32_t step = 0; step < steps_max && step < ring_.size(); ++step, ++at) {
      if (at == ring_.end()) at = ring_.begin();
      if (takes(at->second, by_slot)) return at->second;
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
    serving_.resize(members_, nobody);
  }

  const double factor_;
  free_workers free_;
  std::vector<candidate> serving_;  // by worker
  std::uint64_t running_ = 0, slots_ = 0;  // of those
  std::vector<point> ring_;
  std::uint32_t members_ = 0;
};

}  // namespace

std::unique_ptr<picker> make_picker(const pool_settings& settings) {
  switch (settings.balance) {
    case balance::power_of_two:
      return std::make_unique<power_of_two>();
    case balance::round_robin:
      return std::make_unique<round_robin>();
    case balance::random:
      return std::make_unique<uniform>();
    case balance::hash:
      return std::make_unique<hash_ring>(settings.hash_balance_factor);
    case balance::first:
      return std::make_unique<first_joined>();
    case balance::least_loaded:
      break;
  }
  return std::make_unique<least_loaded>(settings.learning.equal_within);
}

}  // namespace weir::core
