#include "store/key_book.hpp"

#include <algorithm>
#include <cstring>

#include "store/checksum.hpp"
#include "store/rows.hpp"

namespace weir::store {
namespace {

std::uint32_t sum_of_key(const key_claim& key, unix_ms created, const batch_id* id,
                         const response& r) noexcept {
  checksum s;
  s.bytes(raw(key.scope)).bytes(raw(key.fingerprint)).number(static_cast<std::uint64_t>(created));
  s.text(id ? raw(*id) : std::string_view());
  return s.number(r.status).text(r.worker).text(r.fields).text(r.body.bytes).value();
}

// With the row and its entries in two indexes.
std::uint64_t size_of(const response& r) noexcept {
  return 256 + r.worker.size() + r.fields.size() + r.body.bytes.size();
}

response answer_at(const statement::use& u) {
  response r;
  r.status = static_cast<std::uint16_t>(u.number_at(4));
  r.worker = u.text_at(5), r.fields = u.text_at(6);
  r.body.bytes = u.blob_at(7);
  r.body.size = r.body.bytes.size();
  r.body.crc = checksum().bytes(r.body.bytes).value();
  return r;
}

}  // namespace

// Scopes are digests already.
std::size_t key_book::hash::operator()(const digest& d) const noexcept {
  std::size_t n = 0;
  std::memcpy(&n, d.data(), sizeof n);
  return n;
}

void key_book::mark(const digest& scope, bool runs) {
  const bool was = runs ? !running_.insert(scope).second : running_.erase(scope) != 0;
  if (was != runs) undo_.emplace_back(scope, was);
}

void key_book::committed() {
  undo_.clear();
  committed_bytes_ = bytes_, committed_forgotten_ = forgotten_;
}

void key_book::rolled_back() {
  bytes_ = committed_bytes_, forgotten_ = committed_forgotten_;
  for (auto u = undo_.rbegin(); u != undo_.rend(); ++u) {
    if (u->second) running_.insert(u->first);
    else running_.erase(u->first);
  }
  undo_.clear();
}

outcome<void> key_book::read() {
  const auto all = db_.number("SELECT sum(size) FROM keys INDEXED BY keys_by_age");
  if (!all) return all.error();
  bytes_ = committed_bytes_ = static_cast<std::uint64_t>(std::max<std::int64_t>(0, *all));
  return {};
}

// Of a DELETE that returns sizes: how many went.
outcome<std::size_t> key_book::remove(statement::use& u) {
  for (std::size_t gone = 0;; ++gone) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return gone;
    bytes_ -= std::min(bytes_, static_cast<std::uint64_t>(u.number_at(0)));
  }
}

outcome<void> key_book::make_room(std::uint64_t bytes) {
  while (bytes_max_ != 0 && bytes_ > 0 && bytes_ + bytes > bytes_max_) {
    const auto s = db_.kept("DELETE FROM keys WHERE number = (SELECT number FROM keys INDEXED BY "
                            "keys_by_age ORDER BY created LIMIT 1) RETURNING size");
    if (!s) return s.error();
    auto u = (*s)->begin();
    const auto gone = remove(u);
    if (!gone) return gone.error();
    if (*gone == 0) bytes_ = 0;   // there are none: it was added up wrongly
    forgotten_ += *gone;
  }
  return {};
}

outcome<void> key_book::set_aside(std::int64_t number, unix_ms now) {
  const auto noted = db_.kept("INSERT INTO damaged(found, what) VALUES(?, 'an idempotency key')");
  if (!noted) return noted.error();
  if (auto done = (*noted)->begin().number(now).run(); !done) return done;
  const auto gone = db_.kept("DELETE FROM keys WHERE number = ? RETURNING size");
  if (!gone) return gone.error();
  auto u = (*gone)->begin();
  const auto removed = remove(u.number(number));
  return removed ? outcome<void>() : removed.error();
}

