#include "config/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/addresses.hpp"
#include "config/config.hpp"
#include "config/reading.hpp"
#include "config/units.hpp"
#include "core/scaling.hpp"

namespace weir::config {
namespace {

// One side of a comparison: the key and its value for people.
struct side {
  std::string_view key;
  std::string text;
};

std::string said(const node& at, const side& s) {
  return fmt::format("{} ({}{})", s.key, s.text, at.find(s.key) ? "" : ", the default");
}

// Reports when `low` is above `high`, at whichever of the two was written, the high one first. Keys
// with mistakes of their own are not judged, nor two defaults.
void ordered(const node& at, reading& r, bool fine, const side& low, const side& high) {
  const bool broken =
      (at.find(low.key) && !r.sound(at, low.key)) || (at.find(high.key) && !r.sound(at, high.key));
  if (fine || broken) return;
  if (const node* n = r.sound(at, high.key)) {
    const reading::step here(r, high.key);
    r.error(*n,
            fmt::format("{} is less than {}, expected at least that", high.text, said(at, low)));
  } else if (const node* m = r.sound(at, low.key)) {
    const reading::step here(r, low.key);
    r.error(*m, fmt::format("{} is more than {}, expected at most that", low.text, said(at, high)));
  }
}

void ordered(const node& at, reading& r, std::string_view low_key, duration low,
             std::string_view high_key, duration high) {
  ordered(at, r, low <= high, {low_key, format_duration(low)}, {high_key, format_duration(high)});
}

void error_in(const node& at, reading& r, std::string_view key, std::string_view message) {
  const node* n = r.sound(at, key);
  if (!n) return;
  const reading::step here(r, key);
  r.error(*n, message);
}

void warn_in(const node& at, reading& r, std::string_view key, std::string_view message) {
  const node* n = r.sound(at, key);
  if (!n) return;
  const reading::step here(r, key);
  r.warn(*n, message);
}

// Fields that frame a message or that weir writes itself (RFC 9110 §7.6.1, RFC 9112 §6).
bool written_by_weir(std::string_view name) {
  constexpr std::array<std::string_view, 10> own{
      "connection", "content-length",   "expect", "host",
      "keep-alive", "proxy-connection", "te",     "trailer",
      "upgrade",    "transfer-encoding"};
  std::string low(name);
  for (char& c : low) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return low.starts_with("weir-") || std::find(own.begin(), own.end(), low) != own.end();
}

constexpr std::string_view own_field = "a field that weir writes itself, expected another";

bool plain_prefix(std::string_view prefix, std::string_view path) {
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace

void check_listener(void* object, const node& at, reading& r) {
  const auto& l = *static_cast<const listener*>(object);
  const node* tls = r.sound(at, "tls");
  if (!tls || l.tls->client_auth == client_auth::none || !l.tls->client_ca.empty()) return;
  const reading::step here(r, "tls");
  if (tls->find("client_ca")) return;
  error_in(*tls, r, "client_auth", "needs client_ca, expected it beside this");
}

void check_admin(void* object, const node& at, reading& r) {
  const auto& a = *static_cast<const admin*>(object);
  if (is_local(a.bind) || at.find("token_file")) return;
  error_in(at, r, "bind",
           fmt::format("{} can be reached from other machines, expected a loopback address or "
                       "token_file beside this",
                       to_string(a.bind)));
}

void check_limits(void* object, const node& at, reading& r) {
  const auto& l = *static_cast<const limits*>(object);
  ordered(at, r, l.target_bytes_max <= l.head_bytes_max,
          {"target_bytes_max", format_size(l.target_bytes_max)},
          {"head_bytes_max", format_size(l.head_bytes_max)});
  ordered(at, r, l.replay_batch_bytes_max <= l.replay_total_bytes_max,
          {"replay_batch_bytes_max", format_size(l.replay_batch_bytes_max)},
          {"replay_total_bytes_max", format_size(l.replay_total_bytes_max)});
}

void check_retry(void* object, const node& at, reading& r) {
  const auto& retry = static_cast<const route*>(object)->retry;
  ordered(at, r, "backoff_base", retry.backoff_base, "backoff_max", retry.backoff_max);
}

void check_async_retry(void* object, const node& at, reading& r) {
  const auto& retry = *static_cast<const async_retry*>(object);
  ordered(at, r, "backoff_base", retry.backoff_base, "backoff_max", retry.backoff_max);
}

void check_backup(void* object, const node& at, reading& r) {
  if (static_cast<const backup*>(object)->dir.empty())
    error_in(at, r, "dir", "an empty text, expected a directory");
}

// Scheme, host and port alone: a path would look as if only URLs below it were allowed. What stands
// there may be a whole callback URL with a token in it, so only its origin is shown.
void check_callback(void*, const node& at, reading& r) {
  const node* allow = r.sound(at, "allow");
  const reading::step in_allow(r, "allow");
  for (std::size_t i = 0; allow && i < allow->items.size(); ++i) {
    const node& item = *allow->items[i];
    const auto origin = hook_origin(item.text);
    if (item.faulty || r.has_mistake(item) || origin == item.text) continue;
    const reading::step here(r, i);
    const bool show = !item.from_environment;
    r.error(item, fmt::format("{}, expected an origin without a path{}",
                              show ? quoted(origin + "/...") : describe(item),
                              show ? ", did you mean " + shortened(origin) : ""));
  }
}

void check_edits(void*, const node& at, reading& r) {
  if (const node* set = r.sound(at, "set"))
    for (const auto& e : set->entries)
      if (written_by_weir(e.key))
        r.error_at(e.at, fmt::format("{}.set.{}: {}", r.path(), shortened(e.key), own_field));
  if (const node* remove = r.sound(at, "remove"))
    for (const auto& item : remove->items)
      if (written_by_weir(item->text))
        r.error_at(item->at,
                   fmt::format("{}.remove: {} is {}", r.path(), quoted(item->written), own_field));
}

void check_route(void* object, const node& at, reading& r) {
  auto& route = *static_cast<config::route*>(object);
  if (route.path.size() > 1 && route.path.ends_with('/')) route.path.pop_back();
  auto& prefix = route.rewrite.strip_prefix;
  if (prefix.ends_with('/')) prefix.pop_back();
  const bool apart = !prefix.empty() && !route.path.empty() && !plain_prefix(prefix, route.path) &&
                     !plain_prefix(route.path, prefix);
  const node* rewrite = r.sound(at, "rewrite");
  if (!apart || !rewrite || !r.sound(at, "path")) return;
  const reading::step here(r, "rewrite");
  error_in(*rewrite, r, "strip_prefix",
           fmt::format("no request of this route begins so, expected a part of its path {}",
                       describe(*at.find("path"))));
}

void check_health(void* object, const node& at, reading& r) {
  auto& pool = *static_cast<config::pool*>(object);
  auto& h = pool.settings.health;
  // A changed interval takes its two companions along, unless they were given too.
  if (!at.find("fast_interval")) h.fast_interval = std::min(h.fast_interval, h.interval);
  if (!at.find("down_interval_max"))
    h.down_interval_max = std::max(h.down_interval_max, h.interval);
  ordered(at, r, "fast_interval", h.fast_interval, "interval", h.interval);
  ordered(at, r, "interval", h.interval, "down_interval_max", h.down_interval_max);
  if (pool.probe.path.empty())
    error_in(at, r, "path", "nothing, expected an absolute path such as /healthz");
  if (h.kind == core::probe_kind::http) return;
  for (const auto key : {"path", "host", "statuses"})
    warn_in(at, r, key, "is not used: only `type: http` has it");
}

void check_ejection(void* object, const node& at, reading& r) {
  const auto& e = static_cast<const pool*>(object)->settings.ejection;
  ordered(at, r, "base_time", e.base_time, "max_time", e.time_max);
}

// What a named tenant was not given is as of the defaults, wherever those stand.
void check_queue(void* object, const node& at, reading&) {
  auto& queue = static_cast<pool*>(object)->settings.queue;
  const node* tenants = at.find("tenants");
  for (auto& t : queue.tenants) {
    const node* n = tenants ? tenants->find(t.name) : nullptr;
    const auto given = [n](std::string_view key) { return n && n->find(key); };
    if (!given("weight")) t.weight = queue.tenant_defaults.weight;
    if (!given("max_running")) t.running_max = queue.tenant_defaults.running_max;
    if (!given("max_batches")) t.batches_max = queue.tenant_defaults.batches_max;
  }
}

// A backlog is planned to drain in capped_seconds() once the workers asked for are there.
void warn_objective(const core::autoscale_settings& a, const node& at, reading& r) {
  const duration planned = base::from_seconds(core::capped_seconds(a));
  const duration kept = a.startup_time + a.sustain + planned;
  if (a.objective >= kept) return;
  const auto why =
      fmt::format("{} cannot be kept by new workers, about {} can: startup_time {}, sustain {}, "
                  "and {} in which a backlog drains",
                  format_duration(a.objective), format_duration(kept),
                  format_duration(a.startup_time), format_duration(a.sustain),
                  format_duration(planned));
  for (const auto key : {"objective", "startup_time", "sustain"})
    if (at.find(key)) return warn_in(at, r, key, key == std::string_view("objective")
                                                     ? why : "the objective of " + why);
}

void check_autoscale(void* object, const node& at, reading& r) {
  const auto& a = *static_cast<const pool*>(object)->settings.autoscale;
  ordered(at, r, a.min <= a.max, {"min", fmt::format("{}", a.min)},
          {"max", fmt::format("{}", a.max)});
  warn_objective(a, at, r);
  const duration steps = (a.resend + core::scaling::tick - 1ns) / core::scaling::tick *
                         core::scaling::tick;
  if (steps != a.resend)
    warn_in(at, r, "resend",
            fmt::format("is sent every {}: scaling decides every {}", format_duration(steps),
                        format_duration(core::scaling::tick)));
}

void check_exec(void* object, const node& at, reading& r) {
  const auto& exec = *static_cast<const exec_hook*>(object);
  const node* command = r.sound(at, "command");
  if (!command || exec.command.empty() || exec.command.front().starts_with('/')) return;
  const reading::step here(r, "command");
  if (command->items.front()->faulty) return;
  const reading::step first(r, std::size_t{0});
  r.error(*command->items.front(),
          fmt::format("{}, expected an absolute path", describe(*command->items.front())));
}

void check_worker_tls(void* object, const node& at, reading& r) {
  const auto& t = *static_cast<const tls_client*>(object);
  if (!at.find("private_key"))
    error_in(at, r, "certificate", "needs private_key, expected it beside this");
  if (!at.find("certificate"))
    error_in(at, r, "private_key", "needs certificate, expected it beside this");
  if (!t.verify) warn_in(at, r, "verify", "anyone can pose as a worker");
}

}  // namespace weir::config
