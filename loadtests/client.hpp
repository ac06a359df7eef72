// One connection to the synthetic worker: reads a head, steps over the body, waits as long as the
// work takes, answers; then the next. Driven by edge-triggered events and by the time it asked for.
// The shop (worker.cpp) holds what all of them share: slots, faults, counters.
#pragma once

#include <optional>
#include <string>

#include "faults.hpp"
#include "http.hpp"

namespace weir::load {

/// What the connections of a worker share.
struct shop {
  std::uint64_t slots = 512;
  double speed = 1;           // divides every service time
  distribution service_us;    // where a request does not tell its own
  faults wrong{1};
  generator random{1};
  std::uint64_t busy = 0;
  std::uint64_t busy_most = 0;
  std::uint64_t requests = 0;  // whose heads came, in a slot or not
  std::uint64_t open = 0;      // of these, those that are not over
  std::uint64_t open_most = 0;
  std::uint64_t served = 0;
  std::uint64_t turned_away = 0;
  std::uint64_t body_bytes = 0;
};

class client {
 public:
  client(descriptor socket, shop& s) : socket_(std::move(socket)), shop_(s) {}
  ~client() { leave(); }
  client(client&&) = delete;

  int number() const { return socket_.number(); }
  /// Goes on with what the kernel reported or the clock allows. False: the connection is over.
  bool handle(std::uint32_t events, nanos now);
  /// When it wants to be called without an event; 0: not at all.
  nanos wakes_at() const { return wakes_at_; }

 private:
  enum class state { head, body, working, answering, stuck };

  bool go_on(nanos now);
  bool read_head(nanos now);
  bool take_head(std::string_view data, nanos now);
  void begin(nanos now);
  bool read_body(nanos now);
  bool stick(nanos now);
  bool read_chunks(nanos now);
  bool skip_chunks(std::string_view data, nanos now);
  std::uint64_t allowance(nanos now);
  bool body_ended(nanos now);
  void enter();
  void leave();
  bool compose(nanos now);
  void answer_with(int status, std::string_view more, std::uint64_t bytes);
  void answer_chunked(std::uint64_t bytes);
  void answer_text(std::string text);
  bool write(nanos now);

  descriptor socket_;
  shop& shop_;
  state state_ = state::head;
  bool drained_ = false;     // the last read found less than it asked for
  bool ending_ = false;      // the other side has sent its last
  nanos wakes_at_ = 0;
  std::string partial_;      // of a head that came in parts, or what follows a request
  std::string target_;
  bool close_ = false;
  bool in_slot_ = false;
  bool open_ = false;        // counted in shop::open
  fault fault_ = fault::none;
  nanos service_ = 0;
  nanos begun_ = 0;
  std::uint64_t left_ = 0;   // of the body
  std::uint64_t taken_ = 0;  // of the body
  std::uint64_t stop_after_ = UINT64_MAX;
  std::optional<chunk_skipper> chunks_;
  std::string answer_;       // its head
  std::uint64_t answer_body_ = 0;
  std::string_view tail_;    // what follows the body
  std::uint64_t out_ = 0;
  std::uint64_t cut_after_ = UINT64_MAX;
};

}  // namespace weir::load
