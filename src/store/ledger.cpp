#include "store/ledger.hpp"

#include <utility>

#include "store/checksum.hpp"

namespace weir::store {
namespace {

failure unknown() { return {trouble::not_found, "no such batch"}; }

std::int64_t whole(std::uint64_t n) noexcept { return static_cast<std::int64_t>(n); }

}  // namespace

// A batch's row as a change needs it.
struct ledger::place {
  std::int64_t seq = 0;
  std::uint32_t lane = 0;
  batch_id id{};
  standing now;
  std::uint64_t kept = 0;
};

// --- lanes --------------------------------------------------------------------------------------

outcome<std::uint32_t> ledger::lane_of(const batch& b) {
  lane_key key{b.pool, b.route, b.tenant};
  if (const auto known = lanes_.find(key); known != lanes_.end()) return known->second;
  const auto s = db_.kept("INSERT INTO lanes(pool, route, tenant) VALUES(?,?,?) RETURNING lane");
  if (!s) return s.error();
  auto u = (*s)->begin();
  if (auto made = u.text(b.pool).text(b.route).text(b.tenant).next(); !made) return made.error();
  const auto lane = static_cast<std::uint32_t>(u.number_at(0));
  if (auto done = u.run(); !done) return done.error();
  names_[lane] = &lanes_.emplace(std::move(key), lane).first->first;
  return lane;
}

outcome<void> ledger::read_lanes() {
  lanes_.clear(), names_.clear();
  const auto s = db_.kept("SELECT lane, pool, route, tenant FROM lanes");
  if (!s) return s.error();
  auto u = (*s)->begin();
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return {};
    const auto lane = static_cast<std::uint32_t>(u.number_at(0));
    const lane_key key{u.text_at(1), u.text_at(2), u.text_at(3)};
    names_[lane] = &lanes_.emplace(key, lane).first->first;
  }
}

outcome<void> ledger::forget_empty_lanes() {
  return db_.run("DELETE FROM lanes WHERE NOT EXISTS "
                 "(SELECT 1 FROM batches b WHERE b.lane = lanes.lane)");
}

void ledger::name(batch& b) const {
  const auto known = names_.find(b.lane);
  if (known != names_.end()) std::tie(b.pool, b.route, b.tenant) = *known->second;
}

// --- the start ----------------------------------------------------------------------------------

outcome<void> ledger::take_up(unix_ms now) {
  const auto last = db_.number("SELECT max(seq) FROM batches");
  if (!last) return last.error();
  next_seq_ = *last + 1;
  if (auto read = ids_.read(); !read) return read;
  if (auto read = bodies_.read(); !read) return read;
  if (auto gone = forget_empty_lanes(); !gone) return gone;
  if (auto read = read_lanes(); !read) return read;
  return interrupt_running(now);
}

// Its attempt may have reached the worker: the number is spent, and the try counts.
outcome<void> ledger::interrupt_running(unix_ms now) {
  std::vector<place> cut;
  auto s = db_.prepare("SELECT seq, lane, id, attempts, tries, not_before, changed, state_sum "
                       "FROM batches WHERE state = 1");
  if (!s) return s.error();
  {
    auto u = s->begin();
    for (;;) {
      const auto got = u.next();
      if (!got) return got.error();
      if (*got == step::done) break;
      place p{u.number_at(0), static_cast<std::uint32_t>(u.number_at(1)), u.id_at(2), {}, 0};
      p.now = {batch_state::running, static_cast<std::uint32_t>(u.number_at(3)),
               static_cast<std::uint32_t>(u.number_at(4)), u.number_at(5), u.number_at(6)};
      if (u.number_at(7) == sum_of(p.id, p.now)) cut.push_back(p);
    }
  }
  auto noted = db_.prepare("UPDATE attempts SET ended = max(began, ?), outcome = 'interrupted' "
                           "WHERE seq = ? AND number = ? AND ended = 0");
  if (!noted) return noted.error();
  for (const place& p : cut) {
    standing to = p.now;
    to.state = batch_state::queued;
    if (auto moved = move(p, to); !moved) return moved;
    auto of_attempt = noted->begin();
    if (auto done = of_attempt.number(now).number(p.seq).number(to.attempts).run(); !done)
      return done;
  }
  return {};
}

