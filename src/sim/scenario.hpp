// A scenario file: what arrives, what serves it, and which policies are compared, as typed data.
// Read by `weir simulate` as strictly as a configuration (config::read_object): every mistake is
// told with its line and column. The keys are described in spec_scenario.cpp, once.
// Files that it names (traces, a configuration) are found beside it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "sim/fleet_model.hpp"
#include "sim/generators.hpp"
#include "sim/trace.hpp"

namespace weir::sim {

enum class trace_kind : std::uint8_t { table, access_log };
enum class separator : std::uint8_t { comma, tab, semicolon };
enum class trace_times : std::uint8_t {
  recorded,  // as they are; with a load, all made longer or shorter alike
  poisson,   // rows drawn at random, at the times of a Poisson process: the sizes alone count
};

struct trace_source {
  trace_source() { format.work_max = 240 * 3600; }  // a key cannot say: without end
  std::string file;
  trace_kind kind = trace_kind::table;
  sim::separator separator = separator::comma;
  trace_format format;
  std::string pool;  // of an access log: this one's batches only
};

struct scenario {
  std::string name;
  double load = 0.75;
  bool load_given = false;     // else a recorded trace keeps its own
  std::uint64_t batches = 0;   // 0: 200,000, or as many as were recorded
  std::vector<source> sources;
  sim::estimates estimates;
  std::vector<trace_source> traces;  // merged; instead of sources
  trace_times times = trace_times::recorded;
  std::vector<worker_group> workers;
  std::string config, pool;    // whose settings, and workers when there are none here
  double overhead = 0;         // seconds of every attempt, beside its work
  std::uint32_t attempts = 3;
  std::uint32_t seeds = 3;
  std::vector<std::string> policies{"weir", "first-come"};
};

struct scenario_outcome {
  scenario what;               // to be used only when ok()
  std::vector<config::diagnostic> mistakes;
  std::string file_name;
  bool ok() const noexcept { return mistakes.empty(); }
  std::string text() const;    // "FILE:LINE:COL: message" lines
};

scenario_outcome read_scenario(const std::string& text, std::string file_name);
// Loads it; a file that cannot be loaded is one mistake at 1:1. Its name is the file's, without
// folder and ending, unless it has one; what it names becomes a path from here.
scenario_outcome read_scenario_file(const std::string& file_name);

}  // namespace weir::sim
