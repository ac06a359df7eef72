#include "distribution.hpp"

#include <charconv>
#include <cmath>
#include <vector>

namespace weir::load {
namespace {

// Numbers between commas; empty when one is none.
std::vector<double> numbers(std::string_view text) {
  std::vector<double> found;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    double number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || (stop != end && *stop != ',')) return {};
    found.push_back(number);
    at = stop == end ? end : stop + 1;
  }
  return found;
}

}  // namespace

double unit(generator& from) {
  return (static_cast<double>(from() >> 11) + 1) * 0x1p-53;
}

double exponential(generator& from, double mean) { return -mean * std::log(unit(from)); }

std::optional<distribution> distribution::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view word = colon == text.npos ? "fixed" : text.substr(0, colon);
  const auto n = numbers(colon == text.npos ? text : text.substr(colon + 1));
  const bool pareto = word == "pareto";
  if (n.size() != (pareto ? 3u : 1u) || (!pareto && word != "fixed" && word != "exp")) return {};
  distribution d;
  d.kind_ = pareto ? kind::pareto : word == "exp" ? kind::exponential : kind::fixed;
  d.shape_ = pareto ? n[0] : 0;
  d.low_ = pareto ? n[1] : n[0];
  d.high_ = pareto ? n[2] : 0;
  if (d.low_ < 0 || (pareto && !(d.shape_ > 0 && d.low_ > 0 && d.high_ >= d.low_))) return {};
  return d;
}

std::uint64_t distribution::draw(generator& from) const {
  switch (kind_) {
    case kind::fixed:
      return static_cast<std::uint64_t>(low_);
    case kind::exponential:
      return static_cast<std::uint64_t>(exponential(from, low_));
    case kind::pareto:
      break;
  }
  // Inverse of the bounded Pareto distribution's F(x) = (1 - (low/x)^a) / (1 - (low/high)^a).
  const double most = 1 - std::pow(low_ / high_, shape_);
  const double u = (1 - unit(from)) * most;
  return static_cast<std::uint64_t>(low_ / std::pow(1 - u, 1 / shape_));
}

}  // namespace weir::load
