#include "store/schema.hpp"

#include <string>

namespace weir::store {
namespace {

// Each takes a database from the version before it to its own: entry 0 makes version 1.
constexpr const char* migrations[] = {
    R"(
CREATE TABLE lanes(
  lane INTEGER PRIMARY KEY, pool TEXT NOT NULL, route TEXT NOT NULL, tenant TEXT NOT NULL,
  UNIQUE(pool, route, tenant)
);
CREATE TABLE batches(
  seq INTEGER PRIMARY KEY,        -- order of arrival
  id BLOB NOT NULL, lane INTEGER NOT NULL,
  key TEXT NOT NULL, method TEXT NOT NULL, target TEXT NOT NULL, fields TEXT NOT NULL,
  cost REAL NOT NULL, urgency INTEGER NOT NULL, callback TEXT NOT NULL, deadline INTEGER,
  created INTEGER NOT NULL,
  body_size INTEGER NOT NULL, body_crc INTEGER NOT NULL, body_spool INTEGER NOT NULL,
  sum INTEGER NOT NULL,           -- CRC-32 of all above but seq, and of what the lane is of
  open INTEGER NOT NULL,          -- whether the state is queued or running
  state INTEGER NOT NULL, attempts INTEGER NOT NULL, tries INTEGER NOT NULL,
  not_before INTEGER NOT NULL, changed INTEGER NOT NULL,
  state_sum INTEGER NOT NULL,     -- CRC-32 of id and the five above
  kept INTEGER NOT NULL           -- bytes of the body and the answer, once it has ended
);
-- What waits, by lane in order of arrival, with all that adding it up takes.
CREATE INDEX batches_by_lane ON batches(lane, open, seq, body_size, cost);
CREATE INDEX batches_running ON batches(seq) WHERE state = 1;
CREATE INDEX batches_ended ON batches(changed, kept, state) WHERE state IN (2, 4);
CREATE INDEX batches_failed ON batches(seq, changed) WHERE state = 3;
CREATE INDEX batches_damaged ON batches(seq, changed) WHERE state = 5;
CREATE INDEX batches_spooled ON batches(body_spool, body_size) WHERE body_spool != 0;
-- Ids of batches up to the one that `filed` names; newer ones are in `batches` alone.
CREATE TABLE ids(id BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE filed(seq INTEGER NOT NULL);
INSERT INTO filed(seq) VALUES(0);
CREATE TABLE bodies(seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
-- Those that are in the body log, by segment and offset there.
CREATE TABLE logged(
  seq INTEGER PRIMARY KEY, segment INTEGER NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL
);
CREATE INDEX logged_by_place ON logged(segment, at, size);
CREATE TABLE attempts(
  seq INTEGER NOT NULL, number INTEGER NOT NULL, worker TEXT NOT NULL,
  began INTEGER NOT NULL, ended INTEGER NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY(seq, number)
) WITHOUT ROWID;
CREATE TABLE responses(
  seq INTEGER PRIMARY KEY, status INTEGER NOT NULL, worker TEXT NOT NULL, fields TEXT NOT NULL,
  body_size INTEGER NOT NULL, body_crc INTEGER NOT NULL, body_spool INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  sum INTEGER NOT NULL            -- CRC-32 of all above but seq and bytes
);
CREATE INDEX responses_spooled ON responses(body_spool, body_size) WHERE body_spool != 0;
CREATE TABLE keys(
  number INTEGER PRIMARY KEY, scope BLOB NOT NULL UNIQUE, fingerprint BLOB NOT NULL,
  created INTEGER NOT NULL,
  batch BLOB,                     -- the asynchronous one's id, or none and an answer:
  status INTEGER NOT NULL, worker TEXT NOT NULL, fields TEXT NOT NULL, body BLOB NOT NULL,
  sum INTEGER NOT NULL,           -- CRC-32 of all above but number
  size INTEGER NOT NULL           -- bytes, about
);
CREATE INDEX keys_by_age ON keys(created, size);
CREATE TABLE messages(
  name TEXT PRIMARY KEY, text TEXT NOT NULL, due INTEGER NOT NULL,
  sum INTEGER NOT NULL            -- CRC-32 of all above
) WITHOUT ROWID;
CREATE INDEX messages_by_due ON messages(due);
CREATE TABLE damaged(number INTEGER PRIMARY KEY, found INTEGER NOT NULL, what TEXT NOT NULL);
)"};
static_assert(std::size(migrations) == schema_version);

// The folder's lock keeps a second weir away; the database's own let a second thread of this one
// copy the log's pages into place while commits go on.
constexpr const char* set_up = R"(
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -16384;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;
)";

// The version stands twice in the file's head, so that a bit that fell over is no other version.
constexpr std::int64_t mark = 0x77656900;   // "wei", and the version

outcome<void> set_version(database& db, std::int64_t version) {
  return db.run(("PRAGMA user_version = " + std::to_string(version) +
                 "; PRAGMA application_id = " + std::to_string(mark + version)).c_str());
}

outcome<std::int64_t> version_of(database& db) {
  const auto version = db.number("PRAGMA user_version");
  const auto marked = db.number("PRAGMA application_id");
  if (!version || !marked) return version ? marked.error() : version.error();
  if (*marked == mark + *version || (*marked == 0 && *version == 0)) return *version;
  return failure{trouble::damaged, "the head of the store's database is not what was written"};
}

outcome<void> migrate(database& db, std::int64_t from) {
  for (auto v = static_cast<std::size_t>(from); v < std::size(migrations); ++v)
    if (auto made = db.run(migrations[v]); !made) return made;
  return set_version(db, schema_version);
}

}  // namespace

outcome<void> prepare_schema(database& db) {
  if (auto ready = db.run(set_up); !ready) return ready;
  const auto version = version_of(db);
  if (!version) return version.error();
  if (*version > schema_version)
    return failure{trouble::conflict,
                   "the store was written by a newer weir (its version is " +
                       std::to_string(*version) + ", this weir knows up to " +
                       std::to_string(schema_version) + "); start that one"};
  if (*version == schema_version) return {};
  if (auto begun = db.run("BEGIN IMMEDIATE"); !begun) return begun;
  auto made = migrate(db, *version);
  if (made) made = db.run("COMMIT");
  if (!made) (void)db.run("ROLLBACK");
  return made;
}

}  // namespace weir::store
