#include "store/ledger.hpp"

#include <utility>

#include "store/checksum.hpp"
#include "store/schema.hpp"

namespace weir::store {
namespace {

std::string_view raw(const batch_id& id) noexcept {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

std::uint32_t sum_of(const batch& b) noexcept {
  checksum s;
  s.bytes(raw(b.id)).text(b.pool).text(b.route).text(b.tenant).text(b.key);
  s.text(b.method).text(b.target).text(b.fields).real(b.cost).number(b.urgency).text(b.callback);
  s.number(static_cast<std::uint64_t>(b.deadline.value_or(-1)));
  s.number(static_cast<std::uint64_t>(b.created));
  return s.number(b.body.size).number(b.body.crc).number(b.body.spool).value();
}

std::uint32_t state_sum(const batch_id& id, batch_state state, std::uint32_t attempts,
                        unix_ms not_before, unix_ms changed) noexcept {
  checksum s;
  s.bytes(raw(id)).number(static_cast<std::uint64_t>(state)).number(attempts);
  s.number(static_cast<std::uint64_t>(not_before)).number(static_cast<std::uint64_t>(changed));
  return s.value();
}

std::uint32_t sum_of(const response& r) noexcept {
  checksum s;
  s.number(r.status).text(r.worker).text(r.fields);
  return s.number(r.body.size).number(r.body.crc).number(r.body.spool).value();
}

batch_state state_at(const statement::use& u, int column) {
  const auto n = u.number_at(column);
  const bool known = n >= 0 && n <= static_cast<std::int64_t>(batch_state::damaged);
  return known ? static_cast<batch_state>(n) : batch_state::damaged;
}

failure unknown(const batch_id&) { return {trouble::not_found, "no such batch"}; }

// A spooled body is checked when its file is read.
bool inline_whole(const payload& body) {
  return body.spool != 0 || (body.bytes.size() == body.size &&
                             checksum().bytes(body.bytes).value() == body.crc);
}

failure broken(std::string_view what) {
  return {trouble::damaged, std::string(what) + " is not what was written: its checksum differs"};
}

constexpr const char* columns =
    "SELECT seq, id, pool, route, tenant, key, method, target, fields, cost, urgency, callback, "
    "deadline, created, body_size, body_crc, body_spool, sum, state, attempts, not_before, "
    "changed, state_sum FROM batches ";

// Column by column in the order of `columns`.
batch batch_at(const statement::use& u) {
  batch b;
  b.id = u.id_at(1);
  b.pool = u.text_at(2), b.route = u.text_at(3), b.tenant = u.text_at(4), b.key = u.text_at(5);
  b.method = u.text_at(6), b.target = u.text_at(7), b.fields = u.text_at(8);
  b.cost = u.real_at(9);
  b.urgency = static_cast<std::uint8_t>(u.number_at(10));
  b.callback = u.text_at(11);
  if (!u.null_at(12)) b.deadline = u.number_at(12);
  b.created = u.number_at(13);
  b.body.size = static_cast<std::uint64_t>(u.number_at(14));
  b.body.crc = static_cast<std::uint32_t>(u.number_at(15));
  b.body.spool = static_cast<std::uint64_t>(u.number_at(16));
  b.state = state_at(u, 18);
  b.attempts = static_cast<std::uint32_t>(u.number_at(19));
  b.not_before = u.number_at(20);
  b.changed = u.number_at(21);
  return b;
}

bool sound(const statement::use& u, const batch& b) {
  const bool state_is = u.number_at(22) == state_sum(b.id, b.state, b.attempts, b.not_before,
                                                     b.changed);
  return state_is && u.number_at(17) == sum_of(b);
}

}  // namespace

// A batch's row as a change needs it.
struct ledger::place {
  std::int64_t seq = 0;
  batch_id id{};
  batch_state state = batch_state::queued;
  std::uint32_t attempts = 0;
};

outcome<ledger> ledger::open(const std::string& path, const char* vfs) {
  auto db = database::open(path, vfs);
  if (!db) return db.error();
  if (auto made = prepare_schema(*db); !made) return made.error();
  return ledger(std::move(*db));
}

outcome<statement*> ledger::ready(statement& s, const char* sql) {
  if (s) return &s;
  auto made = db_.prepare(sql);
  if (!made) return made.error();
  s = std::move(*made);
  return &s;
}

outcome<void> ledger::begin() { return db_.run("BEGIN IMMEDIATE"); }
outcome<void> ledger::commit() { return db_.run("COMMIT"); }
void ledger::roll_back() { (void)db_.run("ROLLBACK"); }

// --- changes ------------------------------------------------------------------------------------

outcome<void> ledger::add(const batch& b) {
  const auto s = ready(insert_,
                       "INSERT INTO batches(id, pool, route, tenant, key, method, target, fields, "
                       "cost, urgency, callback, deadline, created, body_size, body_crc, "
                       "body_spool, sum, state, attempts, not_before, changed, state_sum) "
                       "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  if (!s) return s.error();
  {
    auto u = (*s)->begin();
    u.id(b.id).text(b.pool).text(b.route).text(b.tenant).text(b.key).text(b.method);
    u.text(b.target).text(b.fields).real(b.cost).number(b.urgency).text(b.callback);
    b.deadline ? u.number(*b.deadline) : u.null();
    u.number(b.created).number(static_cast<std::int64_t>(b.body.size)).number(b.body.crc);
    u.number(static_cast<std::int64_t>(b.body.spool)).number(sum_of(b));
    u.number(static_cast<int>(b.state)).number(b.attempts).number(b.not_before).number(b.changed);
    u.number(state_sum(b.id, b.state, b.attempts, b.not_before, b.changed));
    if (auto done = u.run(); !done) return done;
  }
  if (b.body.spool != 0 || b.body.size == 0) return {};
  const auto body = ready(insert_body_, "INSERT INTO bodies(seq, bytes) VALUES(?,?)");
  if (!body) return body.error();
  return (*body)->begin().number(db_.last_row()).blob(b.body.bytes).run();
}

outcome<ledger::place> ledger::locate(const batch_id& id) {
  const auto s = ready(locate_,
                       "SELECT seq, state, attempts, not_before, changed, state_sum "
                       "FROM batches WHERE id = ?");
  if (!s) return s.error();
  auto u = (*s)->begin();
  const auto got = u.id(id).next();
  if (!got) return got.error();
  if (*got == step::done) return unknown(id);
  place p{u.number_at(0), id, state_at(u, 1), static_cast<std::uint32_t>(u.number_at(2))};
  if (u.number_at(5) != state_sum(id, p.state, p.attempts, u.number_at(3), u.number_at(4)))
    return broken("the batch's state");
  return p;
}

outcome<void> ledger::move(const place& p, batch_state to, std::uint32_t attempts,
                           unix_ms not_before, unix_ms now) {
  const auto s = ready(move_,
                       "UPDATE batches SET state = ?, attempts = ?, not_before = ?, changed = ?, "
                       "state_sum = ? WHERE seq = ?");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(static_cast<int>(to)).number(attempts).number(not_before).number(now);
  return u.number(state_sum(p.id, to, attempts, not_before, now)).number(p.seq).run();
}

outcome<void> ledger::note(std::int64_t seq, const attempt_note& n) {
  const auto s = ready(note_,
                       "INSERT OR REPLACE INTO attempts(seq, number, worker, began, ended, "
                       "outcome, detail) VALUES(?,?,?,?,?,?,?)");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(seq).number(n.number).text(n.worker).number(n.began).number(n.ended);
  return u.text(n.outcome).text(n.detail).run();
}

outcome<void> ledger::keep(std::int64_t seq, const response& r) {
  const auto s = ready(keep_,
                       "INSERT OR REPLACE INTO responses(seq, status, worker, fields, body_size, "
                       "body_crc, body_spool, sum, bytes) VALUES(?,?,?,?,?,?,?,?,?)");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(seq).number(r.status).text(r.worker).text(r.fields);
  u.number(static_cast<std::int64_t>(r.body.size)).number(r.body.crc);
  u.number(static_cast<std::int64_t>(r.body.spool)).number(sum_of(r));
  return u.blob(r.body.bytes).run();
}

// One that was running when weir was killed is tried again: its number is spent all the same.
outcome<std::uint32_t> ledger::start_attempt(const batch_id& id, std::string_view worker,
                                             unix_ms now) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (!is_open(p->state)) return failure{trouble::conflict, "the batch is not open"};
  const std::uint32_t number = p->attempts + 1;
  if (auto moved = move(*p, batch_state::running, number, 0, now); !moved) return moved.error();
  attempt_note n;
  n.number = number, n.worker = worker, n.began = now;
  if (auto noted = note(p->seq, n); !noted) return noted.error();
  return number;
}

outcome<void> ledger::end_attempt(const batch_id& id, const attempt_end& how) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (auto noted = note(p->seq, how.note); !noted) return noted;
  if (p->state != batch_state::running) return {};   // cancelled meanwhile: that stands
  if (how.answer)
    if (auto kept = keep(p->seq, *how.answer); !kept) return kept;
  return move(*p, how.next, p->attempts, how.not_before, how.note.ended);
}

outcome<void> ledger::cancel(const batch_id& id, unix_ms now) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (!is_open(p->state)) return failure{trouble::conflict, "the batch has ended already"};
  return move(*p, batch_state::cancelled, p->attempts, 0, now);
}

