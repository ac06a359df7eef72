#include "config/dump.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/addresses.hpp"
#include "config/json_text.hpp"
#include "config/units.hpp"

namespace weir::config {
namespace {

constexpr std::string_view hidden = "(not shown)";

// The value with what may be a secret taken out of it.
value without_secrets(const key& k, value v) {
  if (!k.discreet) return v;
  if (auto* fields = std::get_if<std::map<std::string, std::string>>(&v)) {
    for (auto& [name, text] : *fields) text = hidden;
  } else if (auto* words = std::get_if<std::vector<std::string>>(&v)) {
    for (std::size_t i = 1; i < words->size(); ++i) (*words)[i] = hidden;
  } else if (auto* text = std::get_if<std::string>(&v)) {
    *text = fmt::format("{}/{}", hook_origin(*text), hidden);
  }
  return v;
}

void write_object(const section& s, const void* object, json_text& json);

void write_key(const key& k, const void* owner, json_text& json) {
  if (k.what == key::form::leaf) {
    if (!k.given || k.given(owner)) json.member(k.name, shown_json(k, owner));
    return;
  }
  if (k.what == key::form::section) {
    const void* object = k.peek(owner);
    if (!object) return;
    json.name(k.name);
    write_object(*k.inside, object, json);
    return;
  }
  const bool named = k.what == key::form::map;
  json.name(k.name);
  json.open(named ? '{' : '[');
  for (const void* item : k.items(owner)) {
    if (named) json.name(k.item_name(item));
    write_object(*k.inside, item, json);
  }
  json.close(named ? '}' : ']');
}

void write_object(const section& s, const void* object, json_text& json) {
  json.open('{');
  for (const auto& k : s.keys) write_key(k, object, json);
  json.close('}');
}

// "1 worker", "2 workers".
std::string counted(std::uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

std::string describe(const listener& l) {
  return fmt::format("listener {}: {}{}", l.name, to_string(l.bind), l.tls ? ", TLS" : "");
}

std::string describe(const route& r) {
  std::vector<std::string> matches;
  if (!r.methods.empty()) matches.push_back(fmt::format("{}", fmt::join(r.methods, "|")));
  if (!r.hosts.empty()) matches.push_back(fmt::format("{}", fmt::join(r.hosts, "|")));
  if (!r.path.empty()) matches.push_back(r.path);
  for (const auto& [name, text] : r.headers) matches.push_back("with " + name);
  if (matches.empty()) matches.push_back("everything");
  return fmt::format("route {}: {} -> {}", r.name, fmt::join(matches, " "), r.pool);
}

std::string describe_checks(const pool& p) {
  const auto& h = p.settings.health;
  if (h.kind == core::probe_kind::none) return "no probes";
  const auto where = h.kind == core::probe_kind::http ? "GET " + p.probe.path : "connect";
  return fmt::format("{} every {}", where, format_duration(h.interval));
}

std::string describe_scaling(const pool& p) {
  if (!p.settings.autoscale) return {};
  const auto& a = *p.settings.autoscale;
  return fmt::format("; {} to {} for waits under {}, {}", a.min, counted(a.max, "worker"),
                     format_duration(a.objective), counted(p.hooks.size(), "hook"));
}

std::string describe(const pool& p) {
  std::uint64_t slots = 0;
  std::size_t backups = 0;
  for (const auto& w : p.workers) {
    if (w.settings.backup)
      ++backups;
    else
      slots += w.settings.slots;
  }
  return fmt::format(
      "pool {}: {} with {}, {}; {}; backlog up to {}, {}, {}{}", p.settings.name,
      counted(p.workers.size() - backups, "worker"), counted(slots, "slot"),
      counted(backups, "backup"), describe_checks(p),
      p.settings.queue.batches_max == 1 ? "1 batch"
                                        : fmt::format("{} batches", p.settings.queue.batches_max),
      format_size(p.settings.queue.bytes_max),
      format_duration(p.settings.queue.wait_max), describe_scaling(p));
}

template <class T>
void describe_each(const std::vector<T>& items, std::string& out) {
  for (const auto& item : items) out += describe(item) + "\n";
}

}  // namespace

std::string shown_json(const key& k, const void* owner) {
  return to_json(k.type, without_secrets(k, k.load(owner)));
}

std::string shown_text(const key& k, const void* owner) {
  return to_text(k.type, without_secrets(k, k.load(owner)));
}

std::string dump_json(const settings& all) {
  json_text json;
  write_object(root_section(), &all, json);
  return json.take();
}

std::string summary(const settings& all) {
  std::string out =
      fmt::format("threads {}, admin {}\n",
                  all.threads == 0 ? "auto" : fmt::format("{}", all.threads),
                  to_string(all.admin.bind));
  if (all.registration) out += fmt::format("registration: {}\n", to_string(all.registration->bind));
  describe_each(all.listeners, out);
  describe_each(all.routes, out);
  describe_each(all.pools, out);
  return out;
}

}  // namespace weir::config