outcome<void> ledger::read_anew() {
  if (auto read = ids_.read(); !read) return read;
  if (auto read = bodies_.read(); !read) return read;
  return rolled_back();
}

outcome<void> ledger::rolled_back() {
  totals_.reset();
  ids_.rolled_back();
  bodies_.rolled_back();
  return read_lanes();
}

outcome<void> ledger::before_commit() {
  if (auto filed = ids_.file_some(); !filed) return filed;
  return bodies_.before_commit();
}

// --- changes ------------------------------------------------------------------------------------

outcome<void> ledger::insert(const batch& b, std::int64_t seq, std::uint32_t lane) {
  const auto s = db_.kept(
      "INSERT INTO batches(seq, id, lane, key, method, target, fields, cost, urgency, callback, "
      "deadline, created, body_size, body_crc, body_spool, sum, open, state, attempts, tries, "
      "not_before, changed, state_sum, kept) "
      "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(seq).id(b.id).number(lane).text(b.key).text(b.method).text(b.target).text(b.fields);
  u.real(b.cost).number(b.urgency).text(b.callback);
  b.deadline ? u.number(*b.deadline) : u.null();
  u.number(b.created).number(whole(b.body.size)).number(b.body.crc).number(whole(b.body.spool));
  u.number(sum_of(b)).number(is_open(b.state)).number(static_cast<int>(b.state));
  u.number(b.attempts).number(b.tries).number(b.not_before).number(b.changed);
  u.number(sum_of(b.id, {b.state, b.attempts, b.tries, b.not_before, b.changed}));
  return u.number(is_open(b.state) ? 0 : whole(b.body.size)).run();
}

outcome<added> ledger::add(const batch& b) {
  const auto taken = ids_.seq_of(b.id);
  if (!taken) return taken.error();
  if (*taken) return failure{trouble::conflict, "there is a batch of this id"};
  const auto lane = lane_of(b);
  if (!lane) return lane.error();
  const std::int64_t seq = next_seq_++;
  if (auto made = insert(b, seq, *lane); !made) return made.error();
  if (auto made = bodies_.insert(seq, b.body); !made) return made.error();
  ids_.add(b.id, seq);
  count(b.state, 1, is_open(b.state) ? 0 : b.body.size);
  if (totals_ && b.body.spool != 0) totals_->spooled += b.body.size;
  return added{seq, *lane, b.id, false};
}

outcome<std::int64_t> ledger::seq_of(const batch_id& id) {
  const auto seq = ids_.seq_of(id);
  if (!seq) return seq.error();
  return *seq ? outcome<std::int64_t>(**seq) : unknown();
}

outcome<ledger::place> ledger::locate(const batch_id& id) {
  const auto seq = seq_of(id);
  if (!seq) return seq.error();
  const auto s = db_.kept("SELECT seq, lane, state, attempts, tries, not_before, changed, "
                          "state_sum, kept, id FROM batches WHERE seq = ?");
  if (!s) return s.error();
  auto u = (*s)->begin();
  const auto got = u.number(*seq).next();
  if (!got) return got.error();
  if (*got == step::done || u.id_at(9) != id) return unknown();
  place p{u.number_at(0), static_cast<std::uint32_t>(u.number_at(1)), id, {}, 0};
  p.now = {state_at(u, 2), static_cast<std::uint32_t>(u.number_at(3)),
           static_cast<std::uint32_t>(u.number_at(4)), u.number_at(5), u.number_at(6)};
  p.kept = static_cast<std::uint64_t>(u.number_at(8));
  if (u.number_at(7) != sum_of(id, p.now)) return broken("the batch's state");
  return p;
}

// The index by lanes is touched only by a batch that ends or comes back: two statements.
outcome<void> ledger::move(const place& p, const standing& to) {
  const bool same = is_open(p.now.state) == is_open(to.state);
  const auto s = db_.kept(
      same ? "UPDATE batches SET state = ?, attempts = ?, tries = ?, not_before = ?, changed = ?, "
             "state_sum = ? WHERE seq = ? RETURNING kept"
           : "UPDATE batches SET state = ?1, attempts = ?2, tries = ?3, not_before = ?4, "
             "changed = ?5, state_sum = ?6, open = ?1 <= 1, "
             "kept = iif(?1 <= 1, 0, body_size + coalesce("
             "(SELECT r.body_size FROM responses r WHERE r.seq = batches.seq), 0)) "
             "WHERE seq = ?7 RETURNING kept");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(static_cast<int>(to.state)).number(to.attempts).number(to.tries).number(to.not_before);
  const auto got = u.number(to.changed).number(sum_of(p.id, to)).number(p.seq).next();
  if (!got) return got.error();
  count(p.now.state, -1, p.kept);
  count(to.state, 1, static_cast<std::uint64_t>(u.number_at(0)));
  return u.run();
}

outcome<void> ledger::note(std::int64_t seq, const attempt_note& n) {
  const auto s = db_.kept("INSERT OR REPLACE INTO attempts(seq, number, worker, began, ended, "
                          "outcome, detail) VALUES(?,?,?,?,?,?,?)");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(seq).number(n.number).text(n.worker).number(n.began).number(n.ended);
  return u.text(n.outcome).text(n.detail).run();
}

// A dead letter that was put back has an answer already: its file goes.
outcome<spool_numbers> ledger::keep(std::int64_t seq, const response& r) {
  spool_numbers old;
  const auto gone = db_.kept("DELETE FROM responses WHERE seq = ? RETURNING body_spool, body_size");
  if (!gone) return gone.error();
  {
    auto u = (*gone)->begin();
    const auto got = u.number(seq).next();
    if (!got) return got.error();
    if (*got == step::row && u.number_at(0) != 0) {
      old.push_back(static_cast<std::uint64_t>(u.number_at(0)));
      if (totals_) totals_->spooled -= static_cast<std::uint64_t>(u.number_at(1));
    }
    if (auto done = u.run(); *got == step::row && !done) return done.error();
  }
  const auto s = db_.kept("INSERT INTO responses(seq, status, worker, fields, body_size, "
                          "body_crc, body_spool, sum, bytes) VALUES(?,?,?,?,?,?,?,?,?)");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(seq).number(r.status).text(r.worker).text(r.fields);
  u.number(whole(r.body.size)).number(r.body.crc).number(whole(r.body.spool)).number(sum_of(r));
  if (auto kept = u.blob(r.body.bytes).run(); !kept) return kept.error();
  if (totals_ && r.body.spool != 0) totals_->spooled += r.body.size;
  return old;
}

outcome<opened_attempt> ledger::open_attempt(const batch_id& id, std::string_view worker,
                                             unix_ms now) {
  auto b = find(id, true);
  if (!b) return b.error();
  if (!is_open(b->state)) return failure{trouble::conflict, "the batch is not open"};
  const place p{b->seq, b->lane, id, {b->state, b->attempts, b->tries, b->not_before, b->changed},
                0};
  const standing to{batch_state::running, b->attempts + 1, b->tries, 0, now};
  if (auto moved = move(p, to); !moved) return moved.error();
  attempt_note n;
  n.number = to.attempts, n.worker = worker, n.began = now;
  if (auto noted = note(p.seq, n); !noted) return noted.error();
  b->state = to.state, b->attempts = to.attempts, b->not_before = 0, b->changed = now;
  return opened_attempt{to.attempts, std::move(*b)};
}

// One whose batch was cancelled meanwhile, or that a later attempt overtook, is only noted.
outcome<spool_numbers> ledger::end_attempt(const finished_attempt& how) {
  const auto p = locate(how.id);
  if (!p) return p.error();
  if (auto noted = note(p->seq, how.note); !noted) return noted.error();
  spool_numbers unnamed;
  if (p->now.state != batch_state::running || p->now.attempts != how.note.number) {
    if (how.answer && how.answer->body.spool != 0) unnamed.push_back(how.answer->body.spool);
    return unnamed;
  }
  if (how.answer) {
    auto old = keep(p->seq, *how.answer);
    if (!old) return old.error();
    unnamed = std::move(*old);
  }
  const standing to{how.next, p->now.attempts, how.tries, how.not_before, how.note.ended};
  if (auto moved = move(*p, to); !moved) return moved.error();
  return unnamed;
}

// Its reason takes the place of the attempt that did not come, or that is under way.
outcome<void> ledger::give_up(const batch_id& id, std::string_view how, std::string_view detail,
                              unix_ms now) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (!is_open(p->now.state)) return failure{trouble::conflict, "the batch has ended already"};
  attempt_note n;
  n.number = p->now.attempts + (p->now.state == batch_state::queued ? 1 : 0);
  n.began = n.ended = now, n.outcome = how, n.detail = detail;
  if (auto noted = note(p->seq, n); !noted) return noted;
  return move(*p, {batch_state::failed, n.number, p->now.tries, 0, now});
}

