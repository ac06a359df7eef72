// `weir simulate`: a scenario, or a configuration against one, in virtual time; what came of it as
// a table or JSON on standard output, and as a plot in a file. Main thread of a process of its own.
#pragma once

#include <string>

#include "sim/setup.hpp"

namespace weir::app {

struct simulate_options {
  sim::request what;
  bool json = false;
  std::string plot;  // an SVG file to write; empty: none
};

// The exit status: 1 when a file is wrong or cannot be written.
int simulate(const simulate_options& o);

}  // namespace weir::app
