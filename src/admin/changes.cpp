// The changes that the admin API makes.
#include <boost/json.hpp>

#include "admin/calls.hpp"
#include "admin/json_views.hpp"

namespace weir::admin {
namespace {

namespace json = boost::json;

api_response json_response(unsigned status, const json::object& body) {
  return {status, "application/json", to_text(body), {}};
}

// Answers a call that is done with nothing more to say.
void reply_done(const call& c, const answer<void>& a, unsigned status = 200) {
  c.reply(a ? json_response(status, {{"ok", true}}) : to_response(a.error()));
}

// The backend's callback that answers with a report.
done<change_report> replies_report(const call& c) {
  return [reply = c.reply](answer<change_report> a) {
    reply(a ? json_response(200, to_json(*a)) : to_response(a.error()));
  };
}

// {"yaml": text, "file": name}; an empty body or object leaves them out.
answer<plan_request> read_plan(const std::string& body) {
  const failure wrong{
      failure::kind::invalid, R"(expected {"yaml": "the configuration", "file": "its name"} or {})",
      {}};
  if (body.find_first_not_of(" \t\r\n") == body.npos) return plan_request();
  json::error_code ec;
  const json::value parsed = json::parse(body, ec);
  if (ec || !parsed.is_object()) return wrong;
  plan_request out;
  for (const auto& [key, value] : parsed.get_object()) {
    if (!value.is_string() || (key != "yaml" && key != "file")) return wrong;
    if (key == "yaml") out.yaml = std::string(value.get_string());
    else out.file = std::string(value.get_string());
  }
  if (!out.yaml && !out.file.empty()) return wrong;
  return out;
}

}  // namespace

void reload(const call& c) { c.back.reload(replies_report(c)); }

void plan(const call& c) {
  auto wanted = read_plan(c.request.body);
  if (!wanted) return c.reply(to_response(wanted.error()));
  c.back.plan(std::move(*wanted), replies_report(c));
}

void register_worker(const call& c) {
  auto wanted = read_registration(c.request.body, c.pool(), c.request.peer, c.registration);
  if (!wanted) return c.reply(to_response(wanted.error()));
  wanted->through_registration = c.through_registration;
  const auto given = c.back.register_worker(*wanted);
  if (!given) return c.reply(to_response(given.error()));
  const std::string self = "/v1/pools/" + c.pool() + "/workers/" + wanted->id;
  api_response created = json_response(201, {{"pool", c.pool()},
                                             {"id", wanted->id},
                                             {"secret", given->secret},
                                             {"ttl_seconds", base::to_seconds(given->ttl)},
                                             {"renew", self + "/lease"}});
  created.fields.emplace_back("Location", self);
  c.reply(std::move(created));
}

void renew_lease(const call& c) {
  const auto renewed = c.back.renew_lease(c.pool(), c.worker(), c.request.bearer());
  if (!renewed) return c.reply(to_response(renewed.error()));
  c.reply(json_response(200, {{"ttl_seconds", base::to_seconds(renewed->ttl)}}));
}

void remove_worker(const call& c) {
  // 202: it drains first.
  reply_done(c,
             c.through_registration
                 ? c.back.end_lease(c.pool(), c.worker(), c.request.bearer())
                 : c.back.remove_worker(c.pool(), c.worker()),
             202);
}

void drain_worker(const call& c) { reply_done(c, c.back.drain(c.pool(), c.worker())); }
void undrain_worker(const call& c) { reply_done(c, c.back.undrain(c.pool(), c.worker())); }
void pause_pool(const call& c) { reply_done(c, c.back.pause(c.pool())); }
void resume_pool(const call& c) { reply_done(c, c.back.resume(c.pool())); }
void test_scale(const call& c) { c.back.test_scale(c.pool(), replies_report(c)); }

}  // namespace weir::admin
