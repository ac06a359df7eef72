#include <algorithm>
#include <utility>

#include "store/ledger.hpp"

namespace weir::store {
namespace {

failure unknown() { return {trouble::not_found, "no such batch"}; }

std::uint64_t plain(std::int64_t n) noexcept { return static_cast<std::uint64_t>(n); }

}  // namespace

outcome<batch> ledger::row(const statement::use& u) const {
  batch b = batch_at(u);
  name(b);
  if (!sound(u, b)) return broken("the batch");
  return b;
}

outcome<added> ledger::where(const batch_id& id) {
  const auto seq = seq_of(id);
  if (!seq) return seq.error();
  const auto s = db_.kept("SELECT seq, lane FROM batches WHERE seq = ?");
  if (!s) return s.error();
  auto u = (*s)->begin();
  const auto got = u.number(*seq).next();
  if (!got) return got.error();
  if (*got == step::done) return unknown();
  return added{u.number_at(0), static_cast<std::uint32_t>(u.number_at(1)), id, false};
}

outcome<bool> ledger::has_callback(std::int64_t seq) {
  const auto s = db_.kept("SELECT 1 FROM batches WHERE seq = ? AND callback != ''");
  if (!s) return s.error();
  auto u = (*s)->begin();
  const auto got = u.number(seq).next();
  if (!got) return got.error();
  return *got == step::row;
}

outcome<batch> ledger::find(const batch_id& id, bool with_body) {
  static const std::string sql =
      std::string("SELECT ") + batch_columns + " FROM batches WHERE seq = ?";
  const auto seq = seq_of(id);
  if (!seq) return seq.error();
  const auto s = db_.kept(sql.c_str());
  if (!s) return s.error();
  auto u = (*s)->begin();
  const auto got = u.number(*seq).next();
  if (!got) return got.error();
  if (*got == step::done) return unknown();
  auto b = row(u);
  if (b && b->id != id) return unknown();   // its number was given again
  if (!b || !with_body || b->body.spool != 0 || b->body.size == 0) return b;
  auto body = bodies_.of(b->seq);
  if (!body) return body.error();
  b->body.bytes = std::move(*body);
  if (!inline_whole(b->body)) return broken("the batch's body");
  return b;
}

outcome<response> ledger::response_of(const batch_id& id) {
  const auto s = db_.kept(
      "SELECT r.status, r.worker, r.fields, r.body_size, r.body_crc, r.body_spool, r.sum, r.bytes "
      "FROM responses r JOIN batches b ON b.seq = r.seq WHERE b.seq = ? AND b.id = ?");
  if (!s) return s.error();
  const auto seq = seq_of(id);
  if (!seq) return seq.error();
  auto u = (*s)->begin();
  const auto got = u.number(*seq).id(id).next();
  if (!got) return got.error();
  if (*got == step::done) return failure{trouble::not_found, "the batch has no result"};
  return response_at(u);
}

outcome<std::vector<attempt_note>> ledger::attempts_of(const batch_id& id) {
  const auto s = db_.kept(
      "SELECT a.number, a.worker, a.began, a.ended, a.outcome, a.detail FROM attempts a "
      "JOIN batches b ON b.seq = a.seq WHERE b.seq = ? AND b.id = ? ORDER BY a.number");
  if (!s) return s.error();
  const auto seq = seq_of(id);
  if (!seq) return seq.error();
  auto u = (*s)->begin();
  u.number(*seq).id(id);
  std::vector<attempt_note> all;
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return all;
    all.push_back({static_cast<std::uint32_t>(u.number_at(0)), u.text_at(1), u.number_at(2),
                   u.number_at(3), u.text_at(4), u.text_at(5)});
  }
}

namespace {

// States of few batches have indexes of their own, which only a literal finds.
std::string list_sql(const batch_query& q) {
  std::string sql =
      "SELECT b.seq, b.id, l.pool, l.route, l.tenant, b.state, b.attempts, b.created, b.changed, "
      "b.body_size FROM batches b LEFT JOIN lanes l ON l.lane = b.lane WHERE b.seq > ?1 "
      "AND (?2 = '' OR l.pool = ?2) AND (?3 = '' OR l.tenant = ?3) ";
  if (q.state) sql += "AND b.state = " + std::to_string(static_cast<int>(*q.state)) + " ";
  return sql + "ORDER BY b.seq LIMIT ?4";
}

}  // namespace

outcome<std::vector<batch_line>> ledger::list(const batch_query& q) {
  auto s = db_.prepare(list_sql(q));
  if (!s) return s.error();
  auto u = s->begin();
  u.number(q.after).text(q.pool).text(q.tenant).number(q.limit);
  std::vector<batch_line> all;
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return all;
    all.push_back({u.number_at(0), u.id_at(1), u.text_at(2), u.text_at(3), u.text_at(4),
                   state_at(u, 5), static_cast<std::uint32_t>(u.number_at(6)), u.number_at(7),
                   u.number_at(8), plain(u.number_at(9))});
  }
}

