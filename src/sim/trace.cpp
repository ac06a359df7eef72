#include "sim/trace.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

namespace weir::sim {
namespace {

// --- text ---------------------------------------------------------------------------------------

// Calls take(line, number from 1) for each line that is not empty.
template <class Take>
void each_line(std::string_view text, Take take) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) take(line, number);
  }
}

// One field, and moves past its separator. Two quotes in quotes are one.
std::string cut_field(std::string_view& line, char separator, bool& more) {
  std::string field;
  bool quoted = false;
  std::size_t i = 0;
  for (; i < line.size() && (quoted || line[i] != separator); ++i) {
    if (line[i] != '"') {
      field += line[i];
    } else if (quoted && i + 1 < line.size() && line[i + 1] == '"') {
      field += line[++i];
    } else {
      quoted = !quoted;
    }
  }
  more = i < line.size();
  line.remove_prefix(std::min(i + 1, line.size()));
  return field;
}

void split(std::string_view line, char separator, std::vector<std::string>& fields) {
  fields.clear();
  for (bool more = true; more;) fields.push_back(cut_field(line, separator, more));
}

std::optional<double> number(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

// As much of a field as helps to find it.
std::string shown(const std::string& field) {
  constexpr std::size_t most = 40;
  return field.size() <= most ? "`" + field + "`" : "`" + field.substr(0, most) + "...`";
}

// --- dates --------------------------------------------------------------------------------------

// The digits at text[from .. from + size), or -1.
int digits(std::string_view text, std::size_t from, std::size_t size) {
  if (from + size > text.size()) return -1;
  int value = 0;
  for (char c : text.substr(from, size)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Minutes of "Z", "+hh:mm", "-hh:mm" or nothing.
std::optional<int> zone_minutes(std::string_view zone) {
  if (zone.empty() || zone == "Z" || zone == "z") return 0;
  const int hours = digits(zone, 1, 2), minutes = digits(zone, 4, 2);
  const bool clock = hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
  const bool good = zone.size() == 6 && zone[3] == ':' && clock;
  if (!good || (zone[0] != '+' && zone[0] != '-')) return {};
  return (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

// Nanoseconds since 1970, so that the difference of two keeps every digit. RFC 3339, section 5.6.
std::optional<std::int64_t> date(std::string_view text) {
  using namespace std::chrono;
  constexpr std::size_t whole = 19;  // "2026-01-31T23:59:59"
  if (text.size() < whole) return {};
  const year_month_day day{year{digits(text, 0, 4)},
                           month{static_cast<unsigned>(digits(text, 5, 2))},
                           std::chrono::day{static_cast<unsigned>(digits(text, 8, 2))}};
  const int h = digits(text, 11, 2), m = digits(text, 14, 2), s = digits(text, 17, 2);
  const bool marks = text[4] == '-' && text[7] == '-' && (text[10] == 'T' || text[10] == ' ') &&
                     text[13] == ':' && text[16] == ':';
  // In nanoseconds 64 bits hold 292 years.
  const bool countable = day.year() >= year{1970} && day.year() <= year{2200};
  const bool clock = h >= 0 && h <= 23 && m >= 0 && m <= 59 && s >= 0 && s <= 60;
  if (!marks || !countable || !day.ok() || !clock) return {};
  std::int64_t ns = 0;
  std::size_t i = whole;
  if (i < text.size() && text[i] == '.') {
    std::int64_t unit = 100'000'000;
    for (++i; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, unit /= 10)
      ns += (text[i] - '0') * unit;
  }
  const std::optional<int> zone = zone_minutes(text.substr(i));
  if (!zone) return {};
  const auto t = sys_days{day} + hours{h} + minutes{m - *zone} + seconds{s};
  return duration_cast<nanoseconds>(t.time_since_epoch()).count() + ns;
}

// --- what both kinds of file need ---------------------------------------------------------------

class names {
 public:
  explicit names(std::vector<std::string>& list) : list_(list) {
    for (std::uint32_t i = 0; i < list.size(); ++i) known_.emplace(list[i], i);
  }
  std::uint32_t number_of(const std::string& name) {
    const auto [at, fresh] = known_.emplace(name, static_cast<std::uint32_t>(list_.size()));
    if (fresh) list_.push_back(name);
    return at->second;
  }

 private:
  std::vector<std::string>& list_;
  std::map<std::string, std::uint32_t> known_;
};

void fail(trace& t, std::size_t line, std::string what) {
  if (t.errors.size() < trace::errors_max) t.errors.push_back({line, std::move(what)});
}

void put_in_order(std::vector<arrival>& all) {
  std::ranges::stable_sort(all, {}, &arrival::at);
}

void shift_to_zero(std::vector<arrival>& all) {
  if (all.empty()) return;
  const double first = std::ranges::min_element(all, {}, &arrival::at)->at;
  for (arrival& a : all) a.at -= first;
}

// Seconds since 1970, taken for seconds from the start, would be half a century of virtual time.
void check_length(trace& t) {
  constexpr double days_max = 366, day = 86400;
  const bool fits = std::ranges::all_of(
      t.load.arrivals, [](const arrival& a) { return a.at <= days_max * day; });
  if (fits) return;
  fail(t, 0,
       "its last batch comes later than 366 days after the start, expected at most that; with "
       "`from_first: true` the first one comes at 0");
}

// --- tables -------------------------------------------------------------------------------------

class table_reader {
 public:
  table_reader(trace& out, const trace_format& format) : out_(out), format_(format) {}

  // Finds the columns, in `header` or by number alone. False: one is missing.
  bool prepare(const std::vector<std::string>& header, std::size_t line) {
    bad_ = false;
    time_ = column(format_.time, header, line);
    for (const trace_term& t : format_.work) work_.push_back(column(t.column, header, line));
    for (const trace_term& t : format_.units) units_.push_back(column(t.column, header, line));
    if (!format_.tenant.empty()) tenant_ = column(format_.tenant, header, line);
    if (!format_.route.empty()) route_ = column(format_.route, header, line);
    return !bad_;
  }

  void row(const std::vector<std::string>& fields, std::size_t line) {
    bad_ = false;
    arrival a;
    a.at = time(text(fields, time_, line), line);
    a.work = format_.work_constant + sum(format_.work, work_, fields, line);
    if (a.work < 0 && format_.work_min <= 0) complain(line, "its work is below 0");
    a.work = std::clamp(a.work, format_.work_min, format_.work_max);
    a.units = sum(format_.units, units_, fields, line);
    if (tenant_ != none) a.tenant = tenants_.number_of(text(fields, tenant_, line));
    if (route_ != none) a.route = routes_.number_of(text(fields, route_, line));
    if (!bad_) out_.load.arrivals.push_back(a);
  }

  bool dated() const noexcept { return dated_; }

 private:
  static constexpr std::size_t none = ~std::size_t{0};

  void complain(std::size_t line, std::string what) {
    if (!std::exchange(bad_, true)) fail(out_, line, std::move(what));
  }
  std::size_t column(const std::string& name, const std::vector<std::string>& header,
                     std::size_t line) {
    const auto at = std::ranges::find(header, name);
    if (at != header.end()) return static_cast<std::size_t>(at - header.begin());
    const double n = number(name).value_or(0);
    if (n >= 1 && n <= 10000 && n == std::floor(n)) return static_cast<std::size_t>(n) - 1;
    std::string known;
    for (const std::string& h : header) known += (known.empty() ? "" : ", ") + h;
    complain(line, "no column `" + name + "`, expected " +
                       (known.empty() ? "a number from 1" : "one of " + known));
    return none;
  }
  const std::string& text(const std::vector<std::string>& fields, std::size_t i, std::size_t line) {
    static const std::string nothing;
    if (i < fields.size()) return fields[i];
    complain(line, "has " + std::to_string(fields.size()) + " columns, expected at least " +
                       std::to_string(i + 1));
    return nothing;
  }
  double time(const std::string& text, std::size_t line) {
    if (const auto n = number(text)) return *n;
    const auto d = date(text);
    if (!d) complain(line, shown(text) + " is no time, expected seconds or a date and time");
    if (!d) return 0;
    if (!std::exchange(dated_, true)) first_ = *d;
    return static_cast<double>(*d - first_) * 1e-9;
  }
  double sum(const std::vector<trace_term>& terms, const std::vector<std::size_t>& columns,
             const std::vector<std::string>& fields, std::size_t line) {
    double total = 0;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const std::string& t = text(fields, columns[i], line);
      const auto n = number(t);
      if (!n) complain(line, shown(t) + " is no number");
      total += terms[i].factor * n.value_or(0);
    }
    return total;
  }

  trace& out_;
  const trace_format& format_;
  names tenants_{out_.load.tenants}, routes_{out_.load.routes};
  std::size_t time_ = none, tenant_ = none, route_ = none;
  std::vector<std::size_t> work_, units_;
  bool bad_ = false;  // this row, or the header
  bool dated_ = false;
  std::int64_t first_ = 0;
};

// --- the access log -----------------------------------------------------------------------------

// Of outcomes with which a worker finished its batch.
bool finished(const boost::json::object& o) {
  const boost::json::value* v = o.if_contains("outcome");
  return v && v->is_string() && v->get_string() == "ok" && o.contains("worker");
}

std::string word(const boost::json::object& o, std::string_view key) {
  const boost::json::value* v = o.if_contains(key);
  return v && v->is_string() ? std::string(v->get_string()) : std::string();
}

double amount(const boost::json::object& o, std::string_view key) {
  const boost::json::value* v = o.if_contains(key);
  return v && v->is_number() ? v->to_number<double>() : 0;
}

class log_reader {
 public:
  log_reader(trace& out, std::string_view pool) : out_(out), pool_(pool) {}

  void line(std::string_view text, std::size_t number) {
    boost::system::error_code error;
    const boost::json::value v = boost::json::parse(text, error);
    if (error || !v.is_object()) return fail(out_, number, "is no JSON object");
    const boost::json::object& o = v.get_object();
    if (const std::string pool = word(o, "pool"); !pool.empty()) pools_.number_of(pool);
    if (!pool_.empty() && word(o, "pool") != pool_) return void(++out_.skipped);
    if (!finished(o)) return void(++out_.skipped);
    const auto when = date(word(o, "time"));
    if (!when) return fail(out_, number, "has no `time` that is a date and time");
    if (first_ < 0) first_ = *when;
    const double accept = amount(o, "accept_ms"), total = amount(o, "total_ms");
    arrival a;
    a.at = static_cast<double>(*when - first_) * 1e-9 + accept * 1e-3;
    const boost::json::value* attempt = o.if_contains("attempt_ms");
    if (!attempt && !o.contains("total_ms"))
      return fail(out_, number, "has neither `attempt_ms` nor `total_ms`");
    a.work = attempt ? amount(o, "attempt_ms") * 1e-3
                     : std::max(0.0, total - accept - amount(o, "queue_ms")) * 1e-3;
    const bool measured = !attempt || attempt->is_number();
    if (!measured || !(a.work >= 0 && a.work <= work_max))
      return fail(out_, number, attempt ? "its `attempt_ms` is not within 0 and 10 days"
                                        : "its `total_ms` is not within 0 and 10 days");
    a.units = std::max(0.0, amount(o, "cost"));
    if (const std::string group = word(o, "group"); !group.empty())
      a.group = groups_.number_of(group);
    a.tenant = tenants_.number_of(word(o, "tenant"));
    a.route = routes_.number_of(word(o, "route"));
    out_.load.arrivals.push_back(a);
  }

 private:
  static constexpr double work_max = 10 * 86400;   // as the scenario's key allows
  trace& out_;
  std::string_view pool_;
  names tenants_{out_.load.tenants}, routes_{out_.load.routes}, groups_{out_.load.groups};
  names pools_{out_.pools};
  std::int64_t first_ = -1;
};

// --- files --------------------------------------------------------------------------------------

std::optional<std::string> content(const std::string& path, trace& out) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (file.bad() || !file.is_open()) {
    fail(out, 0, "cannot read " + path);
    return {};
  }
  return std::move(text).str();
}

}  // namespace

trace read_table(std::string_view text, const trace_format& format) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";   // of spreadsheets' CSV
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  trace out;
  if (!format.route.empty()) out.load.routes.clear();
  if (!format.tenant.empty()) out.load.tenants.clear();
  table_reader reader(out, format);
  std::vector<std::string> fields;
  enum class stage { beginning, rows, hopeless } is = stage::beginning;
  each_line(text, [&](std::string_view line, std::size_t number) {
    split(line, format.separator, fields);
    const bool first = is == stage::beginning;
    if (first) {
      const bool found =
          reader.prepare(format.header ? fields : std::vector<std::string>{}, number);
      is = found ? stage::rows : stage::hopeless;
    }
    if (is == stage::rows && !(first && format.header)) reader.row(fields, number);
  });
  if (reader.dated() || format.from_first) shift_to_zero(out.load.arrivals);
  put_in_order(out.load.arrivals);
  check_length(out);
  return out;
}

trace read_access_log(std::string_view text, std::string_view pool) {
  trace out;
  out.load.routes.clear();
  out.load.tenants.clear();
  log_reader reader(out, pool);
  each_line(text, [&](std::string_view line, std::size_t number) { reader.line(line, number); });
  shift_to_zero(out.load.arrivals);
  put_in_order(out.load.arrivals);
  check_length(out);
  return out;
}

trace read_table_file(const std::string& path, const trace_format& format) {
  trace out;
  const std::optional<std::string> text = content(path, out);
  return text ? read_table(*text, format) : out;
}

trace read_access_log_file(const std::string& path, std::string_view pool) {
  trace out;
  const std::optional<std::string> text = content(path, out);
  return text ? read_access_log(*text, pool) : out;
}

workload merge(const workload& a, const workload& b) {
  workload out = a;
  names tenants(out.tenants), routes(out.routes), groups(out.groups);
  for (arrival x : b.arrivals) {
    x.tenant = tenants.number_of(b.tenants.at(x.tenant));
    x.route = routes.number_of(b.routes.at(x.route));
    x.group = groups.number_of(b.groups.at(x.group));
    out.arrivals.push_back(x);
  }
  put_in_order(out.arrivals);
  return out;
}

}  // namespace weir::sim
