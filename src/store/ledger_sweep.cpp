#include <algorithm>
#include <utility>

#include "store/ledger.hpp"

namespace weir::store {
namespace {

std::uint64_t plain(std::int64_t n) noexcept { return static_cast<std::uint64_t>(n); }

// The first column of every row, at the end of `into`.
outcome<void> collect(statement::use& u, std::vector<std::int64_t>& into) {
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return {};
    into.push_back(u.number_at(0));
  }
}

}  // namespace

outcome<void> ledger::remove(std::int64_t seq, spool_numbers& files) {
  for (const char* sql :
       {"DELETE FROM responses WHERE seq = ? RETURNING body_spool, body_size",
        "DELETE FROM batches WHERE seq = ? RETURNING body_spool, body_size, state, kept, id"}) {
    const auto s = db_.kept(sql);
    if (!s) return s.error();
    auto u = (*s)->begin();
    const auto got = u.number(seq).next();
    if (!got) return got.error();
    if (*got == step::done) continue;
    const bool of_batch = sql[12] == 'b';
    if (u.number_at(0) != 0) files.push_back(plain(u.number_at(0)));
    if (totals_ && u.number_at(0) != 0) totals_->spooled -= plain(u.number_at(1));
    if (of_batch) count(state_at(u, 2), -1, plain(u.number_at(3)));
    if (of_batch)
      if (auto gone = ids_.remove(u.id_at(4)); !gone) return gone;
    if (auto done = u.run(); !done) return done;
  }
  if (auto gone = bodies_.remove(seq); !gone) return gone;
  const auto s = db_.kept("DELETE FROM attempts WHERE seq = ?");
  if (!s) return s.error();
  return (*s)->begin().number(seq).run();
}

// The dead letters' two states are few and read in order of arrival: their indexes hold the time.
outcome<std::vector<std::int64_t>> ledger::overdue(const retention& keep, unix_ms now,
                                                   std::size_t most) {
  struct rule {
    unix_ms age;
    const char* sql;
  };
  const rule rules[] = {
      {keep.results, "SELECT seq FROM batches INDEXED BY batches_ended WHERE state IN (2, 4) AND "
                     "changed < ? ORDER BY changed LIMIT ?"},
      {keep.dead_letters, "SELECT seq FROM batches INDEXED BY batches_failed WHERE state = 3 AND "
                          "changed < ? ORDER BY seq LIMIT ?"},
      {keep.dead_letters, "SELECT seq FROM batches INDEXED BY batches_damaged WHERE state = 5 AND "
                          "changed < ? ORDER BY seq LIMIT ?"}};
  std::vector<std::int64_t> all;
  for (const rule& r : rules) {
    if (r.age == 0 || all.size() >= most) continue;
    const auto s = db_.kept(r.sql);
    if (!s) return s.error();
    auto u = (*s)->begin();
    u.number(now - r.age).number(static_cast<std::int64_t>(most - all.size()));
    if (auto got = collect(u, all); !got) return got.error();
  }
  return all;
}

outcome<void> ledger::overdue_by_size(std::uint64_t bytes_max, std::size_t most,
                                      std::vector<std::int64_t>& into) {
  const auto t = sums();
  if (!t) return t.error();
  std::uint64_t left = (*t)->results;
  const auto s = db_.kept("SELECT seq, kept FROM batches INDEXED BY batches_ended "
                          "WHERE state IN (2, 4) ORDER BY changed LIMIT ?");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(static_cast<std::int64_t>(most));
  while (left > bytes_max) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return {};
    into.push_back(u.number_at(0));
    left -= std::min(left, plain(u.number_at(1)));
  }
  return {};
}

outcome<std::size_t> ledger::sweep(const retention& keep, unix_ms now, std::size_t most,
                                   spool_numbers& files) {
  const auto old = overdue(keep, now, most);
  if (!old) return old.error();
  std::size_t gone = 0;
  for (const std::int64_t seq : *old)
    if (auto removed = remove(seq, files); !removed) return removed.error();
  gone += old->size();
  if (keep.results_bytes == 0 || gone >= most) return gone;
  std::vector<std::int64_t> large;
  if (auto found = overdue_by_size(keep.results_bytes, most - gone, large); !found)
    return found.error();
  for (const std::int64_t seq : large)
    if (auto removed = remove(seq, files); !removed) return removed.error();
  return gone + large.size();
}

}  // namespace weir::store
