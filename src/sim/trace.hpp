// Workloads from files: CSV or TSV with columns by name or number, and weir's own access log (JSON
// lines). What a batch's work was is a formula over columns. Called by the scenario reader and by
// tests; no state. Rows come out in order of time. A row that cannot be read is an error with its
// line; a whole file is read before any is reported, and errors_max of them are kept.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "sim/workload.hpp"

namespace weir::sim {

// factor x the number in a column, which is named as in the header, or by its number from 1.
struct trace_term {
  std::string column;
  double factor = 1;
};

struct trace_format {
  char separator = ',';
  bool header = true;
  // Seconds, or a date and time (RFC 3339, a blank for the T, no zone is UTC).
  std::string time;
  bool from_first = false;   // the first row is at 0; always so for dates
  double work_constant = 0;  // seconds: the constant and the terms, then clipped
  std::vector<trace_term> work;
  double work_min = 0, work_max = std::numeric_limits<double>::infinity();
  std::vector<trace_term> units;  // declared to weir; empty: nothing is
  std::string tenant, route;      // columns; empty: all are of one
};

struct trace_error {
  std::size_t line = 0;  // from 1; 0: the file as a whole
  std::string what;
};

struct trace {
  static constexpr std::size_t errors_max = 20;
  workload load;
  std::size_t skipped = 0;          // lines of an access log that tell of no finished batch
  std::vector<std::string> pools;   // of an access log: all that it names, as they first come
  std::vector<trace_error> errors;  // empty: all of it was read
  bool good() const noexcept { return errors.empty(); }
};

// Fields may stand in double quotes (RFC 4180), without line breaks in them.
trace read_table(std::string_view text, const trace_format& format);

// A batch arrived when its head was whole. Its work is its last attempt (`attempt_ms`; of logs
// without it total - accept - queue), its units the `cost` that it declared. Refusals, errors and
// the 202 of an asynchronous batch are skipped: no worker finished them then. `pool`: of this one
// only; empty: all.
trace read_access_log(std::string_view text, std::string_view pool = {});

// The whole file, or an error of line 0.
trace read_table_file(const std::string& path, const trace_format& format);
trace read_access_log_file(const std::string& path, std::string_view pool = {});

// Both in order of time, names joined. For samples of the same hours.
workload merge(const workload& a, const workload& b);

}  // namespace weir::sim
