// The table of a scenario file's keys, for the reader and for tests. Built on first use, immutable
// afterwards. Its objects are sim::scenario.
#pragma once

#include "config/spec.hpp"

namespace weir::sim {

const config::section& scenario_section();

}  // namespace weir::sim
