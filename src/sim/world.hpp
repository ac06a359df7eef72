// Virtual time: plays a workload against a fleet under one policy and writes down what became of
// every batch. Arrivals, the fleet's changes, ends of attempts, probes and the policy's own
// deadlines meet in time's order. Work is integrated exactly over a worker's changing speed: a
// change of speed moves the ends of what runs on it, and an attempt begins to work when the fleet's
// overhead has passed. One thread; the same plan, workload and policy give the same result to the
// bit. Memory is reserved at the start: a batch allocates nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/event_queue.hpp"
#include "sim/fleet_model.hpp"
#include "sim/policy.hpp"
#include "sim/workload.hpp"

namespace weir::sim {

struct result {
  static constexpr double lost = -1;
  std::vector<double> waits;     // by batch: to the start of its last attempt, in seconds
  std::vector<double> sojourns;  // to its good end; `lost`: it had none
  std::uint64_t attempts = 0, failed_attempts = 0, retries = 0, lost_batches = 0;
  double busy_seconds = 0;       // of slots
  double open_seconds = 0;       // of slots of joined workers that are not down, to the last end
  double end = 0;                // when the last batch left
};

class world {
 public:
  world(const workload& load, const fleet_plan& fleet, policy& decides);
  result run();

 private:
  enum class kind : std::uint32_t { attempt_ends, probe_answers };
  struct happening {
    std::uint32_t about = 0;    // an attempt or a worker
    std::uint32_t version = 0;  // of the attempt
    kind what = kind::attempt_ends;
  };
  struct attempt {
    double work_left = 0;     // at speed 1, as of `since`
    instant since, began;     // since: when it begins to work, or last changed its speed
    std::uint32_t batch = 0, worker = 0, place = 0;  // place: in the worker's running
    std::uint32_t version = 0;                       // rises whenever its end moves
    ending how = ending::good;
  };
  struct worker {
    double speed = 1;
    std::uint32_t slots = 1;
    bool joined = false, down = false, fails = false;
    std::vector<std::uint32_t> running;  // attempts
    instant open_since{};
  };

  void step();
  void arrive();
  void change_fleet();
  void happen();
  void apply(const change& c, worker& w);
  void set_speed(worker& w, double speed);
  void open(worker& w);
  void shut(worker& w);
  void break_attempts(worker& w);
  void start(const orders::start& o);
  void end(std::uint32_t attempt, ending how);
  void schedule_end(std::uint32_t attempt);
  void carry_out();
  double seconds(instant t) const noexcept { return base::to_seconds(t - begin_); }

  const workload& load_;
  const fleet_plan& fleet_;
  policy& policy_;
  const instant begin_;
  instant now_;
  std::vector<worker> workers_;
  std::vector<attempt> attempts_;
  std::vector<std::uint32_t> free_attempts_;
  event_queue<happening> events_;
  orders carried_;
  std::size_t next_arrival_ = 0, next_change_ = 0;
  std::uint64_t left_ = 0;  // batches that have not ended
  result out_;
};

}  // namespace weir::sim
