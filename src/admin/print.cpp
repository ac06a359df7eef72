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

// "1 worker", "2 workers".
std::string counted(const std::string& n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == "1" ? "" : "s");
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines(1);
  for (const char c : text)
    if (c == '\n') lines.emplace_back();
    else lines.back() += c;
  return lines;
}

// The first line as it is, those after it on lines of their own, indented.
std::string indented(std::string_view what) {
  std::string out;
  for (const std::string& line : split_lines(what))
    out += (out.empty() ? "" : "\n  ") + printable(line);
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
  return truth(v, "ready") ? "ready" : "not ready (" + text(v, "reason") + ")";
}

std::string head_lines(const json::value& v) {
  const json::value& config = at(v, "config");
  std::string out = printable(fmt::format(
      "weir {}, {}, running for {}, {}, {} (generation {})", text(v, "version"), state_words(v),
      span(v, "uptime_seconds"), counted(text(v, "threads"), "thread"), text(config, "file"),
      text(config, "generation")));
  const bool* ok = at(config, "last_reload_ok").if_bool();
  if (ok && !*ok)
    out += "\n" + indented("last reload refused: " + text(config, "last_reload_error"));
  for (const auto& l : items(v, "listeners"))
    out += "\n" + printable(fmt::format("listener {} on {}{}, {}", text(l, "name"),
                                        text(l, "address"), truth(l, "tls") ? " (TLS)" : "",
                                        counted(text(l, "connections"), "connection")));
  return out + "\n\n";
}

// "failing for 12 s, 3 attempts: Connection refused".
std::string hook_words(const json::value& h) {
  const std::string state = text(h, "state"), since = span(h, "seconds"), why = text(h, "detail");
  if (state == "failing")
    return fmt::format("failing for {}, {}: {}", since, counted(text(h, "failures"), "attempt"),
                       why);
  if (state == "delivering") return fmt::format("delivering for {}, last: {}", since, why);
  if (state == "stopped") return fmt::format("stopped {} ago: {}", since, why);
  return "nothing sent yet";
}

std::string hook_lines(const json::value& v) {
  std::string out;
  for (const auto& p : items(v, "pools"))
    for (const auto& h : items(p, "hooks"))
      out += printable(fmt::format("hook of {}: {}, {}", text(p, "name"), text(h, "hook"),
                                   hook_words(h))) +
             "\n";
  return out.empty() ? out : "\n" + out;
}

// Fewer than declared: for good until something changes, and by pools.NAME.slow_start.
std::string slots_note(const json::value& w) {
  const double lasting = number(w, "slots_lasting");
  if (lasting <= 0 || lasting >= number(w, "slots")) return {};
  return "uses " + text(w, "slots_lasting") + " of " + text(w, "slots") + " slots";
}

std::string load_note(const json::value& w) {
  const double load = number(w, "reported_load");
  return load > 0 ? fmt::format("reports load {:.0f}%", 100 * load) : "";
}

std::string slow_start_note(const json::value& w) {
  if (text(w, "state") != "up" && text(w, "state") != "saturated") return {};
  const double lasting = number(w, "slots_lasting");
  if (number(w, "slots_open") >= (lasting > 0 ? lasting : number(w, "slots"))) return {};
  return "slow start: " + text(w, "slots_open") + " of " + text(w, "slots") + " slots open";
}

