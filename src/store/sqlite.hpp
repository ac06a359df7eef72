// SQLite with values instead of codes: a database, its prepared statements, and what went wrong.
// Used by this room only, from one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/records.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace weir::store {

enum class step : std::uint8_t { row, done };

// Bound from left to right, run by step(), read by column. It starts over when it is destroyed by
// its `use`, so that no read transaction stays open behind it.
class statement {
 public:
  statement() = default;
  statement(sqlite3* db, sqlite3_stmt* made) noexcept : db_(db), made_(made) {}

  class use;
  use begin();
  explicit operator bool() const noexcept { return made_ != nullptr; }

 private:
  struct finalizer {
    void operator()(sqlite3_stmt* s) const noexcept;
  };
  sqlite3* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, finalizer> made_;
};

// One run of a statement. Bound text and blobs must live as long as the use does.
class statement::use {
 public:
  use(sqlite3* db, sqlite3_stmt* s) noexcept : db_(db), s_(s) {}
  ~use();
  use(const use&) = delete;
  use& operator=(const use&) = delete;

  use& number(std::int64_t n);
  use& real(double d);
  use& text(std::string_view s);
  use& blob(std::string_view bytes);
  use& id(const batch_id& id);
  use& key(const digest& d);
  use& null();

  outcome<step> next();
  outcome<void> run();                       // next() for statements without rows

  std::int64_t number_at(int column) const;
  double real_at(int column) const;
  std::string text_at(int column) const;
  std::string blob_at(int column) const;
  batch_id id_at(int column) const;          // zeros when it is not of that size
  digest key_at(int column) const;           // so too
  bool null_at(int column) const;

 private:
  std::string_view bytes_at(int column) const;
  sqlite3* db_;
  sqlite3_stmt* s_;
  int bound_ = 0;
};

class database {
 public:
  // Opens or makes the file. `vfs`: of file operations that fail on command; null: SQLite's own.
  static outcome<database> open(const std::string& path, const char* vfs = nullptr);

  outcome<void> run(const char* sql);        // one or more statements without rows
  outcome<statement> prepare(std::string_view sql);
  // The statement of a text that lives as long as the program, made once. One use of it at a time.
  outcome<statement*> kept(const char* sql);
  outcome<std::int64_t> number(const char* sql);   // first column of the first row
  int changes() const;                       // rows that the last statement changed
  sqlite3* handle() const noexcept { return db_.get(); }

 private:
  struct closer {
    void operator()(sqlite3* db) const noexcept;
  };
  std::unique_ptr<sqlite3, closer> db_;
  std::unordered_map<const char*, statement> kept_;
};

failure failure_of(sqlite3* db);             // what the last call on it said

}  // namespace weir::store
