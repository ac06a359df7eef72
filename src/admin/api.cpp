#include "admin/api.hpp"

#include <algorithm>
#include <exception>
#include <optional>

#include "admin/calls.hpp"

namespace weir::admin {
namespace {

// The route table. GET routes answer HEAD too.
constexpr route table[] = {
    {"GET", "/livez", need::open, false, read_live},
    {"GET", "/readyz", need::open, false, read_ready},
    {"GET", "/metrics", need::open, false, read_metrics},
    {"GET", "/", need::open, false, read_page},
    {"GET", "/v1", need::read, false, read_index},
    {"GET", "/v1/status", need::read, false, read_status},
    {"GET", "/v1/pools", need::read, false, read_pools},
    {"GET", "/v1/pools/*", need::read, false, read_pool},
    {"GET", "/v1/workers", need::read, false, read_workers},
    {"GET", "/v1/queue", need::read, false, read_queue},
    {"GET", "/v1/explain", need::read, false, read_explain},
    {"GET", "/v1/config", need::read, false, read_config},
    {"GET", "/v1/events", need::read, false, read_events},
    {"GET", "/v1/pools/*/workers", need::read, false, read_pool_workers},
    {"GET", "/v1/pools/*/scale", need::read, false, read_scale},
    {"POST", "/v1/reload", need::change, false, reload},
    {"POST", "/v1/plan", need::change, false, plan},
    {"POST", "/v1/pools/*/workers", need::change, true, register_worker},
    {"PUT", "/v1/pools/*/workers/*/lease", need::lease, true, renew_lease},
    {"DELETE", "/v1/pools/*/workers/*", need::change, true, remove_worker},
    {"POST", "/v1/pools/*/workers/*/drain", need::change, false, drain_worker},
    {"POST", "/v1/pools/*/workers/*/undrain", need::change, false, undrain_worker},
    {"POST", "/v1/pools/*/pause", need::change, false, pause_pool},
    {"POST", "/v1/pools/*/resume", need::change, false, resume_pool},
    {"POST", "/v1/pools/*/scale/test", need::change, false, test_scale},
    {"GET", "/v1/batches", need::read, false, read_batches},
    {"POST", "/v1/batches/cancel", need::change, false, cancel_batches},
    {"POST", "/v1/batches/requeue", need::change, false, requeue_batches},
    {"POST", "/v1/batches/drop", need::change, false, drop_batches},
    {"GET", "/v1/batches/*", need::read, false, read_batch},
    {"POST", "/v1/batches/*/cancel", need::change, false, cancel_batch},
    {"POST", "/v1/batches/*/requeue", need::change, false, requeue_batch},
    {"POST", "/v1/batches/*/drop", need::change, false, drop_batch},
    {"POST", "/v1/backup", need::change, false, back_up},
};

// The names that the stars of `pattern` stand for; nothing when the path is another one.
std::optional<std::vector<std::string>> match(std::string_view pattern,
                                              const std::vector<std::string>& path) {
  std::vector<std::string> wanted, names;
  if (!split_path(pattern, wanted) || wanted.size() != path.size()) return {};
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (wanted[i] == "*" && !path[i].empty())
      names.push_back(path[i]);
    else if (wanted[i] != path[i])
      return {};
  }
  return names;
}

struct found {
  const route* to = nullptr;            // of the right method too
  std::vector<std::string> names;
  std::string allow;                    // methods that the path has; empty: no such path
};

void allow_method(std::string& list, std::string_view method) {
  list.append(list.empty() ? "" : ", ").append(method);
  if (method == "GET") list += ", HEAD";
}

found find_route(surface where, std::string_view method, const std::vector<std::string>& path) {
  found out;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const route& r : table) {
    if (where == surface::registration && !r.in_registration) continue;
    auto names = match(r.pattern, path);
    if (!names) continue;
    allow_method(out.allow, r.method);
    if (r.method == wanted) out.to = &r, out.names = std::move(*names);
  }
  return out;
}

api_response method_not_allowed(const std::string& allow) {
  api_response answer = make_problem(405, "method", "this path has " + allow);
  answer.fields.emplace_back("Allow", allow);
  return answer;
}

// A worker that leaves shows its lease's secret; an operator shows the server's token.
need needed_for(const route& r, surface where) {
  const bool leaves = where == surface::registration && r.method == "DELETE";
  return leaves ? need::lease : r.needed;
}

}  // namespace

std::span<const route> routes() { return table; }

api_response to_response(const failure& f) {
  switch (f.what) {
    case failure::kind::not_found: return make_problem(404, "not-found", f.detail, f.lines);
    case failure::kind::invalid: return make_problem(422, "invalid", f.detail, f.lines);
    case failure::kind::conflict: return make_problem(409, "conflict", f.detail, f.lines);
    case failure::kind::forbidden: return make_problem(403, "forbidden", f.detail, f.lines);
    case failure::kind::unavailable: return make_problem(503, "unavailable", f.detail, f.lines);
    case failure::kind::bad_gateway: return make_problem(502, "hook-failed", f.detail, f.lines);
  }
  return make_problem(500, "internal", f.detail, f.lines);
}

base::result<api> api::make(backend& b, const server_options& o) {
  auto guard = address_guard::make(o.allow);
  if (!guard) return guard.error();
  return api(b, o, std::move(*guard));
}

api::api(backend& b, const server_options& o, address_guard guard)
    : backend_(&b),
      surface_(o.surface),
      rules_{o.bind.unix_path.empty() ? o.bind.host : std::string(), o.token},
      guard_(std::move(guard)),
      ttl_max_(o.ttl_max) {}

bool api::permits_peer(std::string_view peer) const {
  return surface_ == surface::full || guard_.permits_peer(peer);
}

void api::handle(const api_request& request, replier reply) const {
  std::vector<std::string> path;
  if (!split_path(request.path, path))
    return reply(make_problem(400, "bad-request", "the path holds a broken percent escape"));
  found route = find_route(surface_, request.method, path);
  if (route.allow.empty())
    return reply(make_problem(404, "not-found", "no such path; GET /v1 of the admin API has all"));
  if (!route.to) return reply(method_not_allowed(route.allow));
  if (auto no = refuse(rules_, needed_for(*route.to, surface_), request)) return reply(*no);
  const bool registering = surface_ == surface::registration;
  route.to->run({*backend_, request, std::move(route.names),
                 {registering ? &guard_ : nullptr, ttl_max_}, registering, std::move(reply)});
}

}  // namespace weir::admin
