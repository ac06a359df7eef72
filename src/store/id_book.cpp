#include "store/id_book.hpp"

#include <algorithm>
#include <cstring>

namespace weir::store {
namespace {

constexpr std::size_t piece_min = 256;   // filed with a transaction, or twice what it added

}  // namespace

// Ids are random, but tests count: all of it takes part.
std::size_t id_book::hash::operator()(const batch_id& id) const noexcept {
  std::uint64_t halves[2];
  std::memcpy(halves, id.data(), sizeof halves);
  return (halves[0] * 0x9e3779b97f4a7c15u) ^ halves[1];
}

outcome<void> id_book::read() {
  auto s = db_.prepare("SELECT id, seq FROM batches WHERE seq > (SELECT max(seq) FROM filed)");
  if (!s) return s.error();
  auto u = s->begin();
  fresh_.clear(), filing_.clear();
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return {};
    fresh_.emplace(u.id_at(0), u.number_at(1));
  }
}

outcome<std::optional<std::int64_t>> id_book::seq_of(const batch_id& id) {
  if (const auto known = fresh_.find(id); known != fresh_.end())
    return std::optional(known->second);
  const auto s = db_.kept("SELECT seq FROM ids WHERE id = ?");
  if (!s) return s.error();
  auto u = (*s)->begin();
  const auto got = u.id(id).next();
  if (!got) return got.error();
  return *got == step::row ? std::optional(u.number_at(0)) : std::nullopt;
}

void id_book::add(const batch_id& id, std::int64_t seq) {
  fresh_.emplace(id, seq);
  added_.push_back(id);
}

outcome<void> id_book::remove(const batch_id& id) {
  removed_.push_back(id);
  const auto s = db_.kept("DELETE FROM ids WHERE id = ?");
  return s ? (*s)->begin().id(id).run() : outcome<void>(s.error());
}

void id_book::begin_run() {
  filing_.assign(fresh_.begin(), fresh_.end());
  std::sort(filing_.begin(), filing_.end());
  filed_ = 0;
}

outcome<void> id_book::file(const entry& e) {
  const auto s = db_.kept("INSERT OR REPLACE INTO ids(id, seq) VALUES(?,?)");
  return s ? (*s)->begin().id(e.first).number(e.second).run() : outcome<void>(s.error());
}

outcome<void> id_book::end_run() {
  std::int64_t last = 0;
  for (const entry& e : filing_) last = std::max(last, e.second);
  const auto s = db_.kept("UPDATE filed SET seq = max(seq, ?)");
  if (!s) return s.error();
  ended_ = true;
  return (*s)->begin().number(last).run();
}

outcome<void> id_book::file_some() {
  if (added_.empty() || ended_) return {};
  if (filing_.empty() && fresh_.size() >= run_) begin_run();
  if (filing_.empty()) return {};
  const std::size_t to = std::min(filing_.size(),
                                  filed_ + std::max(piece_min, 2 * added_.size()));
  for (; filed_ < to; ++filed_)
    if (auto done = file(filing_[filed_]); !done) return done;
  return filed_ == filing_.size() ? end_run() : outcome<void>();
}

// One that was dropped while its run was filed may be in the table again: its batch is not.
void id_book::committed() {
  if (ended_)
    for (const entry& e : filing_) fresh_.erase(e.first);
  if (ended_) filing_.clear();
  for (const batch_id& id : removed_) fresh_.erase(id);
  ended_ = false;
  added_.clear(), removed_.clear();
}

// The run begins anew: what of it was committed is written over by the same.
void id_book::rolled_back() {
  for (const batch_id& id : added_) fresh_.erase(id);
  filing_.clear();
  ended_ = false;
  added_.clear(), removed_.clear();
}

}  // namespace weir::store
