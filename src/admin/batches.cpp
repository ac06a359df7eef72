// Asynchronous batches through the admin API: lists, dead letters, copies of the state.
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "admin/calls.hpp"
#include "admin/json_views.hpp"

namespace weir::admin {
namespace {

namespace json = boost::json;

constexpr std::uint64_t page_max = 500;

bool read_number(const std::string& text, auto& into) {
  if (text.empty()) return true;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), into);
  return ec == std::errc{} && end == text.data() + text.size();
}

// Nothing: the call was answered.
std::optional<batch_filter> read_filter(const call& c) {
  batch_filter f;
  f.state = query_value(c.request.query, "state");
  f.pool = query_value(c.request.query, "pool");
  f.tenant = query_value(c.request.query, "tenant");
  for (const char* key : {"after", "limit"}) {
    const std::string text = query_value(c.request.query, key);
    const bool good = *key == 'a' ? read_number(text, f.after) : read_number(text, f.limit);
    if (good) continue;
    c.reply(make_problem(400, "bad-request", std::string(key) + ": expected a whole number"));
    return std::nullopt;
  }
  f.limit = std::clamp<std::uint64_t>(f.limit, 1, page_max);
  return f;
}

done<std::string> replies_text(const call& c) {
  return [reply = c.reply](answer<std::string> a) {
    reply(a ? api_response{200, "application/json", std::move(*a), {}} : to_response(a.error()));
  };
}

done<change_report> replies_report(const call& c) {
  return [reply = c.reply](answer<change_report> a) {
    reply(a ? api_response{200, "application/json", to_text(to_json(*a)), {}}
            : to_response(a.error()));
  };
}

void change_one(const call& c, batch_change what) {
  c.back.change_batch(what, c.names.at(0), replies_report(c));
}

void change_all(const call& c, batch_change what) {
  auto filter = read_filter(c);
  if (filter) c.back.change_batches(what, std::move(*filter), replies_report(c));
}

}  // namespace

std::string_view name(batch_change c) noexcept {
  switch (c) {
    case batch_change::cancel: return "cancel";
    case batch_change::requeue: return "requeue";
    case batch_change::drop: return "drop";
  }
  return "";
}

void read_batches(const call& c) {
  auto filter = read_filter(c);
  if (filter) c.back.batches(std::move(*filter), replies_text(c));
}

void read_batch(const call& c) { c.back.batch(c.names.at(0), replies_text(c)); }

void cancel_batch(const call& c) { change_one(c, batch_change::cancel); }
void requeue_batch(const call& c) { change_one(c, batch_change::requeue); }
void drop_batch(const call& c) { change_one(c, batch_change::drop); }
void cancel_batches(const call& c) { change_all(c, batch_change::cancel); }
void requeue_batches(const call& c) { change_all(c, batch_change::requeue); }
void drop_batches(const call& c) { change_all(c, batch_change::drop); }

void back_up(const call& c) {
  json::error_code ec;
  const json::value body = json::parse(c.request.body, ec);
  const json::value* dir = !ec && body.is_object() ? body.get_object().if_contains("dir") : nullptr;
  if (!dir || !dir->is_string() || !dir->get_string().starts_with('/'))
    return c.reply(to_response({failure::kind::invalid,
                                R"(expected {"dir": "/an/absolute/path"}: a folder of the machine )"
                                "that weir runs on, missing or empty",
                                {}}));
  c.back.back_up(std::string(dir->get_string()), replies_report(c));
}

}  // namespace weir::admin
