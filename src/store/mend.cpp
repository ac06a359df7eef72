#include "store/mend.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "store/rows.hpp"
#include "store/schema.hpp"
#include "store/spool.hpp"

namespace weir::store {
namespace {

constexpr std::int64_t last_key = INT64_MAX;

bool unreadable(const failure& f) { return f.what == trouble::damaged; }

// A table by its integer key, or by the first column of its key.
struct table {
  const char* name;
  const char* key;
};
constexpr table tables[] = {{"lanes", "lane"},      {"batches", "seq"},  {"bodies", "seq"},
                            {"logged", "seq"},      {"responses", "seq"}, {"keys", "number"},
                            {"damaged", "number"}, {"attempts", "seq"}};

class salvage {
 public:
  salvage(database& from, database& to, mended& found) : from_(from), to_(to), found_(found) {}

  outcome<void> copy(const table& t);
  outcome<void> copy_messages();

 private:
  struct reach {
    std::int64_t key = 0;   // the last that was copied
    bool all = false;
  };
  outcome<reach> copy_from(const table& t, std::int64_t after);
  outcome<bool> readable_after(const table& t, std::int64_t key);
  outcome<std::int64_t> next_readable(const table& t, std::int64_t key);
  outcome<void> give(sqlite3_stmt* row, sqlite3_stmt* insert);

  database& from_;
  database& to_;
  mended& found_;
};

struct closing {
  void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
};
using raw_statement = std::unique_ptr<sqlite3_stmt, closing>;

outcome<raw_statement> made(database& db, const std::string& sql) {
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v2(db.handle(), sql.c_str(), -1, &s, nullptr) != SQLITE_OK)
    return failure_of(db.handle());
  return raw_statement(s);
}

// All columns of the row behind the key, in front of it, as they are.
outcome<void> salvage::give(sqlite3_stmt* row, sqlite3_stmt* insert) {
  sqlite3_reset(insert);
  for (int i = 1; i < sqlite3_column_count(row); ++i)
    sqlite3_bind_value(insert, i, sqlite3_column_value(row, i));
  if (sqlite3_step(insert) != SQLITE_DONE) return failure_of(to_.handle());
  found_.gaps += to_.changes() == 0;   // no such row was written: it is left out
  return {};
}

std::string insert_sql(const char* name, int columns) {
  std::string sql = std::string("INSERT OR IGNORE INTO ") + name + " VALUES(?";
  for (int i = 1; i < columns; ++i) sql += ",?";
  return sql + ")";
}

// Until the end, or a place that cannot be read.
outcome<salvage::reach> salvage::copy_from(const table& t, std::int64_t after) {
  auto rows = made(from_, std::string("SELECT ") + t.key + ", * FROM " + t.name + " WHERE " +
                              t.key + " > ? ORDER BY " + t.key);
  if (!rows) return rows.error();
  auto insert = made(to_, insert_sql(t.name, sqlite3_column_count(rows->get()) - 1));
  if (!insert) return insert.error();
  sqlite3_bind_int64(rows->get(), 1, after);
  reach r{after, false};
  for (;;) {
    const int code = sqlite3_step(rows->get());
    if (code == SQLITE_DONE) return reach{r.key, true};
    if (code != SQLITE_ROW) return r;
    const std::int64_t key = sqlite3_column_int64(rows->get(), 0);
    if (key < r.key) return r;   // keys that do not rise are no keys
    if (auto given = give(rows->get(), insert->get()); !given) return given.error();
    if (std::string_view(t.name) == "batches") ++found_.batches;
    r.key = key;
  }
}

outcome<bool> salvage::readable_after(const table& t, std::int64_t key) {
  auto row = made(from_, std::string("SELECT * FROM ") + t.name + " WHERE " + t.key +
                             " > ? ORDER BY " + t.key + " LIMIT 1");
  if (!row) return row.error();
  sqlite3_bind_int64(row->get(), 1, key);
  const int code = sqlite3_step(row->get());
  return code == SQLITE_ROW || code == SQLITE_DONE;
}

// The smallest key from which reading goes on: by doubling steps, then by halves.
outcome<std::int64_t> salvage::next_readable(const table& t, std::int64_t key) {
  std::int64_t bad = key, good = last_key;
  for (std::int64_t step = 1; key <= last_key - step; step *= 2) {
    const auto can = readable_after(t, key + step);
    if (!can) return can.error();
    if (*can) {
      good = key + step;
      break;
    }
    bad = key + step;
    if (step > last_key / 4) return last_key;
  }
  while (good - bad > 1) {
    const std::int64_t middle = bad + (good - bad) / 2;
    const auto can = readable_after(t, middle);
    if (!can) return can.error();
    (*can ? good : bad) = middle;
  }
  return good;
}

outcome<void> salvage::copy(const table& t) {
  for (std::int64_t after = 0; after < last_key;) {
    const auto r = copy_from(t, after);
    if (!r) return unreadable(r.error()) ? outcome<void>() : r.error();
    if (r->all) return {};
    ++found_.gaps;
    const auto next = next_readable(t, std::max(after, r->key));
    if (!next) return next.error();
    after = *next;
  }
  return {};
}

// As far as the first that cannot be read.
outcome<void> salvage::copy_messages() {
  auto rows = made(from_, "SELECT 0, * FROM messages");
  if (!rows) return unreadable(rows.error()) ? outcome<void>() : rows.error();
  auto insert = made(to_, insert_sql("messages", 4));
  if (!insert) return insert.error();
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(rows->get())) == SQLITE_ROW)
    if (auto given = give(rows->get(), insert->get()); !given) return given;
  found_.gaps += code != SQLITE_DONE;
  return {};
}

