#include "store/restore.hpp"

#include <filesystem>
#include <utility>
#include <vector>

#include "store/backup.hpp"
#include "store/folder_lock.hpp"
#include "store/schema.hpp"

namespace weir::store {
namespace fs = std::filesystem;

namespace {

// What was made so far; it goes again unless it was all made.
class unfinished {
 public:
  explicit unfinished(std::string folder) : folder_(std::move(folder)) {}
  ~unfinished() {
    if (done_) return;
    std::error_code ignored;
    for (const char* name : {spool_folder, database_file, "batches.db.part", "batches.db.part-wal",
                             "batches.db.part-shm"})
      fs::remove_all(folder_ + "/" + name, ignored);
  }
  unfinished(const unfinished&) = delete;
  unfinished& operator=(const unfinished&) = delete;
  void done() noexcept { done_ = true; }

 private:
  std::string folder_;
  bool done_ = false;
};

outcome<backup_note> note_of(const std::string& folder) {
  const std::string path = folder + "/" + note_file;
  auto opened = file::open(path, file::mode::read);
  if (!opened)
    return failure{trouble::damaged, path + " cannot be read: without it a copy is not whole"};
  std::string text(65536, '\0');
  const auto n = opened->read(0, text);
  if (!n) return file_failure(n.error(), "reading " + path);
  text.resize(*n);
  auto note = parse_backup_note(text);
  if (note && note->schema > schema_version)
    return failure{trouble::conflict, "the copy was made by a newer weir; use that one"};
  return note;
}

// Nothing but the lock that is held.
outcome<void> check_vacant(const std::string& folder) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    if (entry.path().filename() != folder_lock::name)
      return failure{trouble::conflict, "the folder " + folder + " is not empty: it has " +
                                            entry.path().filename().string()};
  if (failed) return failure{trouble::io, "reading " + folder + ": " + failed.message()};
  return {};
}

outcome<void> check_whole(database& db) {
  auto s = db.prepare("PRAGMA integrity_check(1)");
  if (!s) return s.error();
  auto u = s->begin();
  const auto got = u.next();
  if (!got) return got.error();
  if (u.text_at(0) == "ok") return {};
  return failure{trouble::damaged, "the copy's database is damaged: " + u.text_at(0)};
}

outcome<void> copy_body(const std::string& from, const std::string& to, const payload& body) {
  const std::string name = std::to_string(body.spool), source = from + "/" + name;
  std::error_code missing;
  const auto size = fs::file_size(source, missing);
  if (missing) return failure{trouble::damaged, "spool file " + name + " is missing"};
  if (size != body.size)
    return failure{trouble::damaged, "spool file " + name + " has " + std::to_string(size) +
                                         " bytes, not " + std::to_string(body.size)};
  const auto crc = copy_file(source, to + "/" + name);
  if (!crc) return crc.error();
  if (*crc != body.crc)
    return failure{trouble::damaged, "spool file " + name + " has another checksum"};
  return {};
}

outcome<restored> copy_bodies(database& db, const std::string& from, const std::string& to,
                              const backup_note& note) {
  restored r{note.taken_at, {}, 0};
  auto copied = each_spooled(db, [&](const payload& body) {
    ++r.spool_files;
    return copy_body(from, to, body);
  });
  if (!copied) return copied.error();
  auto counts = count_states(db);
  if (!counts) return counts.error();
  r.counts = *counts;
  r.counts.bytes = note.counts.bytes;
  return r;
}

// The database under a temporary name: it gets its own when all else is durable.
outcome<restored> copy_all(const std::string& from, const std::string& to,
                           const backup_note& note) {
  const std::string part = to + "/" + database_file + ".part", spool = to + "/" + spool_folder;
  if (auto made = make_folder(spool); !made) return made.error();
  const auto crc = copy_file(from + "/" + database_file, part);
  if (!crc) return crc.error();
  if (*crc != note.database_crc)
    return failure{trouble::damaged, "the copy's database has another checksum than its note says"};
  outcome<restored> r = failure{};
  {
    auto db = database::open(part);
    if (!db) return db.error();
    if (auto whole = check_whole(*db); !whole) return whole.error();
    r = copy_bodies(*db, from + "/" + spool_folder, spool, note);
  }
  if (!r) return r;
  base::error_code failed = sync_folder(spool);
  if (!failed) failed = rename_file(part, to + "/" + database_file);
  if (!failed) failed = sync_folder(to);
  if (failed) return file_failure(failed, "making the restored store durable");
  return r;
}

}  // namespace

outcome<restored> restore(const std::string& from, const std::string& state_dir) {
  const auto note = note_of(from);
  if (!note) return note.error();
  const auto lock = folder_lock::take(state_dir);
  if (!lock) return lock.error();
  if (auto vacant = check_vacant(state_dir); !vacant) return vacant.error();
  unfinished made(state_dir);
  auto r = copy_all(from, state_dir, *note);
  if (r) made.done();
  return r;
}

}  // namespace weir::store
