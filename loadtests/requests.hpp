// Makes the requests of a run: heads by the settings, sizes and times drawn from the seeded
// distributions or read from a trace, in the order of arrival.
#pragma once

#include <optional>
#include <vector>

#include "connection.hpp"
#include "settings.hpp"

namespace weir::load {

/// One arrival of a trace: when, and how much.
struct arrival {
  nanos at = 0;  // since the start
  std::uint64_t body = 0;
  std::uint64_t answer = 0;
  std::uint64_t service_us = 0;
};

/// Reads a trace: lines of `seconds,body bytes,answer bytes,service µs`, or of the SWIM samples of
/// Facebook's Hadoop cluster (job, submit time, gap, input, shuffle and output bytes, with tabs),
/// whose service time is taken as all bytes at 100 MB/s. Ends the program when a line is neither.
std::vector<arrival> read_trace(const settings& s);

class request_maker {
 public:
  explicit request_maker(const settings& s);

  /// A request that was due at `due`, with drawn sizes.
  request draw(nanos due);
  /// The gap to the next arrival.
  nanos gap() { return static_cast<nanos>(exponential(random_, 1e9 / settings_.rate)); }
  request make(const arrival& a, nanos due);

 private:
  const settings& settings_;
  generator random_;
  std::string tail_;       // of every head: the fields that never change
  std::uint64_t made_ = 0;
};

}  // namespace weir::load
