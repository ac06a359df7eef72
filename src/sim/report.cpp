#include "sim/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

namespace weir::sim {
namespace {

namespace json = boost::json;

// What stands in a line of the table; heads are lines too.
struct cells {
  std::string_view name;
  std::string ratio, range, against;
  std::array<std::string, 3> wait, sojourn;
  std::array<std::string, 2> slowdown;
  std::string busy, failed, again, lost;
};

std::string line_of(const cells& c, std::size_t name_width) {
  std::string line =
      fmt::format("{:<{}} {:>7} {:>16} {:>8}", c.name, name_width, c.ratio, c.range, c.against);
  for (const auto& group : {c.wait, c.sojourn})
    for (const std::string& cell : group) line += fmt::format(" {:>7}", cell);
  for (const std::string& cell : c.slowdown) line += fmt::format(" {:>7}", cell);
  return line + fmt::format(" {:>6} {:>7} {:>7} {:>6}\n", c.busy, c.failed, c.again, c.lost);
}

std::string heads(std::size_t name_width) {
  const cells groups{"", "mean", "over bound", "mean", {"", "wait", "(s)"}, {"", "sojourn", "(s)"},
                     {"slow", "down"}, "slots", "tries", "tries", ""};
  const cells columns{"policy", "median", "low .. high", "to first", {"p50", "p99", "max"},
                      {"p50", "p99", "max"}, {"p50", "p99"}, "busy", "failed", "again", "lost"};
  return line_of(groups, name_width) + line_of(columns, name_width);
}

std::array<std::string, 3> three(const spread& s) {
  return {short_number(s.p50), short_number(s.p99), short_number(s.max)};
}

std::string row_of(const standing& s, std::size_t name_width) {
  const measures& m = s.median;
  return line_of({s.name, short_number(m.ratio),
                  fmt::format("{} .. {}", short_number(s.ratio_low), short_number(s.ratio_high)),
                  short_number(s.against_first), three(m.wait), three(m.sojourn),
                  {short_number(m.slowdown.p50), short_number(m.slowdown.p99)},
                  fmt::format("{:.1f}%", m.utilisation * 100), std::to_string(m.failed_attempts),
                  std::to_string(m.retries), std::to_string(m.lost)},
                 name_width);
}

std::size_t widest_name(const std::vector<standing>& all) {
  std::size_t width = 17;
  for (const standing& s : all) width = std::max(width, s.name.size());
  return width;
}

std::string tenants_of(const std::vector<standing>& all, std::size_t name_width) {
  std::string out;
  for (const standing& s : all) {
    if (s.median.tenants.size() < 2) continue;
    out += fmt::format("{:<{}} Jain {:.3f}", s.name, name_width, s.median.fairness);
    for (const tenant_measures& t : s.median.tenants)
      out += fmt::format("; {} p50 {} p99 {} slowdown {}", t.name.empty() ? "(none)" : t.name,
                         short_number(t.sojourn.p50), short_number(t.sojourn.p99),
                         short_number(t.slowdown_mean));
    out += '\n';
  }
  return out;
}

std::string groups_of(const std::vector<standing>& all, std::size_t name_width) {
  std::string out;
  for (const standing& s : all)
    for (const group_measures& g : s.median.groups)
      out += fmt::format("{:<{}} group {}: {} s until its last batch ended\n", s.name, name_width,
                         g.name, short_number(g.makespan));
  return out;
}

json::object object_of(const spread& s) {
  return {{"mean", s.mean}, {"p50", s.p50}, {"p99", s.p99}, {"max", s.max}};
}

json::object object_of(const measures& m) {
  json::array tenants;
  for (const tenant_measures& t : m.tenants)
    tenants.push_back(json::object{{"tenant", t.name},
                                   {"batches", t.batches},
                                   {"sojourn", object_of(t.sojourn)},
                                   {"slowdown_mean", t.slowdown_mean}});
  json::array groups;
  for (const group_measures& g : m.groups)
    groups.push_back(
        json::object{{"group", g.name}, {"batches", g.batches}, {"makespan", g.makespan}});
  return {{"ratio", m.ratio},
          {"bound", m.bound},
          {"wait", object_of(m.wait)},
          {"sojourn", object_of(m.sojourn)},
          {"slowdown", object_of(m.slowdown)},
          {"tenants", std::move(tenants)},
          {"groups", std::move(groups)},
          {"fairness", m.fairness},
          {"utilisation", m.utilisation},
          {"seconds", m.length},
          {"batches", m.batches},
          {"lost", m.lost},
          {"attempts", m.attempts},
          {"failed_attempts", m.failed_attempts},
          {"retries", m.retries},
          {"ejections", m.ejections}};
}

json::object object_of(const standing& s) {
  json::array runs;
  for (const measures& m : s.runs) runs.push_back(object_of(m));
  return {{"policy", s.name},
          {"median", object_of(s.median)},
          {"ratio_low", s.ratio_low},
          {"ratio_high", s.ratio_high},
          {"against_first", s.against_first},
          {"against_low", s.against_low},
          {"against_high", s.against_high},
          {"runs", std::move(runs)}};
}

// --- the plot -----------------------------------------------------------------------------------

constexpr double width = 860, height = 480, left = 70, right = 180, top = 56, bottom = 50;
constexpr std::string_view colours[] = {"#0b6e4f", "#c1666b", "#4a6fa5", "#e0a030",
                                        "#7b4b94", "#6b7280", "#2a9d8f", "#222222"};

struct axis {
  double low = 0, high = 1;  // decades of seconds
  double y(double seconds) const {
    const double at = (std::log10(std::max(seconds, 1e-6)) - low) / (high - low);
    return height - bottom - at * (height - top - bottom);
  }
};

double x_of(std::size_t point) {
  return left + (width - left - right) * static_cast<double>(point) / (curve_points - 1);
}

axis axis_of(const std::vector<standing>& all) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const standing& s : all)
    for (const double v : s.median.curve) {
      const double decade = std::log10(std::max(v, 1e-6));
      low = std::min(low, decade), high = std::max(high, decade);
    }
  if (!(low <= high)) return {};
  return {std::floor(low), std::max(std::floor(low) + 1, std::ceil(high))};
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string label(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     escaped(text));
}

