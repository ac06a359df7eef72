#include "store/rows.hpp"

#include "store/checksum.hpp"

namespace weir::store {
namespace {

std::uint64_t plain(std::int64_t n) noexcept { return static_cast<std::uint64_t>(n); }

std::uint32_t word_at(const statement::use& u, int column) {
  return static_cast<std::uint32_t>(u.number_at(column));
}

payload payload_at(const statement::use& u, int column) {
  payload body;
  body.size = plain(u.number_at(column));
  body.crc = word_at(u, column + 1);
  body.spool = plain(u.number_at(column + 2));
  return body;
}

}  // namespace

std::string_view raw(const batch_id& id) noexcept {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

std::string_view raw(const digest& d) noexcept {
  return {reinterpret_cast<const char*>(d.data()), d.size()};
}

failure broken(std::string_view what) {
  return {trouble::damaged, std::string(what) + " is not what was written: its checksum differs"};
}

bool inline_whole(const payload& body) noexcept {
  return body.spool != 0 || (body.bytes.size() == body.size &&
                             checksum().bytes(body.bytes).value() == body.crc);
}

batch_state state_at(const statement::use& u, int column) {
  const auto n = u.number_at(column);
  const bool known = n >= 0 && n <= static_cast<std::int64_t>(batch_state::damaged);
  return known ? static_cast<batch_state>(n) : batch_state::damaged;
}

std::uint32_t sum_of(const batch& b) noexcept {
  checksum s;
  s.bytes(raw(b.id)).text(b.pool).text(b.route).text(b.tenant).text(b.key);
  s.text(b.method).text(b.target).text(b.fields).real(b.cost).number(b.urgency).text(b.callback);
  s.number(plain(b.deadline.value_or(-1))).number(plain(b.created));
  return s.number(b.body.size).number(b.body.crc).number(b.body.spool).value();
}

std::uint32_t sum_of(const batch_id& id, const standing& s) noexcept {
  checksum sum;
  sum.bytes(raw(id)).number(static_cast<std::uint64_t>(s.state)).number(s.attempts);
  return sum.number(s.tries).number(plain(s.not_before)).number(plain(s.changed)).value();
}

std::uint32_t sum_of(const response& r) noexcept {
  checksum s;
  s.number(r.status).text(r.worker).text(r.fields);
  return s.number(r.body.size).number(r.body.crc).number(r.body.spool).value();
}

batch batch_at(const statement::use& u) {
  batch b;
  b.seq = u.number_at(0), b.id = u.id_at(1), b.lane = word_at(u, 2);
  b.key = u.text_at(3), b.method = u.text_at(4), b.target = u.text_at(5), b.fields = u.text_at(6);
  b.cost = u.real_at(7);
  b.urgency = static_cast<std::uint8_t>(u.number_at(8));
  b.callback = u.text_at(9);
  if (!u.null_at(10)) b.deadline = u.number_at(10);
  b.created = u.number_at(11);
  b.body = payload_at(u, 12);
  b.state = state_at(u, 16);
  b.attempts = word_at(u, 17), b.tries = word_at(u, 18);
  b.not_before = u.number_at(19), b.changed = u.number_at(20);
  return b;
}

bool state_sound(const statement::use& u, const batch& b) {
  return u.number_at(21) ==
         sum_of(b.id, {b.state, b.attempts, b.tries, b.not_before, b.changed});
}

bool sound(const statement::use& u, const batch& b) {
  return state_sound(u, b) && u.number_at(15) == sum_of(b);
}

outcome<response> response_at(const statement::use& u) {
  response r;
  r.status = static_cast<std::uint16_t>(u.number_at(0));
  r.worker = u.text_at(1), r.fields = u.text_at(2);
  r.body = payload_at(u, 3);
  r.body.bytes = u.blob_at(7);
  if (u.number_at(6) != sum_of(r) || !inline_whole(r.body)) return broken("the result");
  return r;
}

}  // namespace weir::store
