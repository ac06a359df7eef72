#include "http/load_report.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <optional>

namespace weir::http {
namespace {

namespace json = boost::json;

struct gauge {
  std::string_view name, in_json;  // as is, and as protobuf's JSON mapping writes it
  double most = load_utilization_max;
  std::optional<double> value{};
};
using gauges = std::array<gauge, 3>;  // application, CPU, memory

gauges nothing() noexcept {
  return {{{"application_utilization", "applicationUtilization"},
           {"cpu_utilization", "cpuUtilization"},
           {"mem_utilization", "memUtilization", 1}}};
}

std::string_view trim(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

gauge* find(gauges& all, std::string_view name) noexcept {
  const auto at = std::ranges::find_if(
      all, [&](const gauge& g) { return g.name == name || g.in_json == name; });
  return at == all.end() ? nullptr : &*at;
}

// NaN and infinities are not within the range either.
bool take(gauge& g, double value) noexcept {
  if (g.value || !(value >= 0 && value <= g.most)) return false;
  g.value = value;
  return true;
}

bool take_text(gauges& all, std::string_view entry) noexcept {
  const auto equals = entry.find('=');
  if (equals == entry.npos) return false;
  gauge* const g = find(all, trim(entry.substr(0, equals)));
  if (!g) return true;  // named metrics and the like
  const std::string_view digits = trim(entry.substr(equals + 1));
  double value = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return fault == std::errc{} && end == digits.data() + digits.size() && take(*g, value);
}

bool read_text(gauges& all, std::string_view text) noexcept {
  for (text = trim(text); !text.empty();) {
    const auto comma = std::min(text.find(','), text.size());
    if (!take_text(all, trim(text.substr(0, comma)))) return false;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return true;
}

bool take_json(gauges& all, const json::key_value_pair& member) noexcept {
  gauge* const g = find(all, member.key());
  if (!g) return true;
  json::error_code fault;
  const double value = member.value().to_number<double>(fault);
  return !fault && take(*g, value);
}

// Repeated names: the library keeps the last one.
bool read_json(gauges& all, std::string_view text) {
  std::array<unsigned char, 4096> room;
  json::monotonic_resource memory(room.data(), room.size());
  json::error_code fault;
  const json::value whole = json::parse(text, fault, &memory);
  if (fault || !whole.is_object()) return false;
  return std::ranges::all_of(whole.get_object(),
                             [&](const auto& member) { return take_json(all, member); });
}

double utilization(const gauges& all) noexcept {
  const auto& [application, cpu, memory] = all;
  const bool own = application.value && *application.value > 0;  // proto3: 0 is not set
  if (!own && !cpu.value && !memory.value && !application.value) return 0;
  const double most = own ? *application.value
                          : std::max(cpu.value.value_or(0), memory.value.value_or(0));
  return std::max(most, load_utilization_least);
}

bool read(gauges& all, std::string_view value) noexcept try {
  if (value.size() > load_report_max) return false;
  if (value.starts_with("TEXT ")) return read_text(all, value.substr(5));
  return value.starts_with("JSON ") && read_json(all, value.substr(5));
} catch (...) {
  return false;  // no memory for the tree
}

}  // namespace

load_report parse_load_report(std::string_view value) noexcept {
  value = trim(value);
  if (value.starts_with("BIN ")) return {};
  gauges all = nothing();
  if (!read(all, value)) return {0, true};
  return {utilization(all), false};
}

}  // namespace weir::http
