#include "config/diff.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>

#include "config/dump.hpp"
#include "config/fixed.hpp"
#include "config/json_text.hpp"
#include "config/spec.hpp"

namespace weir::config {
namespace {

using action = change::action;
using subject = change::subject;
using changes = std::vector<change>;

// Lists that are compared by name instead of as a whole; those and the pools by who calls.
bool has_names(const key& k) {
  return k.what == key::form::map || !k.item_key.empty();
}

// Calls found(key, path, before, after) for every value that differs; null when absent.
using found_difference =
    std::function<void(const key&, const std::string& path, const void* before, const void* after)>;

void compare(const section& s, const void* before, const void* after, const std::string& prefix,
             const found_difference& found);

bool same_items(const key& k, const void* before, const void* after) {
  const auto a = k.items(before), b = k.items(after);
  if (a.size() != b.size()) return false;
  bool same = true;
  for (std::size_t i = 0; i < a.size(); ++i)
    compare(*k.inside, a[i], b[i], "", [&](auto&&...) { same = false; });
  return same;
}

const void* item_named(const key& k, const void* owner, const std::string& name) {
  for (const void* item : k.items(owner))
    if (k.item_name(item) == name) return item;
  return nullptr;
}

void compare_maps(const key& k, const void* before, const void* after, const std::string& path,
                  const found_difference& found) {
  for (const void* b : k.items(after)) {
    const auto here = fmt::format("{}.{}", path, k.item_name(b));
    const void* a = item_named(k, before, k.item_name(b));
    if (a)
      compare(*k.inside, a, b, here + ".", found);
    else
      found(k, here, nullptr, b);
  }
  for (const void* a : k.items(before))
    if (!item_named(k, after, k.item_name(a)))
      found(k, fmt::format("{}.{}", path, k.item_name(a)), a, nullptr);
}

void compare_key(const key& k, const void* before, const void* after, const std::string& path,
                 const found_difference& found) {
  if (k.what == key::form::leaf) {
    if (k.load(before) != k.load(after)) found(k, path, before, after);
    return;
  }
  if (k.what == key::form::list) {
    if (!has_names(k) && !same_items(k, before, after)) found(k, path, before, after);
    return;
  }
  if (k.what == key::form::map) {
    if (k.inside != &pool_section()) compare_maps(k, before, after, path, found);
    return;
  }
  const void* a = k.peek(before);
  const void* b = k.peek(after);
  if (a && b) return compare(*k.inside, a, b, path + ".", found);
  if (a || b) found(k, path, a, b);
}

void compare(const section& s, const void* before, const void* after, const std::string& prefix,
             const found_difference& found) {
  for (const auto& k : s.keys) compare_key(k, before, after, prefix + std::string(k.name), found);
}

std::string said(const key& k, const void* owner) {
  if (!owner) return "absent";
  if (k.what == key::form::section || k.what == key::form::map) return "given";
  if (k.what == key::form::list) return fmt::format("{} of them", k.items(owner).size());
  const auto text = shown_text(k, owner);
  return text.empty() ? "none" : text;
}

// One change for every key that differs. `about` holds who it is about and what the effect is.
void keys_changed(const section& s, const void* before, const void* after, const change& about,
                  changes& out) {
  compare(s, before, after, "", [&](const key& k, const std::string& path, auto* a, auto* b) {
    auto c = about;
    c.key = path;
    c.before = said(k, a);
    c.after = said(k, b);
    c.restart = k.restart;
    if (c.restart) c.effect = "at the next start";
    const bool hidden_part = c.before == c.after;
    if (hidden_part) c.after += k.inside ? ", changed" : ", another content";
    out.push_back(std::move(c));
  });
}

const std::string& name_of(const listener& l) {
  return l.name;
}
const std::string& name_of(const route& r) {
  return r.name;
}
const std::string& name_of(const pool& p) {
  return p.settings.name;
}
const std::string& name_of(const worker& w) {
  return w.settings.name;
}

template <class T>
const T* find_named(const std::vector<T>& items, const std::string& name) {
  const auto at =
      std::find_if(items.begin(), items.end(), [&](auto& i) { return name_of(i) == name; });
  return at == items.end() ? nullptr : &*at;
}

change about(subject of, const std::string& pool, const std::string& name, std::string effect) {
  change c;
  c.of = of;
  c.pool = pool;
  c.name = name;
  c.effect = std::move(effect);
  return c;
}

change came(change c, std::string what, std::string effect) {
  c.what = action::added;
  c.after = std::move(what);
  c.effect = std::move(effect);
  return c;
}

change went(change c, std::string what, std::string effect) {
  c.what = action::removed;
  c.before = std::move(what);
  c.effect = std::move(effect);
  return c;
}

std::string brief(const worker& w) {
  return fmt::format("{}, {} slots{}", to_string(w.url), w.settings.slots,
                     w.settings.backup ? ", backup" : "");
}
std::string brief(const listener& l) {
  return to_string(l.bind);
}
std::string brief(const route& r) {
  return "to " + r.pool;
}
std::string brief(const pool& p) {
  return fmt::format("{} workers", p.workers.size());
}

constexpr const char* worker_came = "gets batches after its first good probe";
constexpr const char* worker_went = "drains: no new batches, those it has finish";
constexpr const char* worker_kept = "at once; its health and learned rate are kept";

void diff_worker(const worker& before, const worker& after, const change& who, changes& out) {
  if (before.url != after.url) {
    out.push_back(went(who, brief(before), worker_went));
    out.push_back(came(who, brief(after), worker_came));
    return;
  }
  keys_changed(worker_section(), &before, &after, who, out);
  if (before.settings.backup == after.settings.backup) return;
  auto c = who;
  c.key = "backup";
  c.before = before.settings.backup ? "true" : "false";
  c.after = after.settings.backup ? "true" : "false";
  out.push_back(std::move(c));
}

void diff_workers(const pool& before, const pool& after, changes& out) {
  const auto who = [&](const worker& w) {
    return about(subject::worker, name_of(after), name_of(w), worker_kept);
  };
  for (const auto& w : before.workers)
    if (!find_named(after.workers, name_of(w))) out.push_back(went(who(w), brief(w), worker_went));
  for (const auto& w : after.workers) {
    const auto* old = find_named(before.workers, name_of(w));
    if (old)
      diff_worker(*old, w, who(w), out);
    else
      out.push_back(came(who(w), brief(w), worker_came));
  }
}

void diff_pools(const settings& before, const settings& after, changes& out) {
  const auto who = [](const pool& p) {
    return about(subject::pool, {}, name_of(p),
                 "at once; backlog, health and learned rates are kept");
  };
  for (const auto& p : before.pools)
    if (!find_named(after.pools, name_of(p)))
      out.push_back(went(who(p), brief(p), "its backlog is refused and its workers drain"));
  for (const auto& p : after.pools) {
    const auto* old = find_named(before.pools, name_of(p));
    if (!old) {
      out.push_back(
          came(who(p), brief(p), "its workers get batches after their first good probes"));
      continue;
    }
    keys_changed(pool_section(), old, &p, who(p), out);
    diff_workers(*old, p, out);
  }
}

// The names that both have, in the order of `items`.
std::string common_order(const std::vector<route>& items, const std::vector<route>& others) {
  std::vector<std::string> names;
  for (const auto& r : items)
    if (find_named(others, name_of(r))) names.push_back(name_of(r));
  return fmt::format("{}", fmt::join(names, ", "));
}

void diff_routes(const settings& before, const settings& after, changes& out) {
  const auto who = [](const route& r) {
    return about(subject::route, {}, name_of(r), "for new requests");
  };
  for (const auto& r : before.routes)
    if (!find_named(after.routes, name_of(r)))
      out.push_back(went(who(r), brief(r), "its requests go by the routes that are left"));
  for (const auto& r : after.routes) {
    const auto* old = find_named(before.routes, name_of(r));
    if (old)
      keys_changed(route_section(), old, &r, who(r), out);
    else
      out.push_back(came(who(r), brief(r), "for new requests"));
  }
  auto order = about(subject::route, {}, {}, "for new requests: the first match wins");
  order.what = action::reordered;
  order.before = common_order(before.routes, after.routes);
  order.after = common_order(after.routes, before.routes);
  if (order.before != order.after) out.push_back(std::move(order));
}

void diff_listeners(const settings& before, const settings& after, changes& out) {
  const auto who = [](const listener& l) {
    return about(subject::listener, {}, name_of(l), "for new connections; the socket is kept");
  };
  for (const auto& l : before.listeners)
    if (!find_named(after.listeners, name_of(l)))
      out.push_back(went(who(l), brief(l), "closes; what it had accepted goes on"));
  for (const auto& l : after.listeners) {
    const auto* old = find_named(before.listeners, name_of(l));
    if (!old) {
      out.push_back(came(who(l), brief(l), "opens"));
      continue;
    }
    auto c = who(l);
    if (old->bind != l.bind) c.effect = "the new socket opens, then the old one closes";
    keys_changed(listener_section(), old, &l, c, out);
  }
}

// What guards a socket changes with it, and `async` comes with the state_dir (see keep_fixed).
void keep_fellows(const settings& before, const settings& after, changes& out) {
  const auto kept = [&](const change& c) {
    return (c.key == "admin.token_file" && keeps_admin_token(before, after)) ||
           (c.key == "registration.allow" && keeps_registration_allow(before, after)) ||
           (c.of == subject::route && c.key == "async" && keeps_async(before, after));
  };
  for (auto& c : out)
    if (kept(c)) c.restart = true, c.effect = "at the next start";
}

std::string_view word(action a) {
  constexpr std::array<std::string_view, 5> words{"added", "removed", "changed", "reordered",
                                                  "restored"};
  return words.at(static_cast<std::size_t>(a));
}

std::string_view word(subject s) {
  constexpr std::array<std::string_view, 5> words{"setting", "listener", "route", "pool", "worker"};
  return words.at(static_cast<std::size_t>(s));
}

std::string who(const change& c) {
  if (c.of == subject::setting) return c.key;
  if (c.what == action::reordered) return "routes";
  const auto name = c.pool.empty() ? c.name : fmt::format("{}/{}", c.pool, c.name);
  return fmt::format("{} {}", word(c.of), name);
}

std::string what(const change& c) {
  const auto moved = fmt::format("{} -> {}", c.before, c.after);
  switch (c.what) {
    case action::added:
      return "added, " + c.after;
    case action::removed:
      return "removed, was " + c.before;
    case action::reordered:
      return "reordered, " + moved;
    case action::restored:
      return "added again";
    case action::changed:
      break;
  }
  return c.of == subject::setting ? moved : fmt::format("{} {}", c.key, moved);
}

void write_change(const change& c, json_text& json) {
  json.open('{');
  json.text_member("what", word(c.what));
  json.text_member("subject", word(c.of));
  for (const auto& [name, text] : {std::pair("pool", &c.pool), std::pair("name", &c.name),
                                   std::pair("key", &c.key), std::pair("before", &c.before),
                                   std::pair("after", &c.after), std::pair("effect", &c.effect)})
    if (!text->empty()) json.text_member(name, *text);
  json.member("restart", c.restart ? "true" : "false");
  json.close('}');
}

}  // namespace

std::vector<change> diff(const settings& before, const settings& after) {
  changes out;
  keys_changed(root_section(), &before, &after,
               about(subject::setting, {}, {}, "from the reload on"), out);
  diff_listeners(before, after, out);
  diff_routes(before, after, out);
  keep_fellows(before, after, out);
  diff_pools(before, after, out);
  return out;
}

change restored(const std::string& pool, const std::string& worker, std::string why) {
  change c = about(subject::worker, pool, worker, std::move(why));
  c.what = action::restored;
  return c;
}

change ended(const std::string& pool, const worker& w, std::string why) {
  change c = about(subject::worker, pool, w.settings.name, "drains first: " + std::move(why));
  c.what = action::removed;
  c.before = to_string(w.url) + ", registered";
  return c;
}

bool needs_restart(const std::vector<change>& changes) {
  return std::any_of(changes.begin(), changes.end(), [](const auto& c) { return c.restart; });
}

std::string to_line(const change& c) {
  const auto effect = c.restart ? "needs a restart" : c.effect;
  return fmt::format("{}: {} ({})", who(c), what(c), effect);
}

std::string to_json(const std::vector<change>& changes) {
  json_text json;
  json.open('{');
  json.name("changes");
  json.open('[');
  for (const auto& c : changes) write_change(c, json);
  json.close(']');
  json.member("restart", needs_restart(changes) ? "true" : "false");
  json.close('}');
  return json.take();
}

}  // namespace weir::config
