// Where the batches of one loop wait for a slot: each waiting exchange holds a one-shot cell in
// which grant, eviction and its own leaving meet; the first wins. Cells are addressed by the owner
// number that goes into core with the batch, so that a late message finds nobody and does nothing.
// Used by its loop's thread, save owner_loop().
#pragma once

#include <cstdint>

#include "base/ids.hpp"
#include "core/types.hpp"
#include "net/loop.hpp"

namespace weir::proxy {

struct verdict_cell {
  explicit verdict_cell(net::loop& l) : settled(l) {}
  enum class state : std::uint8_t { waiting, granted, evicted, interrupted };
  state now = state::waiting;
  core::grant grant;
  core::refusal why = core::refusal::none;
  base::duration retry_after{};
  net::signal settled;
};

// What the gate sends to the loop of a batch's owner.
struct settlement {
  std::uint64_t owner = 0;
  bool granted = false;
  core::grant grant;
  core::refusal why = core::refusal::none;
  base::duration retry_after{};
};

class waiting_room {
 public:
  explicit waiting_room(unsigned loop_index) : loop_(loop_index) {}

  // The cell must stay where it is until leave().
  std::uint64_t enter(verdict_cell& cell);
  void leave(std::uint64_t owner);
  // False: nobody waits under that number (any more).
  bool deliver(const settlement& s);
  std::size_t size() const noexcept { return cells_.size(); }

  static unsigned owner_loop(std::uint64_t owner) noexcept {
    return static_cast<unsigned>(owner >> 56);
  }

 private:
  using table = base::slab<verdict_cell*, struct cell_tag>;
  table::id_type id_of(std::uint64_t owner) const noexcept;

  unsigned loop_;
  table cells_;
};

}  // namespace weir::proxy
