// A whole copy of a store in a folder: the database as it was at one moment, the spool files that
// it names (hard links where that can be), and "backup.json", which is written last: without it a
// copy is not whole. Runs beside the store's thread, on one of its own, with its own connection.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "store/spool.hpp"

namespace weir::store {

inline constexpr const char* database_file = "batches.db";
inline constexpr const char* spool_folder = "spool";
inline constexpr const char* note_file = "backup.json";

// What backup.json says.
struct backup_note {
  std::int64_t schema = 0;
  unix_ms taken_at = 0;
  store_counts counts;                 // `bytes`: of the database and the spool files
  std::uint32_t database_crc = 0;      // CRC-32 of the file
  std::uint64_t spool_files = 0;
};
std::string to_json(const backup_note& n);
outcome<backup_note> parse_backup_note(const std::string& text);   // damaged: it is none

struct copy_order {
  std::string from, to;                // folders; `to` must be missing or empty (conflict)
  unix_ms taken_at = 0;
  const std::atomic<bool>* stop = nullptr;   // breaks it off (closed)
  const char* vfs = nullptr;
};
// While it runs nobody removes a spool file of `from`.
outcome<void> copy_store(const copy_order& order);

// --- for restore too ----------------------------------------------------------------------------
// Bodies in spool files that the database names, and how many batches there are of each state.
outcome<store_counts> count_states(database& db);
outcome<void> each_spooled(database& db, const std::function<outcome<void>(const payload&)>& take);
// Copies a file and makes its bytes (not its name) durable; its CRC-32.
outcome<std::uint32_t> copy_file(const std::string& from, const std::string& to);
outcome<bool> is_vacant(const std::string& folder);   // missing, or nothing in it

}  // namespace weir::store