outcome<void> ledger::requeue(const batch_id& id, unix_ms now) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (p->state != batch_state::failed)
    return failure{trouble::conflict, "only a dead letter can be put back into the queue"};
  return move(*p, batch_state::queued, p->attempts, 0, now);
}

outcome<std::vector<std::uint64_t>> ledger::drop(const batch_id& id) {
  const auto p = locate(id);
  if (!p) return p.error();
  if (is_open(p->state)) return failure{trouble::conflict, "the batch is open; cancel it first"};
  std::vector<std::uint64_t> files;
  for (const char* sql : {"SELECT body_spool FROM batches WHERE seq = ? AND body_spool != 0",
                          "SELECT body_spool FROM responses WHERE seq = ? AND body_spool != 0"}) {
    auto s = db_.prepare(sql);
    if (!s) return s.error();
    auto u = s->begin();
    const auto got = u.number(p->seq).next();
    if (!got) return got.error();
    if (*got == step::row) files.push_back(static_cast<std::uint64_t>(u.number_at(0)));
  }
  for (const char* sql :
       {"DELETE FROM bodies WHERE seq = ?", "DELETE FROM responses WHERE seq = ?",
        "DELETE FROM attempts WHERE seq = ?", "DELETE FROM batches WHERE seq = ?"}) {
    auto s = db_.prepare(sql);
    if (!s) return s.error();
    if (auto done = s->begin().number(p->seq).run(); !done) return done.error();
  }
  return files;
}

