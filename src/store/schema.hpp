// The database's tables and how older ones become them. Called once when a store is opened, on the
// store's thread.
#pragma once

#include "store/sqlite.hpp"

namespace weir::store {

// Sets the journal up (write-ahead log, synced at every commit) and brings the tables
// to the newest version in one transaction. A database of a newer weir is refused: it is never
// written to.
outcome<void> prepare_schema(database& db);

inline constexpr std::int64_t schema_version = 1;

}  // namespace weir::store
