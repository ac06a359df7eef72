// All client connections of a run and the loop that drives them. A mode decides when connections
// are opened and what they send; the crowd carries it out, counts and measures. One thread.
#pragma once

#include <memory>
#include <vector>

#include "connection.hpp"
#include "histogram.hpp"
#include "requests.hpp"

namespace weir::load {

inline constexpr nanos never = INT64_MAX;

struct tally {
  std::uint64_t requests = 0;  // answered
  std::uint64_t opened = 0;
  std::uint64_t errors[static_cast<std::size_t>(trouble::count)] = {};
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  nanos last_answer = 0;
  histogram latency;

  std::uint64_t failures() const;
};

/// What a run does. Called by the crowd only.
class mode {
 public:
  virtual ~mode() = default;
  virtual void begin(nanos now) = 0;
  /// A connection that may send: new, or its answer has come.
  virtual void ready(connection& c) = 0;
  /// This one failed or ended, and is about to be destroyed.
  virtual void gone(connection&) {}
  /// There is room for another in its place.
  virtual void refill() = 0;
  /// When `tick` is wanted.
  virtual nanos due() const { return never; }
  virtual void tick(nanos) {}
  /// Standard input was closed.
  virtual void released() {}
  /// Requests that are due and wait for a connection.
  virtual std::uint64_t waiting() const { return 0; }
  virtual bool over(nanos now) const = 0;
};

class crowd {
 public:
  explicit crowd(const settings& s);

  /// Runs until the mode is over or the limit has passed.
  void run(mode& m);

  /// Begins one more connection; false when that failed at once.
  bool open();
  void send(connection& c, request r);
  /// Wakes the mode when standard input is closed.
  void listen_to_input();

  std::uint64_t alive() const { return alive_; }
  std::uint64_t busy() const { return busy_; }
  std::uint64_t unready() const { return unready_; }
  nanos started() const { return started_; }
  /// Body and head bytes of all connections, so far.
  std::uint64_t moved() const;
  const tally& counted() const { return tally_; }

 private:
  struct place {
    std::unique_ptr<connection> here;
    std::uint32_t turn = 0;  // tells an event of an earlier tenant from one of this
  };

  connection* find(std::uint64_t token);
  void handle(const epoll_event& e);
  void settle(connection& c, event what);
  void answer(connection& c);
  void remove(connection& c);

  const settings& settings_;
  sockaddr_in to_;
  std::unique_ptr<tls_client> tls_;
  poller poller_;
  mode* mode_ = nullptr;
  std::vector<place> places_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> place_of_;  // by descriptor
  std::uint64_t alive_ = 0;
  std::uint64_t busy_ = 0;
  std::uint64_t unready_ = 0;  // connecting or shaking hands
  nanos started_ = 0;
  nanos measured_from_ = 0;
  tally tally_;
};

}  // namespace weir::load
