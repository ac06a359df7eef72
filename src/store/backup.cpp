#include "store/backup.hpp"

#include <sqlite3.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "store/body_log.hpp"
#include "store/folder_lock.hpp"
#include "store/schema.hpp"

namespace weir::store {
namespace fs = std::filesystem;

namespace {

constexpr int pages_at_once = 1024;   // between looks at `stop`

failure stopped() { return {trouble::closed, "the store is shutting down"}; }

bool told_to_stop(const copy_order& o) {
  return o.stop && o.stop->load(std::memory_order_relaxed);
}

struct backup_end {
  void operator()(sqlite3_backup* b) const noexcept { sqlite3_backup_finish(b); }
};

// All of `from` as its open read transaction shows it.
outcome<void> copy_pages(database& from, database& to, const copy_order& order) {
  const std::unique_ptr<sqlite3_backup, backup_end> copy(
      sqlite3_backup_init(to.handle(), "main", from.handle(), "main"));
  if (!copy) return failure_of(to.handle());
  for (;;) {
    const int code = sqlite3_backup_step(copy.get(), pages_at_once);
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_OK)
      return failure{code == SQLITE_FULL ? trouble::full : trouble::io,
                     std::string("copying the database: ") + sqlite3_errstr(code)};
    if (told_to_stop(order)) return stopped();
  }
}

outcome<void> sync_file(const std::string& path) {
  auto opened = file::open(path, file::mode::read);
  if (!opened) return file_failure(opened.error(), "opening " + path);
  if (const auto failed = opened->sync()) return file_failure(failed, "syncing " + path);
  return {};
}

outcome<std::uint32_t> crc_of(const std::string& path) {
  auto from = file::open(path, file::mode::read);
  if (!from) return file_failure(from.error(), "opening " + path);
  std::vector<char> piece(1 << 20);
  checksum sum;
  for (std::uint64_t at = 0;;) {
    const auto n = from->read(at, piece);
    if (!n) return file_failure(n.error(), "reading " + path);
    if (*n == 0) return sum.value();
    sum.bytes({piece.data(), *n});
    at += *n;
  }
}

struct logged_body {
  std::int64_t seq = 0;
  log_place place;
};

outcome<std::optional<logged_body>> next_logged(statement& list, std::int64_t after) {
  auto u = list.begin();
  const auto got = u.number(after).next();
  if (!got) return got.error();
  if (*got == step::done) return std::optional<logged_body>();
  const auto plain = [&](int column) { return static_cast<std::uint64_t>(u.number_at(column)); };
  return std::optional<logged_body>({u.number_at(0), {plain(1), plain(2), plain(3)}});
}

// A body that cannot be read is left out, as its batch will be found damaged here too.
outcome<void> put_body(statement& insert, const std::string& folder, const logged_body& b) {
  auto segment = file::open(segment_path(folder, b.place.segment), file::mode::read);
  auto bytes = segment ? read_body(*segment, b.place)
                       : outcome<std::string>(file_failure(segment.error(), "opening a segment"));
  const bool gone = !segment && segment.error() == boost::system::errc::no_such_file_or_directory;
  if (!bytes) return gone || bytes.error().what == trouble::damaged ? outcome<void>()
                                                                    : bytes.error();
  return insert.begin().number(b.seq).blob(*bytes).run();
}

// The copy has all in its database that is not in spool files: the log is the store's own.
outcome<void> take_in_bodies(database& to, const copy_order& order) {
  auto list = to.prepare("SELECT seq, segment, at, size FROM logged WHERE seq > ? ORDER BY seq "
                         "LIMIT 1");
  auto insert = to.prepare("INSERT INTO bodies(seq, bytes) VALUES(?,?)");
  if (!list || !insert) return list ? insert.error() : list.error();
  for (std::int64_t after = 0;;) {
    if (told_to_stop(order)) return stopped();
    const auto next = next_logged(*list, after);
    if (!next) return next.error();
    if (!*next) return to.run("DELETE FROM logged");
    after = (*next)->seq;
    if (auto put = put_body(*insert, order.from + "/" + body_log::folder_name, **next); !put)
      return put;
  }
}

outcome<void> copy_database(database& from, const copy_order& order, const std::string& path) {
  {
    auto to = database::open(path);
    if (!to) return to.error();
    // Until backup.json is there nobody takes it for whole: no journal, synced once at the end.
    if (auto set = to->run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"); !set)
      return set;
    if (auto copied = copy_pages(from, *to, order); !copied) return copied;
    // The pages say that the database has a log: it is not to get one.
    if (auto set = to->run("PRAGMA journal_mode = OFF"); !set) return set;
    if (auto taken = take_in_bodies(*to, order); !taken) return taken;
  }
  return sync_file(path);
}

// One more name for the file; another file where that cannot be.
outcome<void> give(const std::string& from, const std::string& to) {
  const auto failed = link_file(from, to);
  if (!failed) return {};
  if (failed == boost::system::errc::no_such_file_or_directory)
    return failure{trouble::damaged, "spool file " + from + " is missing"};
  const auto copied = copy_file(from, to);
  return copied ? outcome<void>() : outcome<void>(copied.error());
}

outcome<void> write_note(const std::string& folder, const backup_note& note) {
  const std::string path = folder + "/" + note_file, part = path + ".part";
  auto made = file::open(part, file::mode::create);
  if (!made) return file_failure(made.error(), "making " + part);
  base::error_code failed = made->write(to_json(note));
  if (!failed) failed = made->sync();
  if (!failed) failed = rename_file(part, path);
  if (!failed) failed = sync_folder(folder);
  if (!failed) return {};
  for (const std::string& name : {part, path}) (void)remove_file(name);   // told as failed: it is
  return file_failure(failed, "writing " + path);
}

outcome<void> sync_folders(const copy_order& order) {
  for (const std::string& folder : {order.to + "/" + spool_folder, order.to})
    if (const auto failed = sync_folder(folder)) return file_failure(failed, "syncing " + folder);
  return {};
}

outcome<void> copy_spool(database& db, const copy_order& order, backup_note& note) {
  return each_spooled(db, [&](const payload& body) -> outcome<void> {
    if (told_to_stop(order)) return stopped();
    const std::string name = std::string("/") + spool_folder + "/" + std::to_string(body.spool);
    ++note.spool_files;
    note.counts.bytes += body.size;
    return give(order.from + name, order.to + name);
  });
}

}  // namespace

outcome<std::uint32_t> copy_file(const std::string& from, const std::string& to) {
  auto source = file::open(from, file::mode::read);
  if (!source) return file_failure(source.error(), "opening " + from);
  auto copy = file::open(to, file::mode::create);
  if (!copy) return file_failure(copy.error(), "making " + to);
  std::vector<char> piece(1 << 20);
  checksum sum;
  for (std::uint64_t at = 0;;) {
    const auto n = source->read(at, piece);
    if (!n) return file_failure(n.error(), "reading " + from);
    if (*n == 0) break;
    sum.bytes({piece.data(), *n});
    if (const auto failed = copy->write({piece.data(), *n}))
      return file_failure(failed, "writing " + to);
    at += *n;
  }
  if (const auto failed = copy->sync()) return file_failure(failed, "syncing " + to);
  return sum.value();
}

outcome<bool> is_vacant(const std::string& folder) {
  std::error_code failed;
  if (!fs::exists(folder, failed) && !failed) return true;
  const bool empty = !failed && fs::is_empty(folder, failed);
  if (failed) return failure{trouble::io, "reading " + folder + ": " + failed.message()};
  return empty;
}

outcome<store_counts> count_states(database& db) {
  store_counts n;
  std::uint64_t* const by_state[] = {&n.queued, &n.running,   &n.succeeded,
                                     &n.failed, &n.cancelled, &n.damaged};
  auto s = db.prepare("SELECT state, count(*) FROM batches GROUP BY state");
  if (!s) return s.error();
  auto u = s->begin();
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return n;
    const auto state = static_cast<std::uint64_t>(u.number_at(0));
    std::uint64_t& of = *by_state[state < std::size(by_state) ? state : 5];
    of += static_cast<std::uint64_t>(u.number_at(1));
  }
}

