// What a worker does wrong, on command: `GET /control?fail=0.1&stall=0.05&stall_ms=2000` and so on.
// Shares are of requests, drawn from one seeded generator, at most one fault a request. What a
// command does not name stays as it is.
#pragma once

#include <string>
#include <string_view>

#include "distribution.hpp"
#include "sockets.hpp"

namespace weir::load {

/// fail: a 500. stall: the answer comes stall_ms later. close: the connection ends in the middle of
/// the answer. reset: it is reset instead of answered. framing: two lengths that differ. slow: the
/// body is read at slow_bytes a second.
enum class fault { none, fail, stall, close, reset, framing, slow };

class faults {
 public:
  explicit faults(std::uint64_t seed) : random_(seed) {}

  /// Takes over what the target's query names.
  void command(std::string_view target, nanos now);
  /// The fault of the next request.
  fault draw();

  nanos stall() const { return stall_ms_ * millisecond; }
  std::uint64_t slow_bytes() const { return slow_bytes_; }
  /// Until when connections are refused.
  nanos refuse_until() const { return refuse_until_; }
  std::uint64_t drawn() const { return drawn_; }

 private:
  generator random_;
  double shares_[6] = {};  // in the order of the enum, without none
  nanos stall_ms_ = 1000;
  std::uint64_t slow_bytes_ = 1 << 20;
  nanos refuse_until_ = 0;
  std::uint64_t drawn_ = 0;  // requests that got a fault
};

}  // namespace weir::load
