#include "store/books.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "store/batch_ids.hpp"
#include "store/mend.hpp"
#include "store/schema.hpp"

namespace weir::store {

books::books(database db, std::unique_ptr<body_log> log)
    : db_(std::move(db)), log_(std::move(log)), batches(db_, log_.get()), keys(db_),
      messages(db_) {}

namespace {

outcome<std::unique_ptr<body_log>> open_log(const std::string& path,
                                            std::uint64_t segment_bytes) {
  if (path == ":memory:") return std::unique_ptr<body_log>();
  const auto folder = std::filesystem::path(path).parent_path() / body_log::folder_name;
  auto log = std::make_unique<body_log>(folder.string(), segment_bytes);
  if (auto opened = log->open(); !opened) return opened.error();
  return log;
}

}  // namespace

outcome<std::unique_ptr<books>> books::open(const std::string& path, unix_ms now,
                                            const char* vfs, std::uint64_t segment_bytes) {
  auto db = database::open(path, vfs);
  if (!db) return db.error();
  if (auto made = prepare_schema(*db); !made) return made.error();
  auto log = open_log(path, segment_bytes);
  if (!log) return log.error();
  std::unique_ptr<books> opened(new books(std::move(*db), std::move(*log)));
  opened->saw(now);
  opened->path_ = path, opened->vfs_ = vfs;
  opened->watch_log();
  if (auto begun = opened->begin(); !begun) return begun.error();
  if (auto ready = opened->batches.take_up(now); !ready) return ready.error();
  if (auto ready = opened->keys.read(); !ready) return ready.error();
  if (auto committed = opened->commit(); !committed) return committed.error();
  return opened;
}

void books::watch_log() {
  const auto count_pages = [](void* pages, sqlite3*, const char*, int n) {
    *static_cast<std::uint64_t*>(pages) = static_cast<std::uint64_t>(n);
    return SQLITE_OK;
  };
  log_pages_ = 0;
  sqlite3_wal_hook(db_.handle(), count_pages, &log_pages_);
}

// Whatever comes of it, a database is open again afterwards.
outcome<void> books::mend(std::uint64_t& gaps) {
  db_ = database();
  const auto found = store::mend(path_, latest_);
  if (found) gaps += std::max<std::uint64_t>(found->gaps, 1);
  auto opened = database::open(path_, vfs_);
  if (!opened) return opened.error();
  db_ = std::move(*opened);
  if (auto ready = prepare_schema(db_); !ready) return ready;
  watch_log();
  if (!found) return found.error();
  if (auto read = keys.read(); !read) return read;
  return batches.read_anew();
}

outcome<void> books::begin() {
  has_room_.reset();
  const auto s = db_.kept("BEGIN IMMEDIATE");
  return s ? (*s)->begin().run() : outcome<void>(s.error());
}

outcome<void> books::commit() {
  if (auto filed = batches.before_commit(); !filed) return filed;
  const auto s = db_.kept("COMMIT");
  if (!s) return s.error();
  auto done = (*s)->begin().run();
  if (done) keys.committed(), batches.committed();
  return done;
}

void books::roll_back() {
  (void)db_.run("ROLLBACK");
  keys.rolled_back();
  (void)batches.rolled_back();   // lanes that cannot be read are read as they are met
}

bool books::leaves_reserve() const {
  const auto disk = room_of_disk(std::filesystem::path(path_).parent_path().string());
  return !disk || disk->free >= std::min(reserve_, disk->all / 10);   // unknown: writing will tell
}

// Once a transaction: what one of them adds is little beside the reserve.
outcome<void> books::check_room() {
  if (!log_ || reserve_ == 0) return {};
  if (!has_room_) {
    has_room_ = leaves_reserve();
    if (!*has_room_) log_->give_back(), has_room_ = leaves_reserve();
  }
  if (*has_room_) return {};
  ++short_of_room_;
  return failure{trouble::full, "what is free on the disk is kept for batches that are here",
                 false, true};
}

outcome<added> books::add_new(const batch& b) {
  if (auto room = check_room(); !room) return room.error();
  return batches.add(b);
}

outcome<added> books::add(const batch& b, const std::optional<key_claim>& key) {
  saw(b.created);
  if (!key) return add_new(b);
  const auto bound = keys.batch_of(*key, b.created);
  if (!bound) return bound.error();
  if (*bound) {
    const auto at = batches.where(**bound);
    if (!at && at.error().what != trouble::not_found) return at.error();
    return added{at ? at->seq : 0, at ? at->lane : 0, **bound, true};   // it may be gone by now
  }
  auto made = add_new(b);
  if (!made) return made;
  if (auto kept = keys.bind(*key, b.id, b.created); !kept) return kept.error();
  return made;
}

outcome<books::tried> books::open_attempt(const batch_id& id, std::string_view worker,
                                          unix_ms now) {
  saw(now);
  auto opened = batches.open_attempt(id, worker, now);
  if (opened) return tried{std::move(*opened), {}};
  if (opened.error().what != trouble::damaged) return opened.error();
  if (auto aside = aside_with_message(id, opened.error().detail, now); !aside)
    return aside.error();
  return tried{{}, opened.error()};
}

// What the record says of a callback is read as it is: at worst nobody is told.
outcome<void> books::aside_with_message(const batch_id& id, std::string_view why, unix_ms now) {
  const auto found = batches.where(id);
  if (!found) return found.error();
  const auto tells = batches.has_callback(found->seq);
  if (!tells) return tells.error();
  if (auto aside = batches.set_aside(id, why, now); !aside || !*tells) return aside;
  return leave_message(id, now);
}

outcome<void> books::leave_message(const batch_id& id, unix_ms now) {
  const auto hex = hex_of(id);
  return messages.keep({"callback/" + std::string(hex.data(), hex.size()), {}, now});
}

outcome<spool_numbers> books::end_attempt(const finished_attempt& how) {
  auto unnamed = batches.end_attempt(how);
  if (!unnamed || !how.tells || is_open(how.next)) return unnamed;
  if (auto left = leave_message(how.id, how.note.ended); !left) return left.error();
  return unnamed;
}

outcome<void> books::give_up(const batch_id& id, std::string_view how, std::string_view detail,
                             unix_ms now, bool tells) {
  saw(now);
  if (auto done = batches.give_up(id, how, detail, now); !done || !tells) return done;
  return leave_message(id, now);
}

outcome<std::vector<batch>> books::load(std::uint32_t lane, std::int64_t after, unsigned limit,
                                        std::size_t& damaged) {
  // A page that is not full says that there are no more: what is set aside makes room for others.
  for (damaged = 0;;) {
    auto got = batches.load(lane, after, limit);
    if (!got) return got.error();
    if (got->damaged.empty()) return std::move(got->batches);
    for (const auto& [seq, why] : got->damaged)
      if (auto aside = batches.set_aside(seq, why.detail, latest_); !aside) return aside.error();
    damaged += got->damaged.size();
  }
}

outcome<swept> books::sweep(const retention& keep, unix_ms now, std::size_t most,
                            spool_numbers& files) {
  saw(now);
  files.clear();
  keys.limit(keep.keys_bytes);
  const auto gone = batches.sweep(keep, now, most, files);
  if (!gone) return gone.error();
  if (keep.keys == 0) return swept{*gone, 0};
  const auto forgotten = keys.sweep(now - keep.keys, most);
  if (!forgotten) return forgotten.error();
  return swept{*gone, *forgotten};
}

outcome<store_counts> books::counts() {
  auto n = batches.counts();
  if (!n) return n;
  const auto pages = db_.number("PRAGMA page_count");
  const auto size = db_.number("PRAGMA page_size");
  if (!pages || !size) return pages ? size.error() : pages.error();
  n->bytes += static_cast<std::uint64_t>(*pages) * static_cast<std::uint64_t>(*size);
  if (log_) n->bytes += log_->bytes();
  return n;
}

outcome<void> books::check_point() {
  const int code = sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  if (code == SQLITE_OK || code == SQLITE_BUSY) return {};   // the other thread is at it
  return failure_of(db_.handle());
}

}  // namespace weir::store
