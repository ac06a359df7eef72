#include "proxy/intake.hpp"

#include <algorithm>
#include <optional>

#include "config/addresses.hpp"
#include "http/structured.hpp"
#include "proxy/affinity.hpp"
#include "proxy/session.hpp"
#include "proxy/tenants.hpp"

namespace weir::proxy {
namespace {

using http::field_name;

bool refuse(intake& read, fault why, std::string detail) {
  read.bad = why;
  read.detail = std::move(detail);
  return false;
}

bool find_route(exchange& x, intake& read) {
  const auto field = [&](std::string_view name,
                         std::size_t nth) -> std::optional<std::string_view> {
    for (const http::field& f : x.head.fields)
      if (http::iequals(f.name, name) && nth-- == 0) return f.value;
    return std::nullopt;
  };
  const core::route_request asked{x.head.authority, x.head.path, x.head.method, field};
  const auto found = x.plan->router.find(asked, x.in.scratch);
  if (!found)
    return refuse(read, fault::no_route,
                  "no route takes this host, path, method and header fields; see `routes` in the "
                  "configuration");
  x.route = &x.plan->routes[*found];
  return true;
}

bool take_body(exchange& x, intake& read) {
  const config::route& r = x.route_settings();
  x.upload.taken_max = r.body_max;
  if (x.head.body != http::body_kind::length || x.head.content_length <= r.body_max) return true;
  x.plan->hits.body->add(x.in.shard);
  return refuse(read, fault::body_too_large,
                "Content-Length is over the route's body_max of " + std::to_string(r.body_max) +
                    " bytes; send it in smaller batches");
}

// Which of two would hold cannot be told.
bool repeated(const exchange& x, field_name name) {
  return std::ranges::count(x.head.fields, name, &http::field::known) > 1;
}

bool take_key(exchange& x, intake& read) {
  const http::field* key = x.head.find(field_name::idempotency_key);
  if (!key) return true;
  const auto text = http::parse_idempotency_key(key->value);
  x.has_key = text && !repeated(x, field_name::idempotency_key);
  if (x.has_key) read.key.assign(*text);
  return x.has_key || refuse(read, fault::bad_field,
                             "Idempotency-Key: expected it once, as a string of 1 to 255 visible "
                             "ASCII characters, quoted or bare");
}

bool take_deadline(exchange& x, intake& read) {
  const http::field* f = x.head.find(field_name::weir_deadline);
  if (!f) return true;
  const auto left = http::parse_deadline(f->value, x.began_unix_ms);
  if (!left || repeated(x, field_name::weir_deadline))
    return refuse(read, fault::bad_field,
                  "Weir-Deadline: expected it once, as seconds from now such as 30 or 2.5, or as "
                  "an HTTP or RFC 3339 date");
  read.deadline = base::after(x.in.loop.now(), *left);
  return true;
}

bool take_cost(exchange& x, intake& read) {
  const config::cost_source& c = x.route_settings().cost;
  if (c.kind == config::cost_kind::fixed) read.units = c.fixed;
  if (c.kind == config::cost_kind::bytes && x.head.body == http::body_kind::length)
    read.units = static_cast<double>(x.head.content_length);
  if (c.kind != config::cost_kind::header) return true;
  const http::field* f = x.head.find(std::string_view(c.header));
  if (!f) return true;
  const auto units = http::parse_number(f->value);
  if (!units)
    return refuse(read, fault::bad_field,
                  c.header + ": expected a number of at least 0, it is the batch's cost");
  read.units = *units;
  return true;
}

void take_tenant(exchange& x, intake& read) {
  const std::string& name = x.route_settings().tenant_header;
  if (name.empty()) return;
  if (const http::field* f = x.head.find(std::string_view(name))) x.tenant.assign(f->value);
  read.tenant_hash = tenant_hash(x.tenant, x.in.seed);
}

// What belongs together within its tenant.
void take_group(exchange& x, intake& read) {
  const http::field* f = x.head.find(field_name::weir_group);
  if (!f) return;
  x.group.assign(f->value);
  read.group = tenant_hash(f->value, x.in.seed);
}

// RFC 9218 §4: what does not parse is ignored.
void take_priority(exchange& x, intake& read) {
  const http::field* f = x.head.find(field_name::priority);
  if (!f) return;
  if (const auto p = http::parse_priority(f->value)) read.urgency = p->urgency;
}

// RFC 7240 §2: preferences may stand in several fields, and what cannot be honoured is ignored.
void take_preference(exchange& x, intake& read) {
  if (!x.plan->durable || x.route_settings().async == config::async_mode::never) return;
  read.later = x.route_settings().async == config::async_mode::always;
  for (const http::field& f : x.head.fields) {
    if (f.known != field_name::prefer) continue;
    const http::prefer p = http::parse_prefer(f.value);
    x.prefers_async = x.prefers_async || p.respond_async;
    if (p.wait_seconds) read.wait = std::chrono::seconds(*p.wait_seconds);
  }
  read.later = read.later || x.prefers_async;
}

// RFC 9110 §5.3: which of two would hold cannot be told.
bool take_callback(exchange& x, intake& read) {
  const http::field* f = read.later ? x.head.find(std::string_view("Weir-Callback")) : nullptr;
  if (!f) return true;
  const bool twice = std::ranges::count_if(x.head.fields, [&](const http::field& o) {
                       return http::iequals(o.name, f->name);
                     }) > 1;
  if (twice || !config::has_origin(f->value, x.route_settings().callback.allow))
    return refuse(read, fault::bad_field,
                  "Weir-Callback: expected it once, a URL with one of the origins that the route's "
                  "callback.allow lists");
  read.callback.assign(f->value);
  return true;
}

void take_framing(exchange& x) {
  x.keep_alive = x.head.keep_alive;
  x.upload.from = x.client;
  x.upload.kind = x.head.body;
  x.upload.left = x.head.content_length;
  x.upload.finished = x.head.body == http::body_kind::none;
  x.upload.buffered = x.input.view();
  x.upload.chunks = http::chunk_decoder({x.plan->limits.chunk_line_bytes_max,
                                         x.plan->limits.trailer_bytes_max});
}

void take_line(exchange& x) {
  x.method.assign(x.head.method);
  x.target.assign(x.head.target);
  x.host.assign(x.head.authority);
  x.idempotent = x.head.idempotent;
  x.is_head = x.head.is_head;
  x.expects_continue = x.head.expect_continue;
  x.client_minor_zero = x.head.version_minor == 0;
  x.id = x.in.random_id();
}

}  // namespace

void write_forwarded_head(exchange& x, std::string_view host) {
  char trace[] = "00-00000000000000000000000000000000-0000000000000000-01";
  std::copy(x.id.begin(), x.id.end(), trace + 3);
  std::copy_n(x.id.begin() + 8, 16, trace + 36);
  http::forward_request f;
  f.head = &x.head;
  f.strip_prefix = x.route_settings().rewrite.strip_prefix;
  f.host = host;
  f.changes = &x.route->request_edits;
  f.client_address = x.owner->peer();
  f.client_tls = x.client->is_tls();
  f.client_trusted = x.owner->peer_trusted();
  f.batch_id = x.batch_id();
  char own_key[34] = {'"'};
  std::copy(x.id.begin(), x.id.end(), own_key + 1);
  own_key[33] = '"';
  if (x.needs_key) f.idempotency_key = {own_key, sizeof own_key};
  f.traceparent = {trace, sizeof trace - 1};
  x.request_head.clear();
  http::write_request_head(f, x.request_head);
}

void take_own(exchange& x) {
  constexpr std::uint64_t body_max = 64 * 1024;   // nothing there takes one
  take_line(x);
  take_framing(x);
  x.upload.taken_max = body_max;
}

bool take_in(exchange& x, intake& read) {
  take_line(x);
  take_framing(x);
  const bool good = find_route(x, read) && take_body(x, read) && take_key(x, read) &&
                    take_deadline(x, read) && take_cost(x, read);
  if (!good) return false;
  x.cost = read.units;
  take_tenant(x, read);
  take_group(x, read);
  read.affinity = affinity_of(x.route_settings().affinity, x.head, read.tenant_hash, x.in.seed);
  take_priority(x, read);
  take_preference(x, read);
  if (!take_callback(x, read)) return false;
  if (read.later) return true;   // its head waits for the body's size
  if (x.route_settings().rewrite.preserve_host) write_forwarded_head(x, {});
  return true;
}

}  // namespace weir::proxy
