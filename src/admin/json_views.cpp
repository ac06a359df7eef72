#include "admin/json_views.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

#include "telemetry/json_text.hpp"

namespace weir::admin {
namespace {

namespace json = boost::json;

// JSON has no infinities: a backlog that never drains has no time.
json::value finite(double v) { return std::isfinite(v) ? json::value(v) : json::value(nullptr); }

json::object to_json(const listener_status& l) {
  return {{"name", l.name}, {"address", l.address}, {"tls", l.tls},
          {"connections", l.connections}};
}

void append(std::string& out, const json::value& v);

void append(std::string& out, const json::object& o) {
  out += '{';
  for (const auto& [key, value] : o) {
    if (out.back() != '{') out += ',';
    telemetry::append_json_string(out, {key.data(), key.size()});
    out += ':';
    append(out, value);
  }
  out += '}';
}

void append(std::string& out, const json::array& a) {
  out += '[';
  for (const auto& value : a) {
    if (out.back() != '[') out += ',';
    append(out, value);
  }
  out += ']';
}

void append(std::string& out, const json::value& v) {
  if (const auto* object = v.if_object()) return append(out, *object);
  if (const auto* array = v.if_array()) return append(out, *array);
  // Text may be a client's, and no UTF-8: the library would write it as it is.
  if (const auto* text = v.if_string())
    return telemetry::append_json_string(out, {text->data(), text->size()});
  out += v.is_double() ? fmt::format("{:.12g}", v.get_double()) : json::serialize(v);
}

}  // namespace

std::string_view name(hook_status::state s) noexcept {
  switch (s) {
    case hook_status::state::unused: return "unused";
    case hook_status::state::delivering: return "delivering";
    case hook_status::state::failing: return "failing";
    case hook_status::state::stopped: return "stopped";
  }
  return "";
}

json::object to_json(const process_status& s, const readiness& r) {
  json::object out{{"version", s.version},
                   {"ready", r.ok},
                   {"reason", r.reason},
                   {"draining", s.draining},
                   {"started_ms", s.started_unix_ms},
                   {"uptime_seconds", finite(s.uptime_seconds)},
                   {"threads", s.threads}};
  json::object& config = out["config"].emplace_object();
  config["file"] = s.config_file;
  config["generation"] = s.config_generation;
  config["last_reload_ok"] = s.last_reload_ok ? json::value(*s.last_reload_ok) : nullptr;
  config["last_reload_ms"] = s.last_reload_unix_ms;
  config["last_reload_error"] = s.last_reload_error;
  json::array& listeners = out["listeners"].emplace_array();
  for (const auto& l : s.listeners) listeners.push_back(to_json(l));
  return out;
}

json::object to_json(const core::pool_view& p) {
  return {{"name", p.name},
          {"waiting", p.waiting},
          {"running", p.running},
          {"delayed", p.delayed},
          {"waiting_cost", finite(p.waiting_cost)},
          {"waiting_bytes", p.waiting_bytes},
          {"oldest_seconds", finite(p.oldest_seconds)},
          {"drain_seconds", finite(p.drain_seconds)},
          {"workers", p.workers},
          {"workers_up", p.workers_up},
          {"slots", p.slots},
          {"slots_busy", p.slots_busy},
          {"tenants", p.tenants},
          {"paused", p.paused},
          {"closed", p.closed},
          {"outage", p.outage},
          {"scaling_holds", p.scaling_holds},
          {"desired", p.desired ? json::value(*p.desired) : json::value(nullptr)},
          {"asked_for", p.asked_for},
          {"never_came", p.never_came},
          {"startup_seconds", finite(p.startup_seconds)},
          {"refused_batches", p.refused_batches},
          {"refused_bytes", p.refused_bytes},
          {"refused_workers", p.refused_workers},
          {"tenants_folded", p.tenants_folded},
          {"refused_tenants", p.refused_tenants},
          {"held_tenants", p.held_tenants},
          {"retries_denied", p.retries_denied},
          {"bounces", p.bounces}};
}

json::object to_json(const worker_status& w, std::string_view pool) {
  const core::worker_view& v = w.view;
  json::object out{{"pool", pool},
                   {"id", v.name},
                   {"url", w.url},
                   {"state", core::name(v.state)},
                   {"reason", v.reason},
                   {"seconds_in_state", finite(v.seconds_in_state)},
                   {"slots", v.slots},
                   {"slots_open", v.slots_open},
                   {"slots_lasting", v.slots_lasting},
                   {"in_flight", v.in_flight},
                   {"outstanding_cost", finite(v.outstanding_cost)},
                   {"rate", finite(v.rate)},
                   {"reported_load", finite(v.reported_load)},
                   {"weight", finite(v.weight)},
                   {"consecutive_failures", v.consecutive_failures},
                   {"ejections", v.ejections},
                   {"attempts", v.attempts},
                   {"successes", v.successes},
                   {"failures", v.failures},
                   {"managed", v.managed},
                   {"backup", v.backup},
                   {"removing", v.removing},
                   {"registered", w.registered}};
  if (w.registered) out["lease_seconds"] = finite(w.lease_seconds);
  return out;
}

json::object to_json(const core::queue_item& b, std::string_view pool) {
  return {{"pool", pool},           {"batch", b.label},
          {"tenant", b.tenant},     {"route", b.route},
          {"attempt", b.attempt},   {"waited_seconds", finite(b.waited_seconds)},
          {"cost", finite(b.cost)}, {"urgency", b.urgency},
          {"position", b.place.position},
          {"position_exact", b.place.exact},
          {"eta_seconds", b.place.in_time ? finite(b.place.eta_seconds) : nullptr}};
}

json::object to_json(const scale_view& s) {
  return {{"pool", s.pool},
          {"enabled", s.enabled},
          {"desired", s.desired},
          {"current", s.current},
          {"ready", s.ready},
          {"asked_for", s.asked_for},
          {"never_came", s.never_came},
          {"min", s.min},
          {"max", s.max},
          {"backlog_batches", s.backlog_batches},
          {"backlog_bytes", s.backlog_bytes},
          {"backlog_cost", finite(s.backlog_cost)},
          {"oldest_seconds", finite(s.oldest_seconds)},
          {"drain_seconds", finite(s.drain_seconds)},
          {"direction", s.direction},
          {"reason", s.reason},
          {"episode", s.episode},
          {"sequence", s.sequence}};
}

json::object to_json(const hook_status& h) {
  return {{"hook", h.hook},
          {"state", name(h.now)},
          {"seconds", finite(h.seconds)},
          {"failures", h.failures},
          {"detail", h.detail}};
}

json::object to_json(const event_entry& e) {
  return {{"sequence", e.sequence}, {"time_ms", e.unix_ms}, {"pool", e.pool},
          {"kind", e.kind},         {"worker", e.worker},   {"text", e.text}};
}

json::object to_json(const change_report& r) {
  return {{"ok", true}, {"summary", r.summary}, {"lines", json::value_from(r.lines)}};
}

std::string to_text(const json::object& o) {
  std::string out;
  append(out, o);
  return out + "\n";
}

}  // namespace weir::admin