std::string rule(double x1, double y1, double x2, double y2) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" "
                     "stroke=\"#ddd\"/>\n", x1, y1, x2, y2);
}

std::string grid(const axis& a) {
  std::string out;
  for (double decade = a.low; decade <= a.high; ++decade) {
    const double seconds = std::pow(10, decade), y = a.y(seconds);
    out += rule(left, y, width - right, y);
    out += label(left - 6, y + 4, "end", short_number(seconds) + " s");
  }
  constexpr std::string_view shares[] = {"0 %", "90 %", "99 %", "99.9 %", "99.99 %"};
  for (std::size_t i = 0; i < std::size(shares); ++i) {
    const double x = x_of(i * 10);
    out += rule(x, top, x, height - bottom);
    out += label(x, height - bottom + 18, "middle", shares[i]);
  }
  return out + label((left + width - right) / 2, height - 10, "middle",
                     "share of batches that took no longer");
}

std::string curve_of(const standing& s, std::size_t number, const axis& a) {
  const std::string_view colour = colours[number % std::size(colours)];
  std::string points;
  for (std::size_t i = 0; i < s.median.curve.size(); ++i)
    points += fmt::format("{:.1f},{:.1f} ", x_of(i), a.y(s.median.curve[i]));
  const double y = top + 10 + 20 * static_cast<double>(number);
  return fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>\n"
                     "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"14\" height=\"4\" fill=\"{}\"/>\n",
                     colour, points, width - right + 14, y - 6, colour) +
         label(width - right + 34, y, "start",
               fmt::format("{} ({})", s.name, short_number(s.median.ratio)));
}

}  // namespace

std::string short_number(double n) {
  const double size = std::abs(n);
  if (!(size < 1e15)) return size > 0 ? "inf" : "nan";
  if (size >= 100) return fmt::format("{:.0f}", n);
  if (size >= 10) return fmt::format("{:.1f}", n);
  if (size >= 1) return fmt::format("{:.2f}", n);
  if (size >= 0.1) return fmt::format("{:.3f}", n);
  if (size >= 0.00005) return fmt::format("{:.4f}", n);
  return "0";
}

std::string table_of(const std::string& title, const std::string& facts,
                     const std::vector<standing>& all) {
  const std::size_t width = widest_name(all);
  std::string out = fmt::format("{}: {}\n{}", title, facts, heads(width));
  for (const standing& s : all) out += row_of(s, width);
  return out + tenants_of(all, width) + groups_of(all, width) + "\n";
}

std::string json_of(const std::string& title, const std::string& facts,
                    const std::vector<standing>& all) {
  json::array policies;
  for (const standing& s : all) policies.push_back(object_of(s));
  const json::object whole{{"title", title}, {"facts", facts}, {"policies", std::move(policies)}};
  return json::serialize(whole) + "\n";
}

std::string svg_of(const std::string& title, const std::string& facts,
                   const std::vector<standing>& all) {
  const axis a = axis_of(all);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n", width, height);
  out += label(left, 22, "start", "Time from arrival to end: " + title);
  out += label(left, 40, "start", facts);
  out += label(width - right + 14, top - 10, "start", "policy (mean over bound)");
  out += grid(a);
  for (std::size_t i = 0; i < all.size(); ++i) out += curve_of(all[i], i, a);
  return out + "</svg>\n";
}

}  // namespace weir::sim