outcome<void> ledger::set_aside(std::int64_t seq, std::string_view what, unix_ms now) {
  auto s = db_.prepare("INSERT OR REPLACE INTO damaged(seq, found, what) VALUES(?,?,?)");
  if (!s) return s.error();
  if (auto noted = s->begin().number(seq).number(now).text(what).run(); !noted) return noted;
  auto moved = db_.prepare("UPDATE batches SET state = ? WHERE seq = ?");
  if (!moved) return moved.error();
  return moved->begin().number(static_cast<int>(batch_state::damaged)).number(seq).run();
}

// --- reads --------------------------------------------------------------------------------------

outcome<batch> ledger::find(const batch_id& id, bool with_body) {
  static const std::string sql = std::string(columns) + "WHERE id = ?";
  const auto s = ready(find_, sql.c_str());
  if (!s) return s.error();
  auto u = (*s)->begin();
  const auto got = u.id(id).next();
  if (!got) return got.error();
  if (*got == step::done) return unknown(id);
  batch b = batch_at(u);
  if (!sound(u, b)) return broken("the batch");
  if (!with_body || b.body.spool != 0 || b.body.size == 0) return b;
  const auto body = ready(find_body_, "SELECT bytes FROM bodies WHERE seq = ?");
  if (!body) return body.error();
  auto of_body = (*body)->begin();
  const auto found = of_body.number(u.number_at(0)).next();
  if (!found) return found.error();
  if (*found == step::row) b.body.bytes = of_body.blob_at(0);
  if (!inline_whole(b.body)) return broken("the batch's body");
  return b;
}

