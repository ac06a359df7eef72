#include "admin/print.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "admin/table.hpp"

namespace weir::admin {
namespace {

namespace json = boost::json;

// Reads what the API sent without ever throwing: what is missing is empty.
const json::value& at(const json::value& v, std::string_view key) {
  static const json::value nothing;
  const json::object* o = v.if_object();
  const json::value* member = o ? o->if_contains(key) : nullptr;
  return member ? *member : nothing;
}

std::string text(const json::value& v, std::string_view key) {
  const json::value& m = at(v, key);
  if (m.is_string()) return std::string(m.get_string());
  return m.is_null() ? "-" : json::serialize(m);
}

bool truth(const json::value& v, std::string_view key) {
  const bool* b = at(v, key).if_bool();
  return b && *b;
}

double number(const json::value& v, std::string_view key) {
  const json::value& m = at(v, key);
  return m.is_number() ? m.to_number<double>() : 0;
}

// A backlog that never drains is null.
std::string span(const json::value& v, std::string_view key) {
  return at(v, key).is_null() ? "never" : format_span(number(v, key));
}

const json::array& items(const json::value& v, std::string_view key) {
  static const json::array none;
  const json::array* a = at(v, key).if_array();
  return a ? *a : none;
}

std::string join(std::initializer_list<std::string> words) {
  std::string out;
  for (const auto& w : words)
    if (!w.empty()) out += (out.empty() ? "" : ", ") + w;
  return out;
}

std::string flag(const json::value& v, std::string_view key, std::string word) {
  return truth(v, key) ? std::move(word) : std::string();
}

template <class Print>
std::string with_parsed(std::string_view raw, Print print) {
  json::error_code ec;
  const json::value v = json::parse({raw.data(), raw.size()}, ec);
  return ec || !v.is_object() ? std::string(raw) : print(v);
}

std::string scaling_note(const json::value& pool) {
  const std::string why = text(pool, "scaling_holds");
  return why.empty() || why == "-" ? "" : "scaling holds: " + why;
}

std::vector<std::string> pool_row(const json::value& p) {
  const json::value& scale = at(p, "scale");
  return {text(p, "name"),
          text(p, "waiting"),
          text(p, "running"),
          text(p, "slots_busy") + "/" + text(p, "slots"),
          text(p, "workers_up") + "/" + text(p, "workers"),
          span(p, "waiting_cost"),
          span(p, "oldest_seconds"),
          number(p, "waiting") > 0 ? span(p, "drain_seconds") : "-",
          text(scale.is_null() ? p : scale, "desired"),
          join({flag(p, "paused", "paused"), flag(p, "outage", "shared outage"),
                flag(p, "closed", "closed"), scaling_note(p),
                number(p, "never_came") > 0 ? text(p, "never_came") + " never came" : ""})};
}

std::string pools_table(const json::value& v) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& p : items(v, "pools")) rows.push_back(pool_row(p));
  return format_table({{"POOL"}, {"WAITING", true}, {"RUNNING", true}, {"SLOTS", true},
                       {"WORKERS", true}, {"WORK", true}, {"OLDEST", true}, {"DRAINED IN", true},
                       {"WANTED", true}, {"NOTES"}},
                      std::move(rows));
}

std::string state_words(const json::value& v) {
  if (truth(v, "draining")) return "draining";
  return truth(v, "ready") ? "ready" : "not ready: " + text(v, "reason");
}

std::string head_lines(const json::value& v) {
  const json::value& config = at(v, "config");
  std::string out = printable(fmt::format(
      "weir {}, {}, up {}, {} threads, {} (generation {})", text(v, "version"), state_words(v),
      span(v, "uptime_seconds"), text(v, "threads"), text(config, "file"),
      text(config, "generation")));
  const bool* ok = at(config, "last_reload_ok").if_bool();
  if (ok && !*ok)
    out += "\n" + printable("last reload refused: " + text(config, "last_reload_error"));
  for (const auto& l : items(v, "listeners"))
    out += "\n" + printable(fmt::format("listener {} on {}{}, {} connections", text(l, "name"),
                                 text(l, "address"), truth(l, "tls") ? " (TLS)" : "",
                                 text(l, "connections")));
  return out + "\n\n";
}

std::vector<std::string> worker_row(const json::value& w) {
  const bool slow = number(w, "slots_open") < number(w, "slots");
  return {text(w, "pool") + "/" + text(w, "id"),
          text(w, "state"),
          span(w, "seconds_in_state"),
          text(w, "in_flight") + "/" + text(w, "slots") +
              (slow ? " (" + text(w, "slots_open") + " open)" : ""),
          fmt::format("{:.2f}", number(w, "rate")),
          text(w, "successes"),
          text(w, "failures"),
          text(w, "url"),
          join({flag(w, "backup", "backup"), flag(w, "managed", "managed"),
                flag(w, "registered", "lease " + span(w, "lease_seconds")),
                flag(w, "removing", "leaving")}),
          text(w, "reason")};
}

std::string utc_time(double unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string lines_of(const json::value& v) {
  std::string out;
  for (const auto& line : items(v, "lines"))
    if (line.is_string()) out += "  " + printable(line.get_string()) + "\n";
  return out;
}

std::string queue_table(const json::value& v) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& b : items(v, "batches"))
    rows.push_back({text(b, "batch"), text(b, "pool"), text(b, "tenant"), text(b, "route"),
                    span(b, "waited_seconds"), span(b, "cost"), text(b, "urgency"),
                    text(b, "attempt")});
  return format_table({{"BATCH"}, {"POOL"}, {"TENANT"}, {"ROUTE"}, {"WAITED", true},
                       {"COST", true}, {"URGENCY", true}, {"ATTEMPT", true}},
                      std::move(rows));
}

}  // namespace

std::string print_status(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) { return head_lines(v) + pools_table(v); });
}

std::string print_workers(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& w : items(v, "workers")) rows.push_back(worker_row(w));
    return format_table({{"WORKER"}, {"STATE"}, {"SINCE", true}, {"SLOTS", true}, {"RATE", true},
                         {"DONE", true}, {"FAILED", true}, {"URL"}, {"NOTES"}, {"REASON"}},
                        std::move(rows));
  });
}

std::string print_queue(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    const auto shown = items(v, "batches").size();
    return queue_table(v) + fmt::format("{} of {} waiting\n", shown, text(v, "total"));
  });
}

std::string print_explain(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    std::string out;
    std::string rest = text(v, "text");
    for (std::size_t end; (end = rest.find('\n')) != rest.npos; rest.erase(0, end + 1))
      out += printable(rest.substr(0, end)) + "\n";
    return rest.empty() ? out : out + printable(rest) + "\n";
  });
}

std::string print_events(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& e : items(v, "events"))
      rows.push_back({utc_time(number(e, "time_ms")), text(e, "pool"), text(e, "kind"),
                      text(e, "worker"), text(e, "text")});
    return format_table({{"TIME (UTC)"}, {"POOL"}, {"EVENT"}, {"WORKER"}, {"WHAT"}},
                        std::move(rows));
  });
}

std::string print_report(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    const std::string summary = at(v, "summary").is_null() ? "done" : text(v, "summary");
    return printable(summary) + "\n" + lines_of(v);
  });
}

std::string print_problem(unsigned status, std::string_view raw) {
  json::error_code ec;
  const json::value v = json::parse({raw.data(), raw.size()}, ec);
  if (ec || !v.is_object()) return fmt::format("{} {}\n", status, printable(raw));
  return printable(fmt::format("{} {}: {}", status, text(v, "title"), text(v, "detail"))) + "\n" +
         lines_of(v);
}

}  // namespace weir::admin