outcome<void> each_spooled(database& db,
                           const std::function<outcome<void>(const payload&)>& take) {
  auto s = db.prepare(
      "SELECT body_spool, body_size, body_crc FROM batches WHERE body_spool != 0 UNION ALL "
      "SELECT body_spool, body_size, body_crc FROM responses WHERE body_spool != 0");
  if (!s) return s.error();
  auto u = s->begin();
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return {};
    payload body;
    body.spool = static_cast<std::uint64_t>(u.number_at(0));
    body.size = static_cast<std::uint64_t>(u.number_at(1));
    body.crc = static_cast<std::uint32_t>(u.number_at(2));
    if (auto taken = take(body); !taken) return taken;
  }
}

namespace {

// A folder that holds nothing but what a copy is made of; it goes if it was not there before.
void remove_part_of_copy(const std::string& folder, bool there_before) {
  std::error_code ignored;
  const std::string database = folder + "/" + database_file;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"})
    fs::remove(database + suffix, ignored);
  fs::remove_all(folder + "/" + spool_folder, ignored);
  if (!there_before) fs::remove(folder, ignored);
}

outcome<void> make_copy(const copy_order& order) {
  if (auto made = make_folder(order.to + "/" + spool_folder); !made) return made;
  auto db = database::open(order.from + "/" + database_file, order.vfs);
  if (!db) return db.error();
  // One read transaction for all of it: the log keeps what it shows, commits go on behind it.
  if (auto begun = db->run("BEGIN"); !begun) return begun;
  auto counts = count_states(*db);
  if (!counts) return counts.error();
  backup_note note{schema_version, order.taken_at, *counts, 0, 0};
  const std::string copy = order.to + "/" + database_file;
  if (auto copied = copy_database(*db, order, copy); !copied) return copied;
  if (auto copied = copy_spool(*db, order, note); !copied) return copied;
  const auto crc = crc_of(copy);
  if (!crc) return crc.error();
  note.database_crc = *crc;
  std::error_code unknown_size;
  note.counts.bytes += fs::file_size(copy, unknown_size);
  if (auto synced = sync_folders(order); !synced) return synced;
  return write_note(order.to, note);
}

}  // namespace

outcome<void> copy_store(const copy_order& order) {
  std::error_code unknown;
  if (order.to.empty()) return failure{trouble::conflict, "no folder was named"};
  const fs::path within = fs::weakly_canonical(order.to, unknown)
                              .lexically_relative(fs::weakly_canonical(order.from, unknown));
  if (!within.empty() && *within.begin() != "..")
    return failure{trouble::conflict, "the folder " + order.to + " is in state_dir itself"};
  const bool there_before = fs::exists(order.to, unknown);
  if (there_before && !fs::is_directory(order.to, unknown))
    return failure{trouble::conflict, order.to + " is not a folder"};
  const auto vacant = is_vacant(order.to);
  if (!vacant) return vacant.error();
  if (!*vacant) return failure{trouble::conflict, "the folder " + order.to + " is not empty"};
  auto made = make_copy(order);
  if (!made) remove_part_of_copy(order.to, there_before);
  return made;
}

}  // namespace weir::store
