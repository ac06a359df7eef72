#include "admin/access.hpp"

#include "admin/guard.hpp"
#include "http/head.hpp"

namespace weir::admin {
namespace {

bool is_json(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
  return http::iequals(type, "application/json");
}

api_response unauthorized(std::string_view detail) {
  api_response answer = make_problem(401, "unauthorized", detail);
  answer.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"weir\"");
  return answer;
}

bool reached_locally(const access_rules& rules) {
  return rules.bound_host.empty() || is_loopback(rules.bound_host);
}

// Over a unix socket Host says nothing: no page gets there.
std::optional<api_response> refuse_host(const access_rules& rules, const api_request& request) {
  if (rules.bound_host.empty() || is_own_host(request.host, rules.bound_host)) return {};
  return make_problem(403, "foreign-host",
                      "Host is not an address of this server; use its address, or set a token");
}

std::optional<api_response> refuse_token(const access_rules& rules, const api_request& request) {
  if (equal_secret(request.bearer(), rules.token)) return {};
  return unauthorized(request.authorization.empty()
                          ? "send the token as Authorization: Bearer TOKEN"
                          : "the token is not the one of this server");
}

std::optional<api_response> refuse_caller(const access_rules& rules, const api_request& request) {
  return rules.token.empty() ? refuse_host(rules, request) : refuse_token(rules, request);
}

// On this machine a token guards changes alone.
std::optional<api_response> refuse_reader(const access_rules& rules, const api_request& request) {
  auto no = refuse_caller(rules, request);
  return no && reached_locally(rules) ? refuse_host(rules, request) : no;
}

std::optional<api_response> refuse_origin(const api_request& request) {
  if (request.origin.empty() || is_same_origin(request.origin, request.host)) return {};
  return make_problem(403, "foreign-origin", "Origin is another site than Host");
}

// A page of another site can send a POST without asking first only when it is not JSON.
std::optional<api_response> refuse_type(const api_request& request) {
  const bool needed = request.method == "POST" || !request.body.empty();
  if (!needed || is_json(request.content_type)) return {};
  return make_problem(415, "not-json", "send Content-Type: application/json, without a body too");
}

}  // namespace

std::optional<api_response> refuse(const access_rules& rules, need needed,
                                   const api_request& request) {
  switch (needed) {
    case need::open: return {};
    case need::read: return refuse_reader(rules, request);
    case need::lease:
      if (request.bearer().empty())
        return unauthorized("send the lease's secret as Authorization: Bearer SECRET");
      break;
    case need::change:
      if (auto no = refuse_caller(rules, request)) return no;
      break;
  }
  if (auto no = refuse_origin(request)) return no;
  return refuse_type(request);
}

}  // namespace weir::admin
