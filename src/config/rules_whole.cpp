// The rules that look across sections: names that must differ, references, and what one part of the
// file needs from another.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/addresses.hpp"
#include "config/config.hpp"
#include "config/nearest.hpp"
#include "config/reading.hpp"
#include "config/rules.hpp"

namespace weir::config {
namespace {

using places = std::map<std::string, mark>;

constexpr mark by_default{0, 0};  // stands nowhere in the file

// Notes where a text stands; reports when it was there before.
void once(const node* n, const std::string& text, places& seen, reading& r) {
  if (!n || n->faulty || r.has_mistake(*n)) return;
  const auto [first, added] = seen.emplace(text, n->at);
  if (added) return;
  const auto taken = first->second == by_default ? "by admin (its default)"
                                                 : fmt::format("(line {})", first->second.line);
  r.error(*n, fmt::format("{} is taken {}, expected one of its own", describe(*n), taken));
}

void check_names(const node& at, std::string_view list_key, std::string_view name_key, places& seen,
                 reading& r) {
  const node* list = at.find(list_key);
  if (!list) return;
  const reading::step in_list(r, list_key);
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const reading::step in_item(r, i);
    const node* name = list->items[i]->find(name_key);
    const reading::step in_name(r, name_key);
    if (name) once(name, name->text, seen, r);
  }
}

// Workers of a pool are machines: with one listed twice its slots would be filled twice.
void check_urls(const node& at, std::string_view list_key, places& seen, reading& r) {
  const node* list = at.find(list_key);
  if (!list) return;
  const reading::step in_list(r, list_key);
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const reading::step in_item(r, i);
    const node* written = list->items[i]->find("url");
    const auto url = written ? parse_worker_url(written->text) : std::nullopt;
    const reading::step in_url(r, "url");
    if (url) once(written, to_string(*url), seen, r);
  }
}

// Port 0 is another port each time.
void check_bind(const node* section, const address& bind, places& seen, reading& r) {
  if (!section || (bind.port == 0 && bind.unix_path.empty())) return;
  const reading::step here(r, "bind");
  once(section->find("bind"), to_string(bind), seen, r);
}

// Whether a section says itself where it listens.
bool says_bind(const node* section) {
  return section && section->find("bind");
}

void check_binds(const settings& all, const node& at, reading& r) {
  places seen;
  const node* admin = at.find("admin");
  if (!says_bind(admin)) seen.emplace(to_string(all.admin.bind), by_default);
  if (const node* list = at.find("listeners")) {
    const reading::step in_list(r, "listeners");
    const auto known = std::min(list->items.size(), all.listeners.size());
    for (std::size_t i = 0; i < known; ++i) {
      const reading::step in_item(r, i);
      check_bind(list->items[i].get(), all.listeners[i].bind, seen, r);
    }
  }
  {
    const reading::step here(r, "admin");
    check_bind(admin, all.admin.bind, seen, r);
  }
  if (!all.registration) return;
  const reading::step here(r, "registration");
  check_bind(at.find("registration"), all.registration->bind, seen, r);
}

// Calls what(node, route) for every route that was read.
template <class What>
void each_route(const settings& all, const node& at, reading& r, What&& what) {
  const node* list = at.find("routes");
  if (!list) return;
  const reading::step in_list(r, "routes");
  const auto known = std::min(list->items.size(), all.routes.size());
  for (std::size_t i = 0; i < known; ++i) {
    const reading::step in_item(r, i);
    what(*list->items[i], all.routes[i]);
  }
}

void check_references(const settings& all, const node& at, reading& r) {
  const node* pools = at.find("pools");
  std::vector<std::string_view> names;
  if (pools)
    for (const auto& e : pools->entries) names.push_back(e.key);
  each_route(all, at, r, [&](const node& n, const route& found) {
    const node* pool = r.sound(n, "pool");
    if (!pool || std::find(names.begin(), names.end(), found.pool) != names.end()) return;
    const auto close = pool->from_environment ? "" : nearest(found.pool, names);
    const reading::step here(r, "pool");
    r.error(*pool,
            fmt::format("no pool {}, expected a name under pools{}", describe(*pool),
                        close.empty() ? "" : fmt::format(", did you mean {}", shortened(close))));
  });
}

void warn_not_durable(const node* map, std::string_view key, reading& r) {
  const node* given = map ? r.sound(*map, key) : nullptr;
  if (!given) return;
  const reading::step here(r, key);
  r.warn(*given, "has no effect without `state_dir`: batches are not made durable");
}

// Keys are kept without a state_dir too, in memory.
void warn_retention(const node& at, reading& r) {
  const reading::step here(r, "retention");
  for (const char* key : {"results", "results_bytes", "dead_letters"})
    warn_not_durable(at.find("retention"), key, r);
}

