// How records stand in rows: their checksums, and columns into members and back. Only this room's
// files about tables use it, on the store's thread.
#pragma once

#include "store/sqlite.hpp"

namespace weir::store {

// Columns of a batch's row, in the order that batch_at() reads.
inline constexpr const char* batch_columns =
    "seq, id, lane, key, method, target, fields, cost, urgency, callback, deadline, created, "
    "body_size, body_crc, body_spool, sum, state, attempts, tries, not_before, changed, state_sum";

batch batch_at(const statement::use& u);                 // without pool, route and tenant
bool state_sound(const statement::use& u, const batch& b);
bool sound(const statement::use& u, const batch& b);     // with them: all of the row

batch_state state_at(const statement::use& u, int column);   // `damaged` when it is none
std::uint32_t sum_of(const batch& b) noexcept;
// What changes in a batch's life.
struct standing {
  batch_state state = batch_state::queued;
  std::uint32_t attempts = 0, tries = 0;
  unix_ms not_before = 0, changed = 0;
};
std::uint32_t sum_of(const batch_id& id, const standing& s) noexcept;

// Columns status, worker, fields, body_size, body_crc, body_spool, sum, bytes of `responses`.
outcome<response> response_at(const statement::use& u);
std::uint32_t sum_of(const response& r) noexcept;

// Whether inline bytes are what was written; a spooled body is checked when its file is read.
bool inline_whole(const payload& body) noexcept;
failure broken(std::string_view what);                   // trouble::damaged
std::string_view raw(const batch_id& id) noexcept;
std::string_view raw(const digest& d) noexcept;

}  // namespace weir::store