// The first page holds the tables' definitions, and is the same in every new database: when they
// cannot be read, it is put in place of the old one.
outcome<void> renew_first_page(const std::string& path, const std::string& from) {
  std::string page(16384, '\0');
  auto fresh = file::open(from, file::mode::read);
  if (!fresh) return file_failure(fresh.error(), "opening " + from);
  const auto n = fresh->read(0, page);
  if (!n) return file_failure(n.error(), "reading " + from);
  page.replace(28, 4, 4, '\0');   // its size: the file's
  auto old = file::open(path, file::mode::change);
  if (!old) return file_failure(old.error(), "opening " + path);
  if (const auto failed = old->write(page)) return file_failure(failed, "writing " + path);
  return {};
}

bool definitions_readable(const std::string& path) {
  auto db = database::open(path);
  return db && db->number("SELECT count(*) FROM batches WHERE seq < 0").has_value();
}

outcome<database> fresh_database(const std::string& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix, ignored);
  auto db = database::open(path);
  if (!db) return db;
  if (auto made_tables = prepare_schema(*db); !made_tables) return made_tables.error();
  if (auto plain = db->run("PRAGMA journal_mode = DELETE"); !plain) return plain.error();
  return db;
}

// What a lane was of is written nowhere else: without it a batch is set aside.
outcome<void> set_strays_aside(database& db, unix_ms now, mended& found) {
  auto strays = db.prepare("SELECT seq, id FROM batches WHERE state != 5 AND "
                           "lane NOT IN (SELECT lane FROM lanes)");
  auto aside = db.prepare("UPDATE batches SET open = 0, state = 5, attempts = 0, tries = 0, "
                          "not_before = 0, changed = ?, state_sum = ?, kept = 0 WHERE seq = ?");
  if (!strays || !aside) return strays ? aside.error() : strays.error();
  std::vector<std::pair<std::int64_t, batch_id>> all;
  auto u = strays->begin();
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) break;
    all.emplace_back(u.number_at(0), u.id_at(1));
  }
  found.gaps += all.size();
  for (const auto& [seq, id] : all) {
    auto one = aside->begin();
    one.number(now).number(sum_of(id, {batch_state::damaged, 0, 0, 0, now}));
    if (auto done = one.number(seq).run(); !done) return done;
  }
  return {};
}

outcome<mended> save_all(database& from, database& to, unix_ms now) {
  mended found;
  if (auto begun = to.run("BEGIN"); !begun) return begun.error();
  salvage of(from, to, found);
  for (const table& t : tables)
    if (auto copied = of.copy(t); !copied) return copied.error();
  if (auto copied = of.copy_messages(); !copied) return copied.error();
  for (const char* of_batches : {"bodies", "logged", "responses", "attempts"})
    if (auto gone = to.run((std::string("DELETE FROM ") + of_batches + " WHERE seq NOT IN "
                            "(SELECT seq FROM batches)").c_str()); !gone)
      return gone.error();
  if (auto aside = set_strays_aside(to, now, found); !aside) return aside.error();
  auto noted = to.prepare("INSERT INTO damaged(found, what) VALUES(?,?)");
  if (!noted) return noted.error();
  const std::string what = "the database: " + std::to_string(found.gaps) +
                           " places could not be read; what could is kept";
  if (auto done = noted->begin().number(now).text(what).run(); !done) return done.error();
  if (auto committed = to.run("COMMIT"); !committed) return committed.error();
  return found;
}

outcome<void> take_place(const std::string& path, const std::string& made_at) {
  std::error_code ignored;
  const std::string old = path + damaged_suffix;
  std::filesystem::remove(old, ignored);
  std::filesystem::create_hard_link(path, old, ignored);   // else the name alone is lost
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path + suffix, ignored);
  base::error_code failed = rename_file(made_at, path);
  if (!failed) failed = sync_folder(std::filesystem::path(path).parent_path().string());
  if (failed) return file_failure(failed, "putting the mended database in place");
  return {};
}

}  // namespace

outcome<mended> mend(const std::string& path, unix_ms now) {
  const std::string made_at = path + ".mended";
  outcome<mended> found = failure{};
  {
    auto to = fresh_database(made_at);
    if (!to) return to.error();
    if (!definitions_readable(path))
      if (auto renewed = renew_first_page(path, made_at); !renewed) return renewed.error();
    auto from = database::open(path);
    if (!from) return from.error();
    found = save_all(*from, *to, now);
  }
  if (!found) return found;
  if (auto placed = take_place(path, made_at); !placed) return placed.error();
  return found;
}

}  // namespace weir::store
