// Which free worker gets the next attempt: one small interface, and one class a policy behind it in
// picker.cpp (a new policy: its value in settings.hpp, its class and a line of make_picker there,
// its name in config). fleet keeps it told which workers are free; a decision is O(1), or a
// short walk, whatever their number. Single-threaded; allocates only while the fleet grows.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "base/random.hpp"
#include "core/settings.hpp"

namespace weir::core {

// What a policy may look at.
struct candidate {
  double rate = 1;  // learned rate x weight; 1 is the pool's average
  std::uint32_t running = 0;
  std::uint32_t slots = 1;  // open ones
  friend bool operator==(const candidate&, const candidate&) = default;
};

class picker {
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  virtual ~picker() = default;
  // The worker (a dense index) serves and has a free slot, or what is known of it changed.
  virtual void put(std::uint32_t worker, const candidate& c) = 0;
  // It serves, but has none free: every slot is taken, or it rests.
  virtual void fill(std::uint32_t worker, const candidate&) { drop(worker); }
  // It does not serve any more. Nothing happens when it was not there.
  virtual void drop(std::uint32_t worker) = 0;
  // The worker to use; none when nobody is free. Does not drop it.
  virtual std::uint32_t pick(std::uint64_t affinity, base::random& random) = 0;
  // Free workers.
  virtual std::uint32_t size() const noexcept = 0;
  bool empty() const noexcept { return size() == 0; }
};

// least_loaded: best rate; within learning.equal_within of it (to 1.6 %), fewest attempts running.
// hash: consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, SODA 2018): a
// worker takes at most `hash_balance_factor` times its slots' share of all that runs, on those
// without a free slot too, before the next one on the ring is used.
std::unique_ptr<picker> make_picker(const pool_settings& settings);

}  // namespace weir::core
