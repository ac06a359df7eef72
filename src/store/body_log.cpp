#include "store/body_log.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <utility>

#include "store/folder_lock.hpp"
#include "store/spool.hpp"

namespace weir::store {
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t begin_every = 1 << 20;   // bytes

std::optional<std::uint64_t> number_of(const std::string& name) {
  std::uint64_t n = 0;
  const char* const end = name.data() + name.size();
  const auto [at, failed] = std::from_chars(name.data(), end, n);
  if (failed != std::errc() || at != end || n == 0) return {};
  return n;
}

}  // namespace

std::string segment_path(const std::string& folder, std::uint64_t number) {
  return folder + "/" + std::to_string(number);
}

outcome<std::string> read_body(const file& from, const log_place& place) {
  std::string bytes(place.size, '\0');
  const auto n = from.read(place.at, bytes);
  if (!n) return file_failure(n.error(), "reading the body log");
  if (*n < bytes.size())
    return failure{trouble::damaged, "the body log ends within a body (segment " +
                                         std::to_string(place.segment) + ")"};
  return bytes;
}

outcome<void> body_log::open() {
  if (auto made = make_folder(folder_); !made) return made;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder_, failed)) {
    const auto n = number_of(entry.path().filename().string());
    std::error_code unknown;
    if (n && *n < UINT32_MAX) next_ = std::max(next_, *n + 1);
    if (n && entry.is_regular_file(unknown)) segments_[*n];
  }
  if (failed) return failure{trouble::io, "reading " + folder_ + ": " + failed.message()};
  return {};
}

void body_log::recount() {
  std::erase_if(segments_, [](const auto& s) { return s.second.missing; });
  for (auto& [number, s] : segments_) s = {};
}

void body_log::found(std::uint64_t number, std::uint64_t live_bytes, std::uint64_t end) {
  const bool missing = !segments_.contains(number);   // told when one of its bodies is read
  segments_[number] = {live_bytes, end, missing, missing};
  next_ = std::max(next_, number + 1);                // or its records would name another's bodies
}

// --- writing ------------------------------------------------------------------------------------

outcome<void> body_log::use(std::uint64_t number, std::uint64_t from, bool fresh) {
  const std::string path = segment_path(folder_, number);
  auto opened = file::open(path, file::mode::update);
  if (!opened) return file_failure(opened.error(), "opening " + path);
  if (fresh) {
    (void)opened->reserve(segment_bytes_);   // without it writing is slower, and tells of no room
    if (const auto unsynced = sync_folder(folder_))
      return file_failure(unsynced, "syncing " + folder_);
    segments_[number];
    next_ = number + 1;
  }
  writing_ = std::move(*opened);
  open_ = number, at_ = committed_at_ = begun_at_ = from;
  return {};
}

bool body_log::written_now(std::uint64_t number) const {
  return number == open_ || std::any_of(appended_.begin(), appended_.end(), [&](const auto& p) {
    return p.segment == number;
  });
}

// After a start there may be room behind the last body of a segment.
outcome<void> body_log::continue_or_take() {
  std::uint64_t best = 0;
  for (const auto& [number, s] : segments_) {
    if (held_ || s.missing || written_now(number)) continue;
    if (s.live == 0) return use(number, 0, false);
    if (s.end != 0 && s.end <= segment_bytes_ / 2) best = number;
  }
  if (best == 0) return use(next_, 0, true);
  return use(best, std::exchange(segments_[best].end, 0), false);
}

// What the next segment holds of this transaction is synced apart from what the last one does. The
// one before leaves the system's cache: a backlog would drive all else out of it, and memory that
// is used again is faster to write to. What runs soon is still there.
outcome<void> body_log::turn() {
  if (auto synced = sync(); !synced) return synced;
  if (open_ != 0) segments_[open_].end = 0;
  if (written_) written_.forget_cached();
  written_ = std::move(writing_);
  open_ = 0;
  return continue_or_take();
}