std::vector<std::string> worker_row(const json::value& w) {
  return {text(w, "pool") + "/" + text(w, "id"),
          text(w, "state"),
          span(w, "seconds_in_state"),
          text(w, "in_flight") + "/" + text(w, "slots"),
          fmt::format("{:.2f}", number(w, "rate")),
          text(w, "successes"),
          text(w, "failures"),
          text(w, "url"),
          join({flag(w, "backup", "backup"), flag(w, "managed", "managed"),
                flag(w, "registered", "lease " + span(w, "lease_seconds")),
                flag(w, "removing", "leaving"), slow_start_note(w), slots_note(w),
                load_note(w)}),
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

// A table whose rows have lines of their own below them, such as the mistakes of a file.
std::string with_further_lines(std::string_view table,
                               const std::vector<std::vector<std::string>>& further) {
  std::string out;
  const auto rows = split_lines(table);
  for (std::size_t i = 0; i < further.size(); ++i) {
    out += rows.at(i) + "\n";
    for (const std::string& line : further[i]) out += "    " + printable(line) + "\n";
  }
  return out;
}

// A place among several tenants is an estimate.
std::string place_words(const json::value& b) {
  return (truth(b, "position_exact") ? "" : "about ") + text(b, "position");
}

std::string start_words(const json::value& b) {
  return at(b, "eta_seconds").is_null() ? "not in time" : "about " + span(b, "eta_seconds");
}

std::string queue_table(const json::value& v) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& b : items(v, "batches"))
    rows.push_back({text(b, "batch"), text(b, "pool"), text(b, "tenant"), text(b, "route"),
                    place_words(b), start_words(b), span(b, "waited_seconds"), span(b, "cost"),
                    text(b, "urgency"), text(b, "attempt")});
  return format_table({{"BATCH"}, {"POOL"}, {"TENANT"}, {"ROUTE"}, {"AHEAD", true},
                       {"STARTS IN", true}, {"WAITED", true}, {"COST", true}, {"URGENCY", true},
                       {"ATTEMPT", true}},
                      std::move(rows));
}

}  // namespace

std::string print_status(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    return head_lines(v) + pools_table(v) + hook_lines(v);
  });
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

std::string print_batches(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& b : items(v, "batches"))
      rows.push_back({text(b, "id"), text(b, "state"), text(b, "pool"), text(b, "tenant"),
                      text(b, "attempts"), text(b, "body_bytes"),
                      utc_time(number(b, "created_unix_ms")),
                      utc_time(number(b, "changed_unix_ms"))});
    const bool more = !at(v, "next").is_null();
    return format_table({{"BATCH"}, {"STATE"}, {"POOL"}, {"TENANT"}, {"ATTEMPTS", true},
                         {"BYTES", true}, {"TAKEN (UTC)"}, {"SINCE (UTC)"}},
                        std::move(rows)) +
           (more ? "there are more; --limit, --state, --pool and --tenant choose\n" : "");
  });
}

std::string print_batch(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    std::string out =
        printable(fmt::format("{} is {} since {} UTC", text(v, "id"), text(v, "state"),
                              utc_time(number(v, "changed_unix_ms")))) +
        "\n";
    out += printable(fmt::format("{} {}, {} bytes, pool {}, route {}, tenant {}", text(v, "method"),
                                 text(v, "target"), text(v, "body_bytes"), text(v, "pool"),
                                 text(v, "route"), text(v, "tenant"))) +
           "\n";
    if (!at(v, "position").is_null())
      out += printable(fmt::format("about {} batches are before it, it starts in {}",
                                   text(v, "position"), start_words(v))) +
             "\n";
    std::vector<std::vector<std::string>> rows;
    for (const auto& h : items(v, "history")) {
      const bool ended = !at(h, "ended_unix_ms").is_null();
      rows.push_back({text(h, "attempt"), text(h, "worker"), utc_time(number(h, "began_unix_ms")),
                      ended ? utc_time(number(h, "ended_unix_ms")) : "-",
                      ended ? text(h, "outcome") : "runs", text(h, "detail")});
    }
    return out + format_table({{"ATTEMPT", true}, {"WORKER"}, {"BEGAN (UTC)"}, {"ENDED (UTC)"},
                               {"OUTCOME"}, {"DETAIL"}},
                              std::move(rows));
  });
}

std::string print_explain(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    std::string out;
    auto lines = split_lines(text(v, "text"));
    if (lines.back().empty()) lines.pop_back();
    for (const std::string& line : lines) out += printable(line) + "\n";
    return out;
  });
}

std::string print_events(std::string_view raw) {
  return with_parsed(raw, [](const json::value& v) {
    std::vector<std::vector<std::string>> rows;
    std::vector<std::vector<std::string>> further{{}};   // lines below a row; the heads have none
    for (const auto& e : items(v, "events")) {
      auto& what = further.emplace_back(split_lines(text(e, "text")));
      rows.push_back({utc_time(number(e, "time_ms")), text(e, "pool"), text(e, "kind"),
                      text(e, "worker"), what.front()});
      what.erase(what.begin());
    }
    return with_further_lines(
        format_table({{"TIME (UTC)"}, {"POOL"}, {"EVENT"}, {"WORKER"}, {"WHAT"}}, std::move(rows)),
        further);
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
