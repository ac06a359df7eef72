#include "proxy/waiting_room.hpp"

namespace weir::proxy {
namespace {

constexpr std::uint32_t generation_mask = 0xffffff;   // 8 bits of the number name the loop

}  // namespace

std::uint64_t waiting_room::enter(verdict_cell& cell) {
  const auto id = cells_.insert(&cell);
  return (std::uint64_t{loop_} << 56) | (std::uint64_t{id.generation & generation_mask} << 32) |
         id.index;
}

waiting_room::table::id_type waiting_room::id_of(std::uint64_t owner) const noexcept {
  const auto index = static_cast<std::uint32_t>(owner);
  if (!cells_.taken(index)) return {};
  const auto id = cells_.id_at(index);
  const auto generation = static_cast<std::uint32_t>(owner >> 32) & generation_mask;
  return (id.generation & generation_mask) == generation ? id : table::id_type{};
}

void waiting_room::leave(std::uint64_t owner) { cells_.erase(id_of(owner)); }

bool waiting_room::deliver(const settlement& s) {
  verdict_cell** found = cells_.find(id_of(s.owner));
  if (!found || (*found)->now != verdict_cell::state::waiting) return false;
  verdict_cell& cell = **found;
  cell.now = s.granted ? verdict_cell::state::granted : verdict_cell::state::evicted;
  cell.grant = s.grant;
  cell.why = s.why;
  cell.retry_after = s.retry_after;
  cell.settled.ring();
  return true;
}

}  // namespace weir::proxy
