#include "probe/check.hpp"

#include <algorithm>

#include "http/head.hpp"
#include "http/load_report.hpp"

namespace weir::probe {
namespace {

using net::fetch_failure;

bool good_status(const target& t, unsigned status) {
  if (t.statuses.empty()) return status >= 200 && status <= 399;
  return std::find(t.statuses.begin(), t.statuses.end(), status) != t.statuses.end();
}

std::string expected(const target& t) {
  if (t.statuses.empty()) return "200-399";
  std::string list;
  for (const auto status : t.statuses) list += (list.empty() ? "" : ", ") + std::to_string(status);
  return list;
}

// A field that comes in several lines is one list (RFC 9110 §5.3).
agent_report agent_of(const net::fetch_result& answer) {
  std::string text;
  for (const auto& [field, value] : answer.fields) {
    if (http::iequals(field, "Weir-Agent")) text += (text.empty() ? "" : ", ") + value;
  }
  return parse_agent(text);
}

result why(fetch_failure f) {
  switch (f) {
    case fetch_failure::connect:
      return result::connect;
    case fetch_failure::exhausted:
      return result::not_sent;
    case fetch_failure::tls:
      return result::tls;
    case fetch_failure::timed_out:
      return result::timed_out;
    default:
      return result::broken;
  }
}

// A body that is larger than anybody cares for makes no worker ill.
bool answered(const net::fetch_result& answer) {
  return answer.failure == fetch_failure::none || answer.failure == fetch_failure::too_large;
}

void hear_load(outcome& found, const net::fetch_result& answer) {
  for (const auto& [field, value] : answer.fields) {
    if (!http::iequals(field, "endpoint-load-metrics")) continue;
    const http::load_report said = http::parse_load_report(value);
    found.load = said.utilization;
    found.bad_load = said.bad;
    return;
  }
}

std::string described(std::string_view what, const agent_report& said) {
  return std::string(what) + (said.description.empty() ? "" : ": " + said.description);
}

outcome judge_status(const target& t, const net::fetch_result& answer) {
  const std::string said = "GET " + t.path + ": " + std::to_string(answer.status);
  outcome found{result::good, said, agent_of(answer)};
  hear_load(found, answer);
  if (!good_status(t, answer.status)) {
    found.what = result::bad_status;
    found.detail += ", expected " + expected(t);
  } else if (found.agent.state == agent_report::health::down) {
    found.what = result::said_down;
    found.detail += described(", but the worker says that it is down", found.agent);
  }
  return found;
}

}  // namespace

std::string_view name(result r) noexcept {
  switch (r) {
    case result::good:
      return "good";
    case result::bad_status:
      return "bad_status";
    case result::said_down:
      return "said_down";
    case result::connect:
      return "connect";
    case result::tls:
      return "tls";
    case result::timed_out:
      return "timed_out";
    case result::broken:
      return "broken";
    case result::not_sent:
      return "not_sent";
  }
  return "";
}

core::worker_word word_of(const outcome& o) {
  using duty = agent_report::duty;
  core::worker_word w;
  if (o.agent.wish == duty::ready) w.wish = core::worker_word::duty::ready;
  if (o.agent.wish == duty::drain || o.agent.wish == duty::maintain) {
    w.wish = core::worker_word::duty::drain;
    w.why = described("the worker asks for it", o.agent);
  }
  w.slots = o.agent.maxconn;
  if (o.agent.percent) w.share = *o.agent.percent / 100.0;
  w.load = o.load;
  return w;
}

net::fetch_request make_request(const target& t) {
  return {
      "GET", t.path, t.host, {{"User-Agent", "weir-probe/" WEIR_VERSION}, {"Accept", "*/*"}}, {}};
}

outcome judge(const target& t, const net::fetch_result& answer) {
  if (!answered(answer)) return {why(answer.failure), answer.error, agent_of(answer)};
  if (t.kind == core::probe_kind::http) return judge_status(t, answer);
  return {result::good, t.peer.tls ? "TLS connection made" : "connection made", {}};
}

}  // namespace weir::probe