outcome<void> body_log::put(std::string_view body) {
  const std::size_t even = body.size() & -log_block;
  base::error_code failed = writing_.write_at(at_, body.substr(0, even));
  if (!failed && even < body.size()) {
    std::array<char, log_block> last{};
    body.copy(last.data(), log_block, even);
    failed = writing_.write_at(at_ + even, {last.data(), last.size()});
  }
  if (failed) return file_failure(failed, "writing the body log");
  return {};
}

outcome<log_place> body_log::append(std::string_view body) {
  const std::uint64_t room = whole_blocks(body.size());
  if (open_ == 0 || at_ + room > segment_bytes_)
    if (auto turned = turn(); !turned) return turned.error();
  unsynced_ = true;
  if (auto written = put(body); !written) return written.error();
  const log_place place{open_, at_, body.size()};
  at_ += room;
  if (at_ - begun_at_ >= begin_every) {   // the disk is at it while the next ones are taken
    writing_.begin_sync(begun_at_, at_ - begun_at_);
    begun_at_ = at_;
  }
  appended_.push_back(place);
  return place;
}

outcome<void> body_log::sync() {
  if (!unsynced_) return {};
  if (const auto failed = writing_.sync()) return file_failure(failed, "syncing the body log");
  unsynced_ = false;
  begun_at_ = at_;
  return {};
}

void body_log::drop(const log_place& place) { dropped_.push_back(place); }

void body_log::committed() {
  for (const log_place& p : appended_) segments_[p.segment].live += whole_blocks(p.size);
  for (const log_place& p : dropped_)
    if (const auto s = segments_.find(p.segment); s != segments_.end())
      s->second.live -= std::min(s->second.live, whole_blocks(p.size));
  const bool emptied = !dropped_.empty();
  appended_.clear(), dropped_.clear();
  committed_at_ = at_;
  if (!emptied) return;
  thinner_ = true;
  drop_spares(spare_max);
}

void body_log::rolled_back() {
  appended_.clear(), dropped_.clear();
  at_ = begun_at_ = committed_at_;
}

// --- what became empty --------------------------------------------------------------------------

void body_log::give_back() { drop_spares(0); }

void body_log::drop_spares(std::size_t most) {
  if (held_) return;
  std::size_t spare = 0;
  for (auto s = segments_.begin(); s != segments_.end();) {
    const bool empty = s->second.live == 0 && !written_now(s->first);
    const bool goes = empty && (s->second.missing || ++spare > most);
    if (goes && s->first == read_number_) reading_ = file(), read_number_ = 0;
    if (goes) (void)remove_file(segment_path(folder_, s->first));   // else the next start finds it
    s = goes ? segments_.erase(s) : std::next(s);
  }
}

void body_log::release() {
  held_ = false, thinner_ = true;
  drop_spares(spare_max);
}

// Not before four are in use: a few segments are no waste worth the work.
std::optional<std::uint64_t> body_log::wasteful() {
  if (!thinner_) return {};
  std::uint64_t used = 0, live = 0, least = UINT64_MAX, number = 0;
  for (const auto& [n, s] : segments_) {
    if (n == open_ || s.live == 0 || s.stuck) continue;
    ++used, live += s.live;
    if (s.live < least) least = s.live, number = n;
  }
  thinner_ = used >= 4 && live <= used * segment_bytes_ / 2;
  return thinner_ ? std::optional(number) : std::nullopt;
}

void body_log::keep_as_it_is(std::uint64_t number) { segments_[number].stuck = true; }

outcome<std::string> body_log::read(const log_place& place) {
  if (read_number_ != place.segment) {
    auto opened = file::open(segment_path(folder_, place.segment), file::mode::read);
    if (!opened && opened.error() == boost::system::errc::no_such_file_or_directory)
      return failure{trouble::damaged,
                     "the body log's segment " + std::to_string(place.segment) + " is missing"};
    if (!opened) return file_failure(opened.error(), "opening the body log");
    reading_ = std::move(*opened), read_number_ = place.segment;
  }
  return read_body(reading_, place);
}

}  // namespace weir::store
