#include "sim/scaling_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace weir::sim {
namespace {

constexpr double width = 960, height = 480, left = 60, right = 210, top = 56, bottom = 50;
constexpr std::string_view oracle_colour = "#d9d9d9";
constexpr std::string_view colours[] = {"#0b6e4f", "#c1666b", "#4a6fa5", "#e0a030",
                                        "#7b4b94", "#6b7280", "#2a9d8f", "#222222"};

struct scale {
  double seconds = 1, workers = 1;  // at the right and at the top
  double x(double at) const { return left + at / seconds * (width - left - right); }
  double y(double n) const { return height - bottom - n / workers * (height - top - bottom); }
};

double most_of(std::span<const fleet_change> fleet) {
  std::uint32_t most = 0;
  for (const fleet_change& c : fleet) most = std::max(most, c.workers);
  return most;
}

scale scale_of(const scaling_report& r) {
  scale s;
  s.workers = std::max(1.0, most_of(r.oracle));
  s.seconds = std::max({1.0, r.seconds, r.oracle.empty() ? 0 : r.oracle.back().at});
  for (const scaling_verdict& v : r.verdicts) {
    s.workers = std::max(s.workers, most_of(v.fleet));
    if (!v.fleet.empty()) s.seconds = std::max(s.seconds, v.fleet.back().at);
  }
  return s;
}

// 1, 2 or 5 times a power of ten, so that at most ten of them make up `whole`.
double step_of(double whole) {
  const double least = whole / 10, ten = std::pow(10, std::floor(std::log10(least)));
  for (const double n : {1.0, 2.0, 5.0})
    if (n * ten >= least * (1 - 1e-9)) return n * ten;
  return 10 * ten;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string label(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     escaped(text));
}

// A corner before and one after each change.
std::string corners(std::span<const fleet_change> fleet, const scale& s) {
  std::string out;
  double before = 0;
  for (const fleet_change& c : fleet) {
    const double x = s.x(c.at);
    out += fmt::format("{:.1f},{:.1f} {:.1f},{:.1f} ", x, s.y(before), x, s.y(c.workers));
    before = c.workers;
  }
  return out;
}

std::string grid(const scale& s) {
  std::string out;
  const double hours = s.seconds / 3600;
  for (double h = 0, step = step_of(hours); h <= hours * (1 + 1e-9); h += step) {
    const double x = s.x(h * 3600);
    out += label(x, height - bottom + 18, "middle", fmt::format("{:g} h", h));
  }
  for (double n = 0, step = std::max(1.0, step_of(s.workers)); n <= s.workers; n += step) {
    out += fmt::format(
        "<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{2:.1f}\" y2=\"{1:.1f}\" "
        "stroke=\"#eee\"/>\n",
        left, s.y(n), width - right);
    out += label(left - 6, s.y(n) + 4, "end", fmt::format("{:g}", n));
  }
  return out;
}

std::string key(std::size_t line, std::string_view colour, std::string_view text) {
  const double x = width - right + 14, y = top + 10 + 20 * static_cast<double>(line);
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"14\" height=\"4\" fill=\"{}\"/>\n", x,
                     y - 6, colour) +
         label(x + 20, y, "start", text);
}

}  // namespace

std::string svg_of(const scaling_report& report) {
  const scale s = scale_of(report);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      width, height);
  out += label(left, 22, "start", "Workers: " + report.trial.workload);
  out += label(left, 40, "start",
               fmt::format("{} batches, seed {}; in grey what a scaler that "
                           "knows the future would have",
                           report.batches, report.trial.seed));
  out += grid(s);
  out += fmt::format("<polygon fill=\"{}\" points=\"{}\"/>\n", oracle_colour,
                     corners(report.oracle, s));
  for (std::size_t i = 0; i < report.verdicts.size(); ++i) {
    const scaling_verdict& v = report.verdicts[i];
    const std::string_view colour = colours[i % std::size(colours)];
    out +=
        fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>\n",
                    colour, corners(v.fleet, s));
    out +=
        key(i, colour, fmt::format("{} ({:.2f} x the oracle)", v.who.name, v.over_oracle.median));
  }
  out += key(report.verdicts.size(), oracle_colour, "oracle");
  return out + "</svg>\n";
}

}  // namespace weir::sim