// Fresh: there is no record (any more).
outcome<key_record> key_book::find(const digest& scope, unix_ms now) {
  const auto s = db_.kept("SELECT number, fingerprint, created, batch, status, worker, fields, "
                          "body, sum, scope FROM keys WHERE scope = ?");
  if (!s) return s.error();
  key_record found;
  std::int64_t number = 0;
  {
    auto u = (*s)->begin();
    const auto got = u.key(scope).next();
    if (!got) return got.error();
    if (*got == step::done) return found;
    number = u.number_at(0);
    found.what = u.null_at(3) ? key_record::kind::finished : key_record::kind::batch;
    found.fingerprint = u.key_at(1);
    found.id = u.id_at(3);
    found.answer = answer_at(u);
    const batch_id* const id = u.null_at(3) ? nullptr : &found.id;
    if (u.number_at(8) ==
        sum_of_key({u.key_at(9), found.fingerprint}, u.number_at(2), id, found.answer))
      return found;
  }
  if (auto aside = set_aside(number, now); !aside) return aside.error();
  return key_record{};
}

outcome<key_record> key_book::claim(const digest& scope, unix_ms now) {
  if (running_.contains(scope)) {
    key_record taken;
    taken.what = key_record::kind::running;
    return taken;
  }
  auto found = find(scope, now);
  if (found && found->what == key_record::kind::fresh) mark(scope, true);
  return found;
}

outcome<void> key_book::insert(const key_claim& key, unix_ms now, const batch_id* id,
                               const response& answer) {
  const auto old = db_.kept("DELETE FROM keys WHERE scope = ? RETURNING size");
  if (!old) return old.error();
  {
    auto u = (*old)->begin();
    if (const auto gone = remove(u.key(key.scope)); !gone) return gone.error();
  }
  const std::uint64_t size = size_of(answer);
  if (auto room = make_room(size); !room) return room;
  const auto s = db_.kept("INSERT INTO keys(scope, fingerprint, created, batch, status, worker, "
                          "fields, body, sum, size) VALUES(?,?,?,?,?,?,?,?,?,?)");
  if (!s) return s.error();
  auto u = (*s)->begin();
  u.key(key.scope).key(key.fingerprint).number(now);
  id ? u.id(*id) : u.null();
  u.number(answer.status).text(answer.worker).text(answer.fields).blob(answer.body.bytes);
  u.number(sum_of_key(key, now, id, answer)).number(static_cast<std::int64_t>(size));
  auto kept = u.run();
  if (kept) bytes_ += size;
  return kept;
}

outcome<void> key_book::settle(const key_claim& key, const response& answer, unix_ms now) {
  auto kept = insert(key, now, nullptr, answer);
  if (kept) mark(key.scope, false);
  return kept;
}

void key_book::release(const digest& scope) { mark(scope, false); }

outcome<std::optional<batch_id>> key_book::batch_of(const key_claim& key, unix_ms now) {
  if (running_.contains(key.scope))
    return failure{trouble::conflict, "a request with this key is under way"};
  const auto found = find(key.scope, now);
  if (!found) return found.error();
  if (found->what == key_record::kind::fresh) return std::optional<batch_id>();
  if (found->what == key_record::kind::finished)
    return failure{trouble::conflict, "the key belongs to a request that was answered"};
  if (found->fingerprint != key.fingerprint)
    return failure{trouble::conflict, "the key was sent with another request"};
  return std::optional(found->id);
}

outcome<void> key_book::bind(const key_claim& key, const batch_id& id, unix_ms now) {
  return insert(key, now, &id, {});
}

outcome<std::size_t> key_book::sweep(unix_ms before, std::size_t most) {
  const auto s = db_.kept("DELETE FROM keys WHERE number IN "
                          "(SELECT number FROM keys WHERE created < ? ORDER BY created LIMIT ?) "
                          "RETURNING size");
  if (!s) return s.error();
  auto u = (*s)->begin();
  return remove(u.number(before).number(static_cast<std::int64_t>(most)));
}

}  // namespace weir::store
