// The load generator's command line: a mode, where to, and options by name. Read once at the start.
#pragma once

#include <string>
#include <vector>

#include "distribution.hpp"
#include "sockets.hpp"

namespace weir::load {

struct settings {
  std::string mode;
  std::uint16_t port = 0;
  std::uint64_t connections = 64;  // in all; for `open` the most
  double seconds = 0;              // how long requests are begun
  std::uint64_t count = 0;         // how many requests are begun; 0: as long as `seconds`
  double rate = 0;                 // of `open`: arrivals a second
  double warmup = 0;               // seconds at the start whose latencies do not count
  nanos start = 0;                 // of the monotonic clock; earlier than now: now
  double limit = 0;                // when everything ends; 0: 10 s after `seconds`, or 120 s
  distribution body;               // bytes of a request's body
  distribution answer;             // bytes of the answer's body
  distribution service_us;         // told to the worker
  std::uint64_t hold_after = 0;    // of `hold`: body bytes read before an end stops
  std::uint64_t seed = 1;
  bool tls = false;
  bool key = false;                // a new Idempotency-Key for each request
  bool close = false;              // a connection for each request
  std::vector<std::string> headers;
  std::string trace;               // file of arrivals, in place of rate and distributions
  double speedup = 1;              // divides the trace's times
  double shrink = 1;               // divides the trace's sizes
};

/// Prints what is wrong and exits with 2 when the command line is not one.
settings read_command_line(int count, char** words);

}  // namespace weir::load
