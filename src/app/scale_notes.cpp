#include "app/scale_notes.hpp"

#include <charconv>
#include <future>
#include <optional>
#include <set>
#include <utility>

#include "app/journal.hpp"
#include "scale/record.hpp"
#include "telemetry/log.hpp"

namespace weir::app {
namespace {

using telemetry::level;
using way = core::scale_decision::direction;

constexpr std::string_view prefix = "scale/";
constexpr std::uint64_t margin = 1000;   // decisions whose number the disk may not have taken
constexpr store::unix_ms too_old_ms = 3'600'000;

std::string name_of(std::string_view pool) { return std::string(prefix).append(pool); }
std::string name_of(std::string_view pool, std::string_view key) {
  return name_of(pool).append("/").append(key);
}

// The pool of a name, and whether it is of one of its hooks.
std::string_view pool_in(std::string_view name) {
  name.remove_prefix(std::min(prefix.size(), name.size()));
  return name.substr(0, name.find('/'));
}
bool of_hook(std::string_view name) { return name.find('/', prefix.size()) != name.npos; }

// "EPISODE SEQUENCE"
std::optional<scale_notes::numbers> parse_numbers(std::string_view text) {
  scale_notes::numbers n;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, n.episode);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return {};
  const auto second = std::from_chars(first.ptr + 1, end, n.sequence);
  if (second.ec != std::errc() || second.ptr != end) return {};
  return n;
}

void complain(const store::outcome<void>& how) {
  if (how || how.error().what == store::trouble::closed) return;
  telemetry::log(level::warning, "a scale decision could not be kept for a restart",
                 {{"detail", how.error().detail}});
}

// Why it must not be sent; empty: it may.
std::string_view unsendable(const std::optional<scale::message>& m, store::unix_ms now) {
  if (!m) return "it cannot be read";
  if (m->decision.way == way::in) return "its drains ended with the weir that ordered them";
  const store::unix_ms age = now - m->decided_unix_ms;
  return age > too_old_ms ? "it is older than an hour" : "";
}

}  // namespace

std::unique_ptr<scale_notes> scale_notes::open(store::engine& engine) {
  std::unique_ptr<scale_notes> notes(new scale_notes(engine));
  const auto answer = std::make_shared<std::promise<store::outcome<store::message_page>>>();
  engine.messages(std::string(prefix), [answer](store::outcome<store::message_page> page) {
    answer->set_value(std::move(page));
  });
  const auto got = answer->get_future().get();
  if (!got) {
    telemetry::log(level::error, "undelivered scale decisions could not be read",
                   {{"detail", got.error().detail}});
    return notes;
  }
  if (got->damaged > 0)
    telemetry::log(level::error, "scale decisions could not be read and are dropped",
                   {{"count", got->damaged}});
  for (const store::message& m : got->list) {
    notes->in_store_[m.name] = m;
    const auto n = of_hook(m.name) ? std::nullopt : parse_numbers(m.text);
    if (n) notes->told_[std::string(pool_in(m.name))] = {n->episode, n->sequence + margin};
    else if (!of_hook(m.name)) notes->drop(m, "it cannot be read");
  }
  return notes;
}

scale_notes::numbers scale_notes::told(const std::string& pool) const {
  const auto n = told_.find(pool);
  return n == told_.end() ? numbers{} : n->second;
}

void scale_notes::tell(const std::string& pool, numbers n) {
  told_[pool] = n;
  write({name_of(pool), std::to_string(n.episode) + " " + std::to_string(n.sequence), wall_ms()});
}

std::map<std::string, scale::message> scale_notes::send_on(const std::string& pool,
                                                           const std::vector<config::hook>& hooks,
                                                           store::unix_ms now) {
  std::set<std::string> keys;
  for (std::size_t i = 0; i < hooks.size(); ++i) keys.insert(scale::hook_key(hooks, i));
  std::map<std::string, scale::message> all;
  const auto kept = in_store_;   // dropping changes it
  for (const auto& [name, m] : kept) {
    if (pool_in(name) != pool || !of_hook(name)) continue;
    const std::string key = name.substr(name_of(pool, "").size());
    auto read = scale::parse_record(m.text);
    const std::string_view why = unsendable(read, now);
    if (!keys.contains(key)) drop(m, "its hook is not configured any more");
    else if (!why.empty()) drop(m, why);
    else all.emplace(key, std::move(*read));
  }
  return all;
}

void scale_notes::keep(const std::string& pool, const std::string& key, const scale::message* m) {
  const std::string name = name_of(pool, key);
  if (!m) return erase(name);
  write({name, scale::to_record(*m, pool), m->decided_unix_ms});
}

void scale_notes::forget(const std::string& pool) {
  const auto kept = in_store_;
  for (const auto& [name, m] : kept)
    if (pool_in(name) == pool && of_hook(name)) drop(m, "its pool has no hooks any more");
}

void scale_notes::forget_unless(
    const std::function<bool(const std::string& pool)>& configured) {
  const auto kept = in_store_;
  for (const auto& [name, m] : kept)
    if (of_hook(name) && !configured(std::string(pool_in(name))))
      drop(m, "its pool is not configured any more");
}

void scale_notes::write(store::message m) {
  in_store_[m.name] = m;
  engine_.keep_message(std::move(m), complain);
}

void scale_notes::erase(const std::string& name) {
  auto m = in_store_.extract(name);
  if (m) engine_.forget_message(std::move(m.mapped()), complain);
}

void scale_notes::drop(const store::message& m, std::string_view why) {
  telemetry::log(level::warning, "a kept scale decision is not sent",
                 {{"pool", pool_in(m.name)}, {"detail", why}});
  erase(m.name);
}

}  // namespace weir::app
