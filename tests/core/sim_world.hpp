// A virtual-time world around the real core::pool: fake workers that are slow, fail, refuse, are
// busy or vanish, clients that leave, operators that drain, remove, pause and reload, and a scaler
// that obeys decisions. One seed is one run. After every step the world compares the pool with its
// own books and checks design.md's invariants; broken() says which one broke first, and when.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "core/pool.hpp"

namespace weir::core::test {

struct sim_options {
  double seconds = 60;  // of arrivals; the world then runs on until all have ended
  std::uint32_t workers = 4;
  double arrivals_per_second = 4;
  double mean_work = 0.5;    // seconds at speed 1
  double fault_share = 0.1;  // of attempts that end in some fault
  double operator_per_second = 0.1;
  double cancel_share = 0.05;
  bool probes = true;
  bool scaling = false;
  bool closes = false;  // close() before the end
  double durable_share = 0;
  bool tenant_caps = false;
};
sim_options options_of(std::uint64_t seed);

struct sim_counts {
  std::uint64_t admitted = 0, refused = 0, done = 0, failed = 0, evicted = 0, cancelled = 0;
  std::uint64_t grants = 0, retries = 0, bounces = 0, refusals = 0, stale = 0, abandoned = 0;
  std::uint64_t ejections = 0, outages = 0, downs = 0, drains = 0, removals = 0, reloads = 0;
  std::uint64_t decisions = 0, kept_waiting = 0, pauses = 0, backups_used = 0;
  std::uint64_t capped = 0, tenant_full = 0;
  std::uint64_t durable = 0, stored = 0, loaded = 0, unstored = 0, uncounted = 0, poisoned = 0;
  void add(const sim_counts& o);
};

class sim_world {
 public:
  sim_world(std::uint64_t seed, const sim_options& options);
  void run();
  const std::string& broken() const noexcept { return broken_; }  // empty: every invariant held
  const sim_counts& counts() const noexcept { return counts_; }

 private:
  enum class what : std::uint8_t {
    arrival,
    attempt_ends,
    client_leaves,
    probe_answer,
    slot_released,
    operator_acts,
    worker_starts,
    store_answers
  };
  struct happening {
    instant when{};
    std::uint64_t order = 0;
    what kind{};
    std::uint64_t a = 0, b = 0;
    bool operator>(const happening& o) const {
      return when != o.when ? when > o.when : order > o.order;
    }
  };
  // Durable ones begin as `written`; what waits on disk only is `stored`.
  enum class life : std::uint8_t { waiting, granted, ended, written, stored };
  struct client_batch {
    batch_id id;
    life is = life::waiting;
    worker_id on;
    std::uint32_t attempt = 0, executed = 0, moves = 0;
    std::string tenant;                // of a durable one its number; empty: nobody's
    retry_settings retry;
    instant arrived{};
    duration limit{};
    instant deadline{};
    double work = 0;
    std::vector<worker_id> failed_on;  // the last four
    bool durable = false;
    batch_facts facts;                 // of its record, when durable
  };
  // What the store's one thread does, in order.
  struct store_call {
    enum class kind : std::uint8_t { add, load, cancel };
    kind what{};
    std::uint64_t owner = 0;
    load_order order{};
  };
  struct fake_worker {
    worker_settings settings;
    double speed = 1, fails = 0, refuses = 0, busy = 0;
    bool healthy = true, leaving = false;
    std::uint32_t running = 0, abandoned = 0;
  };
  struct held_slot {
    worker_id worker;
    batch_id batch;
    instant until{};
  };

  // --- what happens ---------------------------------------------------------------------------
  void schedule(instant when, what kind, std::uint64_t a = 0, std::uint64_t b = 0);
  void step();
  void happen(const happening& h);
  void arrive();
  void attempt_ends(std::uint64_t owner, std::uint32_t attempt);
  void client_leaves(std::uint64_t owner);
  void answer_probe(worker_id id);
  void release_slot(worker_id worker, batch_id batch);
  void operator_acts();
  void sicken(fake_worker& w);
  void drain_or_undrain(worker_id id);
  void remove(worker_id id);
  void add_worker(bool managed);
  void reload();
  void end_of_arrivals();
  void expire();

  // --- durable batches (sim_durable.cpp) --------------------------------------------------------
  void submit(client_batch b, batch_facts f);
  void ask_store(const store_call& call);
  void store_answers();
  void added(std::uint64_t owner);
  void load(const load_order& order);
  void cancelled_on_disk(std::uint64_t owner);
  void offer(std::uint64_t owner);
  void account_durable(client_batch& b, const attempt_report& r, const verdict& v);
  void leave_to_store();
  void check_durable();

  // --- the books ---------------------------------------------------------------------------------
  attempt_report report_for(const client_batch& b, const fake_worker& w);
  void account(std::uint64_t owner, const attempt_report& r, const verdict& v);
  void note_retry(const client_batch& b, const attempt_report& r);
  void take_effects();
  void take_one_round();
  void on_grant(const grant& g);
  void on_eviction(const eviction& e);
  void on_decision(const scale_decision& d);
  void on_event(const event& e);
  void end(std::uint64_t owner);
  double seconds_on(const client_batch& b, const fake_worker& w);

  // --- invariants --------------------------------------------------------------------------------
  void expect(bool holds, const char* invariant, std::uint64_t about = 0);
  void check();
  void check_workers(const std::vector<worker_view>& views);
  void check_no_idle_slot(const std::vector<worker_view>& views);
  void check_grants(const std::vector<worker_view>& views);
  bool may_use(const client_batch& b, const worker_view& w,
               const std::vector<worker_view>& all) const;
  bool failed_it(const client_batch& b, const worker_view& w) const;
  bool has_other(const client_batch& b, const worker_view& w,
                 const std::vector<worker_view>& all) const;
  tenant_settings tenant_of(const client_batch& b) const;
  bool at_cap(const client_batch& b) const;
  std::uint64_t of_its_tenant(const client_batch& b, life is) const;
  void check_retry_budget();

  bool chance(double p) { return random_.unit() < p; }
  duration exponential(double mean_seconds);
  worker_id any_worker();

  sim_options options_;
  base::random random_;
  pool_settings settings_;
  instant now_;
  pool pool_;
  std::priority_queue<happening, std::vector<happening>, std::greater<>> agenda_;
  std::map<std::uint64_t, client_batch> batches_;  // by owner, those that have not ended
  std::map<worker_id, fake_worker> workers_;
  std::vector<held_slot> held_;
  std::vector<grant> fresh_grants_;  // of this step
  std::vector<instant> admitted_at_, retried_at_;
  std::deque<store_call> store_calls_;
  std::map<std::uint32_t, std::map<std::int64_t, std::uint64_t>> lanes_;  // queued: place to owner
  instant store_free_{};
  std::int64_t places_ = 0;
  std::uint64_t owners_ = 0, order_ = 0, names_ = 0;
  bool arriving_ = true, paused_ = false, closed_ = false;
  sim_counts counts_;
  std::string broken_;
};

}  // namespace weir::core::test
