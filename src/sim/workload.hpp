// What arrives in a simulation: batches with the work they really are and what they declare. Made
// by the generators or read from a trace, played by the worlds. Plain data; seconds everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::sim {

struct arrival {
  double at = 0;             // seconds from the start; a workload's are in order
  double work = 0;           // seconds on a slot of speed 1
  double units = 0;          // declared to weir; 0: nothing
  std::uint32_t tenant = 0;  // into workload::tenants
  std::uint32_t route = 0;   // into workload::routes
  std::uint32_t group = 0;   // into workload::groups; 0: none
};

struct workload {
  std::vector<arrival> arrivals;
  std::vector<std::string> tenants{""};
  std::vector<std::string> routes{"batches"};
  std::vector<std::string> groups{""};
};

}  // namespace weir::sim
