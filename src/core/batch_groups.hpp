// Batches that belong together (Weir-Group): a backfill is done when its last batch is. In order of
// arrival and size its largest come last, and then run alone while all other slots stand idle; sent
// first as soon as they decide how long the group takes, the whole ends sooner (R. L. Graham's
// longest-first rule, SIAM J. Appl. Math. 17, 1969, applied late so that small ones wait little).
// Knows the waiting batches of each group by size, and when those that run will have ended. A group
// is an account's of fair_share, from the first of its batches in the pool to the last. O(log n).
// Invariant: whose turn it is is passed over only by batches that waited when its turn came, so
// that nothing starves in a group that goes on for ever. Allocates for groups.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/order_forest.hpp"
#include "core/settings.hpp"

namespace weir::core {

class batch_groups {
 public:
  static constexpr std::uint32_t none = ~0u;

  explicit batch_groups(std::uint64_t seed) noexcept : tree_(seed) {}

  // The largest goes first when it takes at least this share of the time that the whole fleet would
  // need for what waits of the group.
  void configure(double critical_share) noexcept { critical_share_ = critical_share; }

  // A batch of that group comes into the pool, and leaves it. `name` is a hash.
  std::uint32_t enter(std::uint32_t account, std::uint64_t name);
  void leave(std::uint32_t which);

  // It waits; equal sizes go by `sequence`.
  void insert(std::uint32_t id, std::uint32_t which, double seconds, std::uint64_t sequence,
              bool ready);
  // These do nothing for a batch without a group.
  void remove(std::uint32_t id);
  void set_ready(std::uint32_t id, bool ready);

  // One of the group was sent, and is expected to end then.
  void runs(std::uint32_t which, instant ends) noexcept {
    groups_[which].ends = std::max(groups_[which].ends, ends);
  }

  // The batch to send when it is `head`'s turn: itself, or the largest ready one of its group if it
  // would end after those that run already, were it sent last.
  // `speed`: seconds of work at rate 1 that the fleet does in a second; 0: not known.
  std::uint32_t critical(std::uint32_t head, double speed, instant now) noexcept;

  std::size_t size() const noexcept { return numbers_.size(); }

 private:
  struct by_size {
    double seconds = 0;
    std::uint64_t sequence = 0;
    bool operator<(const by_size& o) const noexcept {
      return seconds != o.seconds ? seconds > o.seconds : sequence < o.sequence;
    }
  };
  static constexpr std::uint64_t nobody = ~std::uint64_t{0};
  struct load {
    std::uint64_t oldest = nobody;   // the least sequence of those that are ready
    double seconds = 0;
    friend load operator+(const load& a, const load& b) noexcept {
      return {std::min(a.oldest, b.oldest), a.seconds + b.seconds};
    }
  };
  struct full_name {
    std::uint32_t account = 0;
    std::uint64_t name = 0;
    bool operator==(const full_name&) const = default;
  };
  struct mixed {   // `name` is a keyed hash already
    std::size_t operator()(const full_name& n) const noexcept {
      return n.name ^ (n.account * 0x9e3779b97f4a7c15ull);
    }
  };
  struct group {
    full_name name;
    std::uint32_t root = none;
    std::uint32_t batches = 0;
    instant ends = instant::min();        // of those that run, the last by what was expected
    std::uint64_t newest = 0;             // sequence
    std::uint64_t turn = nobody;          // sequence of the batch whose turn it was last
    std::uint64_t there_at_its_turn = 0;  // the newest then
  };

  bool has(std::uint32_t id) const noexcept { return id < of_.size() && of_[id] != none; }

  order_forest<by_size, load> tree_;
  std::vector<group> groups_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> of_;   // by batch
  std::unordered_map<full_name, std::uint32_t, mixed> numbers_;
  double critical_share_ = queue_settings{}.critical_share;
};

}  // namespace weir::core
