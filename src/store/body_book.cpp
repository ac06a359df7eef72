#include "store/body_book.hpp"

namespace weir::store {
namespace {

constexpr unsigned moves_max = 64;   // of a transaction: others wait for it

std::int64_t whole(std::uint64_t n) noexcept { return static_cast<std::int64_t>(n); }
std::uint64_t plain(std::int64_t n) noexcept { return static_cast<std::uint64_t>(n); }

}  // namespace

outcome<void> body_book::read() {
  if (!log_) return {};
  static_assert(log_block == 4096);   // as below
  auto s = db_.prepare("SELECT segment, sum((size + 4095) / 4096 * 4096), "
                       "max(at + (size + 4095) / 4096 * 4096) FROM logged GROUP BY segment");
  if (!s) return s.error();
  log_->recount();
  auto u = s->begin();
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) break;
    log_->found(plain(u.number_at(0)), plain(u.number_at(1)), plain(u.number_at(2)));
  }
  log_->release();
  return {};
}

outcome<void> body_book::insert(std::int64_t seq, const payload& body) {
  if (body.spool != 0 || body.size == 0) return {};
  if (!log_ || body.size < logged_min) {
    const auto s = db_.kept("INSERT INTO bodies(seq, bytes) VALUES(?,?)");
    if (!s) return s.error();
    return (*s)->begin().number(seq).blob(body.bytes).run();
  }
  const auto at = log_->append(body.bytes);
  if (!at) return at.error();
  const auto s = db_.kept("INSERT INTO logged(seq, segment, at, size) VALUES(?,?,?,?)");
  if (!s) return s.error();
  auto u = (*s)->begin();
  return u.number(seq).number(whole(at->segment)).number(whole(at->at)).number(whole(at->size))
      .run();
}

outcome<std::vector<body_book::entry>> body_book::entries(const char* sql, std::int64_t of) {
  const auto s = db_.kept(sql);
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(of);
  std::vector<entry> all;
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return all;
    all.push_back({u.number_at(0),
                   {plain(u.number_at(1)), plain(u.number_at(2)), plain(u.number_at(3))}});
  }
}

outcome<std::string> body_book::of(std::int64_t seq) {
  const auto s = db_.kept("SELECT bytes FROM bodies WHERE seq = ?");
  if (!s) return s.error();
  {
    auto u = (*s)->begin();
    const auto got = u.number(seq).next();
    if (!got) return got.error();
    if (*got == step::row) return u.blob_at(0);
  }
  if (!log_) return std::string();
  const auto logged = entries("SELECT seq, segment, at, size FROM logged WHERE seq = ?", seq);
  if (!logged) return logged.error();
  return logged->empty() ? outcome<std::string>(std::string()) : log_->read(logged->front().place);
}

outcome<void> body_book::remove(std::int64_t seq) {
  const auto s = db_.kept("DELETE FROM bodies WHERE seq = ?");
  if (!s) return s.error();
  if (auto done = (*s)->begin().number(seq).run(); !done || !log_) return done;
  const auto logged =
      entries("DELETE FROM logged WHERE seq = ? RETURNING seq, segment, at, size", seq);
  if (!logged) return logged.error();
  for (const entry& e : *logged) log_->drop(e.place);
  return {};
}

outcome<void> body_book::move(const entry& e) {
  const auto bytes = log_->read(e.place);
  if (!bytes) return bytes.error();
  const auto to = log_->append(*bytes);
  if (!to) return to.error();
  const auto s = db_.kept("UPDATE logged SET segment = ?, at = ? WHERE seq = ?");
  if (!s) return s.error();
  auto u = (*s)->begin();
  if (auto done = u.number(whole(to->segment)).number(whole(to->at)).number(e.seq).run(); !done)
    return done;
  log_->drop(e.place);
  return {};
}

// One that cannot be read stays where it is, and its segment with it.
outcome<std::size_t> body_book::move_some() {
  const auto from = log_ ? log_->wasteful() : std::nullopt;
  if (!from) return std::size_t{0};
  static const std::string sql =
      "SELECT seq, segment, at, size FROM logged WHERE segment = ? ORDER BY at LIMIT " +
      std::to_string(moves_max);
  const auto found = entries(sql.c_str(), whole(*from));
  if (!found) return found.error();
  if (found->empty()) log_->keep_as_it_is(*from);
  std::size_t moved = 0;
  for (const entry& e : *found) {
    auto done = move(e);
    if (done && ++moved) continue;
    if (done.error().what != trouble::damaged) return done.error();
    log_->keep_as_it_is(*from);
    return moved;
  }
  return moved;
}

}  // namespace weir::store
