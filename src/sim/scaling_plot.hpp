// A plot of who had how many workers when, against the oracle: an SVG of a scaling report's first
// seed, one stepped line a contender. Pure; the same report gives the same bytes.
#pragma once

#include <string>

#include "sim/scaling_report.hpp"

namespace weir::sim {

std::string svg_of(const scaling_report& report);

}  // namespace weir::sim
