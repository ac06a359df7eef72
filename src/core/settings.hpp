// Every parameter of a pool's decisions, with its default: plain data that config fills in and core
// obeys. Durations are base::duration, shares are fractions of 1, sizes are bytes, costs are
// seconds of work at rate 1. Sources of the formulas stand where they are used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace weir::core {

using base::duration;
using base::instant;
using namespace std::chrono_literals;

enum class balance : std::uint8_t { least_loaded, power_of_two, round_robin, random, hash, first };
enum class queue_order : std::uint8_t { cost_aware, fifo };

struct tenant_settings {
  std::string name{};             // as the route's tenant rule yields it
  double weight = 1;              // of its turns: twice the weight, twice the work
  std::uint32_t running_max = 0;  // attempts that run at once in this pool; 0: not limited
  std::uint64_t batches_max = 0;  // waiting batches that are not durable; 0: not limited
};

struct queue_settings {
  queue_order order = queue_order::cost_aware;
  std::uint64_t batches_max = 5000;       // waiting batches; one more is refused with 429
  std::uint64_t bytes_max = 1ull << 30;   // bytes of waiting batches that weir itself holds
  duration wait_max = 5min;               // the smaller of this and the route's queue timeout wins
  duration priority_step = 10s;           // one step of urgency moves a batch by this much
  double cost_weight = 5;  // beta: overtaken only within beta times its own size; while autoscale
                           // can bring more workers, within half of the objective at most
  double critical_share = 0.7;            // a group's largest goes first when it takes so much of
                                          // the time that the group needs
  std::uint32_t tenants_max = 10000;      // tenants beyond it share one account
  tenant_settings tenant_defaults;        // of those that are not named
  std::vector<tenant_settings> tenants;   // complete: what was not given is as of the defaults
};

enum class probe_kind : std::uint8_t { none, http, tcp };

struct health_settings {
  probe_kind kind = probe_kind::http;
  duration interval = 5s;            // between probes of a worker that is settled and up
  duration fast_interval = 1s;  // while in transition (checking, or some rises or falls counted)
  duration down_interval_max = 60s;  // a down worker's probes back off by doubling up to this
  duration timeout = 3s;
  std::uint32_t fall = 3;            // failed probes in a row that take a worker down
  std::uint32_t rise = 2;  // good probes in a row that bring it back; the first proof needs 1
  double jitter = 0.2;               // each interval is drawn from interval x (1 +- jitter)
};

struct ejection_settings {
  std::uint32_t consecutive_failures = 5;  // 0: never
  double failure_share = 0.3;  // of the last 20 attempts, for certain, and more than elsewhere
  duration base_time = 30s;                // n-th ejection lasts n x this
  duration time_max = 5min;
  double ejected_max = 0.5;                // share of the pool; never its last worker
  double outage_share = 0.5;               // this share of workers failing at once: a shared outage
};

struct adaptive_slots_settings {   // of workers that do not know how much they can do at once
  std::uint32_t min = 1;           // open slots of a worker, at least
  double tolerance = 1.5;          // a batch may take so many times what it takes at half the slots
};

struct learning_settings {         // how fast workers are, from the attempts that they ended
  duration memory = 30s;           // an attempt's weight is 1/e after this
  double prior_attempts = 8;       // at the pool's mean: a worker seen seldom is an average one
  double equal_within = 0.1;       // least_loaded: rates that differ by this share are the same
  double overdue = 4;              // times expected: its worker counts as slower from then on
  double stuck = 16;               // times expected: counts as a failure in ejection's share
  double joining_share = 0.3;      // of its slots and its rate, with which slow start begins
  double load_free = 0.8;          // a reported load up to this changes nothing
  double load_full_share = 0.25;   // of its rate when it reports that it can do no more
  duration load_memory = 10s;      // a report's weight is 1/e after this
};

struct retry_settings {            // a route's
  std::uint32_t attempts = 3;      // in all, the first one included
  bool unsafe = false;             // retry any method, key or not
  bool on_timeout = false;         // retry when the response timeout passed
  duration backoff_base = 50ms;    // doubled each time, with full jitter
  duration backoff_max = 5s;
  std::uint32_t bounces_max = 20;  // busy answers a batch may collect before one is relayed
};

struct retry_budget_settings {     // a pool's
  double ratio = 0.2;              // retries per batch admitted lately
  std::uint32_t min = 3;           // retries in 10 s that are allowed whatever the ratio says
};

struct autoscale_settings {
  std::uint32_t min = 1;
  std::uint32_t max = 1;
  duration objective = 2min;        // the longest that a batch should wait
  duration sustain = 10s;  // backlog must last this long before more than the base is asked
  duration startup_time = 60s;      // until an asked-for worker takes work; learned once seen
  double target_utilization = 0.8;
  duration scale_in_window = 5min;
  duration resend = 60s;            // the standing decision is sent again
  std::uint32_t slots_per_worker = 0;  // of workers still to come; 0: as those known
};

struct durable_settings {          // batches that the store keeps (depot.hpp)
  std::uint64_t batches_max = 5'000'000;    // open ones, wherever they are
  std::uint64_t bytes_max = 100ull << 30;   // of their bodies
  std::uint32_t window = 10'000;            // of those that wait, as many are kept in memory
};

struct pool_settings {
  std::string name;
  core::balance balance = core::balance::least_loaded;
  double hash_balance_factor = 1.25;  // hash: times its share of what runs, a worker takes no more
  queue_settings queue;
  health_settings health;
  ejection_settings ejection;
  learning_settings learning;
  retry_budget_settings retry_budget;
  durable_settings durable;
  std::optional<autoscale_settings> autoscale;
  std::optional<adaptive_slots_settings> adaptive_slots;  // none: all of a worker's are open
  duration slow_start = 60s;       // 0: off
  duration abandoned_hold = 30s;   // an abandoned attempt's slot counts as taken at most this long
  duration busy_rest_min = 100ms;  // a busy worker gets nothing for its Retry-After, at least this
  duration busy_rest_max = std::chrono::minutes(5);   // and at most this
  std::uint32_t workers_max = 4096;
};

struct worker_settings {
  std::string name;                // unique in the pool
  std::uint32_t slots = 1;
  double weight = 1;               // multiplies the learned rate
  bool managed = false;            // scale-in may remove it
  bool backup = false;             // used only when no other worker is left
};

// Whether workers_max may keep a worker out: not one that the configuration lists, nor one that
// takes the place of a worker that leaves.
enum class seat : std::uint8_t { limited, reserved };

}  // namespace weir::core
