#include "store/outbox.hpp"

#include <utility>

#include "store/checksum.hpp"

namespace weir::store {
namespace {

std::uint32_t sum_of(const message& m) noexcept {
  return checksum().text(m.name).text(m.text).number(static_cast<std::uint64_t>(m.created)).value();
}

}  // namespace

outcome<void> outbox::keep(const message& m) {
  const auto s = db_.kept("INSERT OR REPLACE INTO messages(name, text, created, sum) "
                          "VALUES(?,?,?,?)");
  if (!s) return s.error();
  return (*s)->begin().text(m.name).text(m.text).number(m.created).number(sum_of(m)).run();
}

outcome<void> outbox::forget(std::string_view name) {
  const auto s = db_.kept("DELETE FROM messages WHERE name = ?");
  if (!s) return s.error();
  return (*s)->begin().text(name).run();
}

outcome<std::vector<message>> outbox::all() {
  const auto s = db_.kept("SELECT name, text, created, sum FROM messages ORDER BY created, name");
  if (!s) return s.error();
  auto u = (*s)->begin();
  std::vector<message> kept;
  for (;;) {
    const auto got = u.next();
    if (!got) return got.error();
    if (*got == step::done) return kept;
    message m{u.text_at(0), u.text_at(1), u.number_at(2)};
    if (u.number_at(3) == sum_of(m)) kept.push_back(std::move(m));
  }
}

}  // namespace weir::store
