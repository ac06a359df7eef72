// The reads of the admin API.
#include <boost/json.hpp>
#include <charconv>
#include <optional>

#include "admin/calls.hpp"
#include "admin/json_views.hpp"
#include "admin/page.hpp"

namespace weir::admin {
namespace {

namespace json = boost::json;

constexpr std::uint64_t page_max = 500, page_default = 100;   // items of one answer

void reply_json(const call& c, const json::object& body) {
  c.reply({200, "application/json", to_text(body), {}});
}

void reply_text(const call& c, unsigned status, std::string text) {
  c.reply({status, "text/plain; charset=utf-8", std::move(text), {}});
}

// A non-negative number of the query; `otherwise` when it is absent, nothing when it is no number.
std::optional<std::uint64_t> query_number(const call& c, std::string_view key,
                                          std::uint64_t otherwise) {
  const std::string text = query_value(c.request.query, key);
  if (text.empty()) return otherwise;
  std::uint64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec != std::errc{} || end != text.data() + text.size()) return {};
  return n;
}

void reply_bad_number(const call& c, std::string_view key) {
  c.reply(make_problem(400, "bad-request", std::string(key) + ": expected a whole number"));
}

// The pools that ?pool= names, or all.
std::vector<std::string> pools_asked_for(const call& c) {
  std::string one = query_value(c.request.query, "pool");
  if (!one.empty()) return {std::move(one)};
  std::vector<std::string> all;
  for (const auto& p : c.back.pools()) all.push_back(p.name);
  return all;
}

json::object pool_json(const call& c, const core::pool_view& p) {
  json::object out = to_json(p);
  const auto scale = c.back.scale(p.name);
  if (!scale || !scale->enabled) return out;
  out["scale"] = to_json(*scale);
  json::array& hooks = out["hooks"].emplace_array();
  for (const auto& h : scale->hooks) hooks.push_back(to_json(h));
  return out;
}

json::array pools_json(const call& c) {
  json::array out;
  for (const auto& p : c.back.pools()) out.push_back(pool_json(c, p));
  return out;
}

void reply_workers(const call& c, const std::vector<std::string>& pools) {
  json::object body;
  json::array& rows = body["workers"].emplace_array();
  for (const auto& pool : pools) {
    const auto workers = c.back.workers(pool);
    if (!workers) return c.reply(to_response(workers.error()));
    for (const auto& w : *workers) rows.push_back(to_json(w, pool));
  }
  reply_json(c, body);
}

}  // namespace

void read_live(const call& c) { reply_text(c, 200, "ok\n"); }

void read_ready(const call& c) {
  const readiness r = c.back.ready();
  r.ok ? reply_text(c, 200, "ok\n") : reply_text(c, 503, r.reason + "\n");
}

void read_metrics(const call& c) {
  c.reply({200, "text/plain; version=0.0.4; charset=utf-8", c.back.metrics(), {}});
}

void read_page(const call& c) {
  c.reply({200, "text/html; charset=utf-8", std::string(page()),
           {{"Content-Security-Policy", page_policy()}, {"Referrer-Policy", "no-referrer"}}});
}

void read_index(const call& c) {
  json::object body;
  json::array& calls = body["calls"].emplace_array();
  for (const route& r : routes())
    calls.push_back(json::object{{"method", r.method}, {"path", r.pattern}});
  reply_json(c, body);
}

void read_status(const call& c) {
  json::object body = to_json(c.back.status(), c.back.ready());
  body["pools"] = pools_json(c);
  reply_json(c, body);
}

void read_pools(const call& c) { reply_json(c, {{"pools", pools_json(c)}}); }

void read_pool(const call& c) {
  for (const auto& p : c.back.pools())
    if (p.name == c.pool()) return reply_json(c, pool_json(c, p));
  c.reply(make_problem(404, "not-found", "no pool '" + c.pool() + "'"));
}

void read_workers(const call& c) { reply_workers(c, pools_asked_for(c)); }

void read_pool_workers(const call& c) { reply_workers(c, {c.pool()}); }

// One page over the queues of all pools asked for, one after the other.
void read_queue(const call& c) {
  const auto offset = query_number(c, "offset", 0);
  const auto asked = query_number(c, "limit", page_default);
  if (!offset) return reply_bad_number(c, "offset");
  if (!asked) return reply_bad_number(c, "limit");
  const std::uint64_t limit = std::min(*asked, page_max);
  json::object body;
  json::array& batches = body["batches"].emplace_array();
  std::uint64_t skip = *offset, total = 0;
  for (const auto& pool : pools_asked_for(c)) {
    const auto page = c.back.queue(pool, skip, limit - batches.size());
    if (!page) return c.reply(to_response(page.error()));
    for (const auto& item : page->items) batches.push_back(to_json(item, pool));
    total += page->total;
    skip -= std::min(skip, page->total);
  }
  body["total"] = total, body["offset"] = *offset, body["limit"] = limit;
  reply_json(c, body);
}

void read_explain(const call& c) {
  const std::string batch = query_value(c.request.query, "batch");
  if (batch.empty()) return c.reply(make_problem(400, "bad-request", "batch: expected its id"));
  const auto text = c.back.explain(batch);
  if (!text) return c.reply(to_response(text.error()));
  reply_json(c, {{"batch", batch}, {"text", *text}});
}

void read_config(const call& c) {
  c.reply({200, "application/json", c.back.config_json() + "\n", {}});
}

void read_events(const call& c) {
  const auto since = query_number(c, "since", 0);
  const auto asked = query_number(c, "limit", page_default);
  if (!since) return reply_bad_number(c, "since");
  if (!asked) return reply_bad_number(c, "limit");
  const event_page page = c.back.events(*since, std::min(*asked, page_max));
  json::object body;
  json::array& events = body["events"].emplace_array();
  for (const auto& e : page.items) events.push_back(to_json(e));
  body["next"] = page.next;
  reply_json(c, body);
}

void read_scale(const call& c) {
  const auto scale = c.back.scale(c.pool());
  if (!scale) return c.reply(to_response(scale.error()));
  reply_json(c, to_json(*scale));
}

}  // namespace weir::admin
