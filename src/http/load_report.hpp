// What a worker reports of its own load in `endpoint-load-metrics` (ORCA, the fields of xds.data.
// orca.v3.OrcaLoadReport): "TEXT cpu_utilization=0.3, mem_utilization=0.8" or "JSON {...}". The BIN
// form counts as none. Pure; called by proxy and probe for responses that have the field, on any
// thread; no more than `load_report_max` bytes are looked at, and nothing is thrown.
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::http {

inline constexpr std::size_t load_report_max = 1024;
// ORCA lets CPU go above 1 where limits are soft; more than this is no fraction (a percentage?).
inline constexpr double load_utilization_max = 10;
inline constexpr double load_utilization_least = 0.001;  // of an idle worker: 0 is none

struct load_report {
  // application_utilization if there, the application knowing best; else the scarcer of CPU and
  // memory. 0: nothing was said of them.
  double utilization = 0;
  // A value that is no number, negative, not finite or absurd, a field said twice, or a form that
  // is none: the whole report is left out.
  bool bad = false;
};

load_report parse_load_report(std::string_view value) noexcept;

}  // namespace weir::http