outcome<ledger::page> ledger::load(std::uint32_t lane, std::int64_t after, unsigned limit) {
  static const std::string sql = std::string("SELECT ") + batch_columns +
                                 " FROM batches INDEXED BY batches_by_lane WHERE lane = ? AND "
                                 "open = 1 AND seq > ? AND state != 1 ORDER BY seq LIMIT ?";
  const auto s = db_.kept(sql.c_str());
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(lane).number(after).number(limit);
  page got_so_far;
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return got_so_far;
    auto b = row(u);
    if (b) got_so_far.batches.push_back(std::move(*b));
    else got_so_far.damaged.emplace_back(u.number_at(0), b.error());
  }
}

outcome<std::vector<lane_state>> ledger::lanes() {
  std::vector<lane_state> all;
  const auto s = db_.kept("SELECT count(*), sum(body_size), sum(cost), min(seq) FROM batches "
                          "INDEXED BY batches_by_lane WHERE lane = ? AND open = 1");
  const auto oldest = db_.kept("SELECT created FROM batches WHERE seq = ?");
  if (!s || !oldest) return s ? oldest.error() : s.error();
  for (const auto& [key, lane] : lanes_) {
    auto u = (*s)->begin();
    if (const auto got = u.number(lane).next(); !got) return got.error();
    if (u.number_at(0) == 0) continue;
    auto of_first = (*oldest)->begin();
    if (const auto got = of_first.number(u.number_at(3)).next(); !got) return got.error();
    all.push_back({lane, std::get<0>(key), std::get<1>(key), std::get<2>(key),
                   plain(u.number_at(0)), plain(u.number_at(1)), u.real_at(2),
                   of_first.number_at(0)});
  }
  return all;
}

// --- sums ---------------------------------------------------------------------------------------

void ledger::count(batch_state s, int by, std::uint64_t kept) {
  if (!totals_) return;
  totals_->by_state[static_cast<std::size_t>(s)] += static_cast<std::uint64_t>(by);
  if (s != batch_state::succeeded && s != batch_state::cancelled) return;
  totals_->results += by > 0 ? kept : std::uint64_t{0} - kept;
}

// By walks of indexes, once; every change carries them on.
outcome<ledger::totals*> ledger::sums() {
  if (totals_) return &*totals_;
  totals t;
  const auto open = lanes();
  if (!open) return open.error();
  for (const lane_state& l : *open) t.by_state[0] += l.batches;
  auto rest = db_.prepare(
      "SELECT (SELECT count(*) FROM batches WHERE state = 1), "
      "(SELECT count(*) FROM batches WHERE state IN (2, 4) AND state = 2), "
      "(SELECT count(*) FROM batches WHERE state = 3), "
      "(SELECT count(*) FROM batches WHERE state IN (2, 4)), "
      "(SELECT count(*) FROM batches WHERE state = 5), "
      "(SELECT sum(kept) FROM batches WHERE state IN (2, 4)), "
      "(SELECT sum(body_size) FROM batches WHERE body_spool != 0), "
      "(SELECT sum(body_size) FROM responses WHERE body_spool != 0)");
  if (!rest) return rest.error();
  auto u = rest->begin();
  if (const auto got = u.next(); !got) return got.error();
  for (int s = 1; s <= 5; ++s) t.by_state[static_cast<std::size_t>(s)] = plain(u.number_at(s - 1));
  t.by_state[0] -= std::min(t.by_state[0], t.by_state[1]);
  t.by_state[4] -= t.by_state[2];
  t.results = plain(u.number_at(5)), t.spooled = plain(u.number_at(6)) + plain(u.number_at(7));
  totals_ = t;
  return &*totals_;
}

outcome<store_counts> ledger::counts() {
  const auto t = sums();
  if (!t) return t.error();
  const auto& n = (*t)->by_state;
  return store_counts{n[0], n[1], n[2], n[3], n[4], n[5], (*t)->spooled};
}

outcome<bool> ledger::names_spool(std::uint64_t number) {
  const auto s = db_.kept("SELECT EXISTS(SELECT 1 FROM batches WHERE body_spool = ?1 AND "
                          "body_spool != 0) OR EXISTS(SELECT 1 FROM responses WHERE "
                          "body_spool = ?1 AND body_spool != 0)");
  if (!s) return s.error();
  auto u = (*s)->begin();
  const auto got = u.number(static_cast<std::int64_t>(number)).next();
  if (!got) return got.error();
  return u.number_at(0) != 0;
}

outcome<std::uint64_t> ledger::highest_spool() {
  const auto n = db_.number(
      "SELECT max(coalesce((SELECT max(body_spool) FROM batches WHERE body_spool != 0), 0), "
      "coalesce((SELECT max(body_spool) FROM responses WHERE body_spool != 0), 0))");
  if (!n) return n.error();
  return plain(*n);
}

}  // namespace weir::store
