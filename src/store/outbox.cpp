#include "store/outbox.hpp"

#include <limits>
#include <utility>

#include "store/checksum.hpp"

namespace weir::store {
namespace {

std::uint32_t sum_of(const message& m) noexcept {
  return checksum().text(m.name).text(m.text).number(static_cast<std::uint64_t>(m.due)).value();
}

// The first text behind all that begin so.
std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  if (!end.empty()) ++end.back();   // "callback/": names are ASCII
  return end;
}

}  // namespace

outcome<void> outbox::keep(const message& m) {
  const auto s = db_.kept("INSERT OR REPLACE INTO messages(name, text, due, sum) VALUES(?,?,?,?)");
  if (!s) return s.error();
  return (*s)->begin().text(m.name).text(m.text).number(m.due).number(sum_of(m)).run();
}

outcome<void> outbox::forget(const message& m) {
  const auto s = db_.kept("DELETE FROM messages WHERE name = ? AND text = ? AND due = ?");
  if (!s) return s.error();
  return (*s)->begin().text(m.name).text(m.text).number(m.due).run();
}

outcome<void> outbox::erase(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto s = db_.kept("DELETE FROM messages WHERE name = ?");
    if (!s) return s.error();
    if (auto done = (*s)->begin().text(name).run(); !done) return done;
  }
  return {};
}

outcome<message_page> outbox::read(const char* sql, std::string_view prefix, unsigned limit) {
  const auto s = db_.kept(sql);
  if (!s) return s.error();
  message_page page;
  std::vector<std::string> bad;
  {
    const std::string end = end_of(prefix);
    auto u = (*s)->begin();
    u.text(prefix).text(end).number(limit);
    for (;;) {
      const auto got = u.next();
      if (!got) return got.error();
      if (*got == step::done) break;
      message m{u.text_at(0), u.text_at(1), u.number_at(2)};
      if (u.number_at(3) == sum_of(m)) page.list.push_back(std::move(m));
      else bad.push_back(std::move(m.name));
    }
  }
  page.damaged = bad.size();
  if (auto gone = erase(bad); !gone) return gone.error();
  return page;
}

outcome<message_page> outbox::all(std::string_view prefix) {
  return read("SELECT name, text, due, sum FROM messages "
              "WHERE name >= ? AND name < ? ORDER BY +due, name LIMIT ?",
              prefix, std::numeric_limits<std::int32_t>::max());
}

outcome<message_page> outbox::due(std::string_view prefix, unsigned limit) {
  return read("SELECT name, text, due, sum FROM messages INDEXED BY messages_by_due "
              "WHERE name >= ? AND name < ? ORDER BY due, name LIMIT ?",
              prefix, limit);
}

}  // namespace weir::store
