// A contest's standings for people and for programs: a table of text, JSON, and an SVG plot of how
// long batches took by percentile. Pure functions; the same standings give the same bytes.
// All times are seconds; what is shown are medians over the seeds, ratios with their extremes.
#pragma once

#include <string>
#include <vector>

#include "sim/contest.hpp"

namespace weir::sim {

// Ends with an empty line, so that several can follow each other.
std::string table_of(const std::string& title, const std::string& facts,
                     const std::vector<standing>& all);

// One object: title, facts, and the policies with their medians and every run. Ends with a newline.
std::string json_of(const std::string& title, const std::string& facts,
                    const std::vector<standing>& all);

// Percentile (log scale of what is beyond it) against sojourn (log scale), a line each.
std::string svg_of(const std::string& title, const std::string& facts,
                   const std::vector<standing>& all);

// Three or four significant digits, never an exponent: "0.0213", "4.19", "2883".
std::string short_number(double n);

}  // namespace weir::sim