// Nobody shall believe that a batch is on disk when there is no place for it.
void check_durable(const settings& all, const node& at, reading& r) {
  if (!all.state_dir.empty() || (at.find("state_dir") && !r.sound(at, "state_dir"))) return;
  warn_not_durable(&at, "backup", r);
  warn_retention(at, r);
  each_route(all, at, r, [&](const node& n, const route& found) {
    if (found.async == async_mode::allow) warn_not_durable(&n, "async", r);
    for (const char* key : {"async_retry", "callback"}) warn_not_durable(&n, key, r);
    const node* async = r.sound(n, "async");
    if (!async || found.async != async_mode::always) return;
    const reading::step here(r, "async");
    r.error(*async, "always needs a place for durable batches, expected `state_dir` to be set");
  });
  const node* pools = at.find("pools");
  const reading::step in_pools(r, "pools");
  for (const auto& e : pools ? pools->entries : std::vector<node::entry>{}) {
    const reading::step in_pool(r, e.key);
    const reading::step in_queue(r, "queue");
    warn_not_durable(e.value->find("queue"), "durable", r);
  }
}

bool matches_all(const route& one) {
  const bool any_path = one.path.empty() || one.path == "/";
  return any_path && one.hosts.empty() && one.methods.empty() && one.headers.empty();
}

void warn_unreachable(const settings& all, const node& at, reading& r) {
  const route* taker = nullptr;
  each_route(all, at, r, [&](const node& n, const route& found) {
    if (taker)
      r.warn(n, fmt::format("is never reached: the route {} before it takes every request",
                            quoted(taker->name)));
    if (!taker && matches_all(found)) taker = &found;
  });
}

// A pool may be the one that a mistyped name was meant for.
bool names_only_pools(const settings& all, const node& pools) {
  return std::all_of(all.routes.begin(), all.routes.end(),
                     [&](const route& one) { return pools.find(one.pool) != nullptr; });
}

void warn_unused_pools(const settings& all, const node& at, reading& r) {
  const node* pools = at.find("pools");
  if (!pools || all.routes.empty() || !names_only_pools(all, *pools)) return;
  const reading::step in_pools(r, "pools");
  for (const auto& e : pools->entries) {
    const auto uses = [&](const route& one) { return one.pool == e.key; };
    const reading::step here(r, e.key);
    if (std::none_of(all.routes.begin(), all.routes.end(), uses))
      r.warn(*e.value, "is not used by any route");
  }
}

void warn_affinity(const settings& all, const node& at, reading& r) {
  each_route(all, at, r, [&](const node& n, const route& found) {
    const node* given = r.sound(n, "affinity");
    const auto pool = std::ranges::find_if(
        all.pools, [&](const config::pool& p) { return p.settings.name == found.pool; });
    if (!given || pool == all.pools.end() || pool->settings.balance == core::balance::hash) return;
    const reading::step here(r, "affinity");
    r.warn(*given, fmt::format("has no effect: the pool {} is without `balance: hash`",
                               quoted(found.pool)));
  });
}

void warn_empty_pools(const settings& all, const node& at, reading& r) {
  const node* pools = at.find("pools");
  if (!pools || at.find("registration")) return;
  const reading::step in_pools(r, "pools");
  for (const auto& p : all.pools) {
    const node* n = pools->find(p.settings.name);
    const reading::step here(r, p.settings.name);
    if (n && p.workers.empty())
      r.warn(*n,
             "has no workers, and without registration none can come but through the admin API");
  }
}

// Workers are never taken away because of a limit: none would ever be asked for.
void warn_scale_limit(const config::pool& pool, const node& at, reading& r) {
  const node* given = r.sound(at, "autoscale");
  if (!given || !pool.settings.autoscale) return;
  const auto listed = std::ranges::count_if(
      pool.workers, [](const config::worker& w) { return !w.settings.backup; });
  const std::uint32_t most = pool.settings.autoscale->max;
  if (listed <= most) return;
  const reading::step in_section(r, "autoscale");
  const node* written = given->find("max");
  const reading::step here(r, "max");
  r.warn(written ? *written : *given,
         fmt::format("{} is less than the {} workers listed: none is ever asked for", most,
                     listed));
}

}  // namespace

void check_pool(void* object, const node& at, reading& r) {
  const auto& pool = *static_cast<const config::pool*>(object);
  places ids, urls;
  for (const auto list : {"workers", "backup_workers"}) {
    check_names(at, list, "id", ids, r);
    check_urls(at, list, urls, r);
  }
  warn_scale_limit(pool, at, r);
  const node* most = r.sound(at, "workers_max");
  if (!most || pool.workers.size() <= pool.settings.workers_max) return;
  const reading::step here(r, "workers_max");
  r.error(*most, fmt::format("{} is less than the {} workers listed, expected at least that",
                             pool.settings.workers_max, pool.workers.size()));
}

void check_root(void* object, const node& at, reading& r) {
  const auto& all = *static_cast<const settings*>(object);
  places listeners, routes;
  check_names(at, "listeners", "name", listeners, r);
  check_names(at, "routes", "name", routes, r);
  check_binds(all, at, r);
  check_references(all, at, r);
  check_durable(all, at, r);
  warn_unreachable(all, at, r);
  warn_unused_pools(all, at, r);
  warn_empty_pools(all, at, r);
  warn_affinity(all, at, r);
}

}  // namespace weir::config