outcome<void> ledger::cancel(const batch_id& id, unix_ms now) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (!is_open(p->now.state)) return failure{trouble::conflict, "the batch has ended already"};
  return move(*p, {batch_state::cancelled, p->now.attempts, p->now.tries, 0, now});
}

// It gets all its tries again; the numbers of its attempts go on.
outcome<batch> ledger::requeue(const batch_id& id, unix_ms now) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (p->now.state != batch_state::failed)
    return failure{trouble::conflict, "only a dead letter can be put back into the queue"};
  if (auto moved = move(*p, {batch_state::queued, p->now.attempts, 0, 0, now}); !moved)
    return moved.error();
  return find(id, false);
}

outcome<spool_numbers> ledger::drop(const batch_id& id) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (is_open(p->now.state))
    return failure{trouble::conflict, "the batch is open; cancel it first"};
  spool_numbers files;
  if (auto gone = remove(p->seq, files); !gone) return gone.error();
  return files;
}

outcome<void> ledger::set_aside(const batch_id& id, std::string_view why, unix_ms now) {
  const auto at = where(id);
  return at ? set_aside(at->seq, why, now) : outcome<void>(at.error());
}

// Its state is sound from then on, so that it can be dropped; nothing else of it is trusted.
outcome<void> ledger::set_aside(std::int64_t seq, std::string_view why, unix_ms now) {
  const auto noted = db_.kept("INSERT INTO damaged(found, what) VALUES(?,?)");
  if (!noted) return noted.error();
  const std::string what = "batch " + std::to_string(seq) + ": " + std::string(why);
  if (auto done = (*noted)->begin().number(now).text(what).run(); !done) return done;
  const auto id = db_.kept("SELECT id FROM batches WHERE seq = ?");
  if (!id) return id.error();
  batch_id of{};
  {
    auto u = (*id)->begin();
    if (auto got = u.number(seq).next(); !got) return got.error();
    of = u.id_at(0);
  }
  totals_.reset();
  const auto last = db_.kept("SELECT max(number) FROM attempts WHERE seq = ?");
  if (!last) return last.error();
  attempt_note reason{1, "", now, now, "damaged", std::string(why)};
  {
    auto u = (*last)->begin();
    if (const auto got = u.number(seq).next(); !got) return got.error();
    reason.number = static_cast<std::uint32_t>(u.number_at(0)) + 1;
  }
  if (auto done = note(seq, reason); !done) return done;
  const auto s = db_.kept("UPDATE batches SET open = 0, state = 5, attempts = 0, tries = 0, "
                          "not_before = 0, changed = ?, state_sum = ?, kept = 0 WHERE seq = ?");
  if (!s) return s.error();
  auto u = (*s)->begin();
  return u.number(now).number(sum_of(of, {batch_state::damaged, 0, 0, 0, now})).number(seq).run();
}

}  // namespace weir::store
