#include "store/sqlite.hpp"

#include <sqlite3.h>

#include <cstring>

namespace weir::store {

failure failure_of(sqlite3* db) {
  const std::string said = sqlite3_errmsg(db);
  switch (sqlite3_errcode(db) & 0xff) {      // the primary code of an extended one
    case SQLITE_FULL: return {trouble::full, "no room for the store: " + said};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {trouble::damaged, "the store's database is damaged: " + said, true};
    case SQLITE_CONSTRAINT: return {trouble::conflict, said};
    default: return {trouble::io, "the store's database: " + said};
  }
}

void statement::finalizer::operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }

statement::use statement::begin() { return {db_, made_.get()}; }

statement::use::~use() {
  sqlite3_reset(s_);
  sqlite3_clear_bindings(s_);
}

statement::use& statement::use::number(std::int64_t n) {
  sqlite3_bind_int64(s_, ++bound_, n);
  return *this;
}

statement::use& statement::use::real(double d) {
  sqlite3_bind_double(s_, ++bound_, d);
  return *this;
}

statement::use& statement::use::text(std::string_view s) {
  sqlite3_bind_text64(s_, ++bound_, s.data() ? s.data() : "", s.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

statement::use& statement::use::blob(std::string_view bytes) {
  sqlite3_bind_blob64(s_, ++bound_, bytes.data() ? bytes.data() : "", bytes.size(), SQLITE_STATIC);
  return *this;
}

statement::use& statement::use::id(const batch_id& id) {
  return blob({reinterpret_cast<const char*>(id.data()), id.size()});
}

statement::use& statement::use::key(const digest& d) {
  return blob({reinterpret_cast<const char*>(d.data()), d.size()});
}

statement::use& statement::use::null() {
  sqlite3_bind_null(s_, ++bound_);
  return *this;
}

outcome<step> statement::use::next() {
  switch (sqlite3_step(s_)) {
    case SQLITE_ROW: return step::row;
    case SQLITE_DONE: return step::done;
    default: return failure_of(db_);
  }
}

outcome<void> statement::use::run() {
  const auto done = next();
  if (!done) return done.error();
  return {};
}

std::int64_t statement::use::number_at(int column) const {
  return sqlite3_column_int64(s_, column);
}

double statement::use::real_at(int column) const { return sqlite3_column_double(s_, column); }

std::string_view statement::use::bytes_at(int column) const {
  const auto* const at = static_cast<const char*>(sqlite3_column_blob(s_, column));
  return {at ? at : "", static_cast<std::size_t>(sqlite3_column_bytes(s_, column))};
}

std::string statement::use::text_at(int column) const { return std::string(bytes_at(column)); }

std::string statement::use::blob_at(int column) const { return std::string(bytes_at(column)); }

namespace {

template <class Fixed>
Fixed fixed(std::string_view bytes) {
  Fixed made{};
  if (bytes.size() == made.size()) std::memcpy(made.data(), bytes.data(), made.size());
  return made;
}

}  // namespace

batch_id statement::use::id_at(int column) const { return fixed<batch_id>(bytes_at(column)); }

digest statement::use::key_at(int column) const { return fixed<digest>(bytes_at(column)); }

bool statement::use::null_at(int column) const {
  return sqlite3_column_type(s_, column) == SQLITE_NULL;
}

void database::closer::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }

outcome<database> database::open(const std::string& path, const char* vfs) {
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, vfs);
  database made;
  made.db_.reset(db);
  if (code == SQLITE_OK) return made;
  if (!db) return failure{trouble::io, "no memory for the store's database"};
  failure why = failure_of(db);
  why.detail += " (" + path + ")";
  return why;
}

outcome<void> database::run(const char* sql) {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return failure_of(handle());
  return {};
}

outcome<statement> database::prepare(std::string_view sql) {
  sqlite3_stmt* made = nullptr;
  const int code = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &made, nullptr);
  if (code != SQLITE_OK) return failure_of(handle());
  return statement(handle(), made);
}

outcome<std::int64_t> database::number(const char* sql) {
  auto made = prepare(sql);
  if (!made) return made.error();
  auto use = made->begin();
  const auto got = use.next();
  if (!got) return got.error();
  return *got == step::row ? use.number_at(0) : 0;
}

outcome<statement*> database::kept(const char* sql) {
  statement& s = kept_[sql];
  if (s) return &s;
  auto made = prepare(sql);
  if (!made) return made.error();
  s = std::move(*made);
  return &s;
}

int database::changes() const { return sqlite3_changes(handle()); }

}  // namespace weir::store