outcome<response> ledger::response_of(const batch_id& id) {
  auto s = db_.prepare(
      "SELECT r.status, r.worker, r.fields, r.body_size, r.body_crc, r.body_spool, r.sum, r.bytes "
      "FROM responses r JOIN batches b ON b.seq = r.seq WHERE b.id = ?");
  if (!s) return s.error();
  auto u = s->begin();
  const auto got = u.id(id).next();
  if (!got) return got.error();
  if (*got == step::done) return failure{trouble::not_found, "the batch has no result"};
  response r;
  r.status = static_cast<std::uint16_t>(u.number_at(0));
  r.worker = u.text_at(1), r.fields = u.text_at(2);
  r.body.size = static_cast<std::uint64_t>(u.number_at(3));
  r.body.crc = static_cast<std::uint32_t>(u.number_at(4));
  r.body.spool = static_cast<std::uint64_t>(u.number_at(5));
  r.body.bytes = u.blob_at(7);
  if (u.number_at(6) != sum_of(r) || !inline_whole(r.body)) return broken("the batch's result");
  return r;
}

outcome<std::vector<attempt_note>> ledger::attempts_of(const batch_id& id) {
  auto s = db_.prepare(
      "SELECT a.number, a.worker, a.began, a.ended, a.outcome, a.detail FROM attempts a "
      "JOIN batches b ON b.seq = a.seq WHERE b.id = ? ORDER BY a.number");
  if (!s) return s.error();
  auto u = s->begin();
  u.id(id);
  std::vector<attempt_note> all;
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return all;
    all.push_back({static_cast<std::uint32_t>(u.number_at(0)), u.text_at(1), u.number_at(2),
                   u.number_at(3), u.text_at(4), u.text_at(5)});
  }
}

outcome<std::vector<batch_line>> ledger::list(const batch_query& q) {
  auto s = db_.prepare(
      "SELECT seq, id, pool, route, tenant, state, attempts, created, changed, body_size "
      "FROM batches WHERE seq > ?1 AND (?2 IS NULL OR state = ?2) AND (?3 = '' OR pool = ?3) "
      "AND (?4 = '' OR tenant = ?4) ORDER BY seq LIMIT ?5");
  if (!s) return s.error();
  auto u = s->begin();
  u.number(q.after);
  q.state ? u.number(static_cast<int>(*q.state)) : u.null();
  u.text(q.pool).text(q.tenant).number(q.limit);
  std::vector<batch_line> all;
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return all;
    all.push_back({u.number_at(0), u.id_at(1), u.text_at(2), u.text_at(3), u.text_at(4),
                   state_at(u, 5), static_cast<std::uint32_t>(u.number_at(6)), u.number_at(7),
                   u.number_at(8), static_cast<std::uint64_t>(u.number_at(9))});
  }
}

outcome<ledger::open_page> ledger::load_open(std::int64_t after, unsigned limit) {
  // Both states by one walk of the table: the index would give them one after the other.
  static const std::string sql =
      std::string(columns) + "WHERE seq > ? AND state IN (0, 1) ORDER BY seq LIMIT ?";
  const auto s = ready(load_, sql.c_str());
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.number(after).number(limit);
  open_page page;
  for (unsigned n = 0;; ++n) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) break;
    page.last = u.number_at(0);
    batch b = batch_at(u);
    if (sound(u, b)) page.batches.push_back(std::move(b));
    else page.damaged.emplace_back(page.last, broken("the batch"));
  }
  if (page.batches.size() + page.damaged.size() < limit) page.last = 0;
  return page;
}

outcome<std::vector<std::uint64_t>> ledger::spool_files() {
  auto s = db_.prepare("SELECT body_spool FROM batches WHERE body_spool != 0 UNION ALL "
                       "SELECT body_spool FROM responses WHERE body_spool != 0");
  if (!s) return s.error();
  auto u = s->begin();
  std::vector<std::uint64_t> all;
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return all;
    all.push_back(static_cast<std::uint64_t>(u.number_at(0)));
  }
}

outcome<std::uint64_t> ledger::highest_spool() {
  const auto n = db_.number(
      "SELECT max(coalesce((SELECT max(body_spool) FROM batches), 0), "
      "coalesce((SELECT max(body_spool) FROM responses), 0))");
  if (!n) return n.error();
  return static_cast<std::uint64_t>(*n);
}

}  // namespace weir::store
