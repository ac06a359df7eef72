// A backroom without loops or disk: a real gate whose mail the test delivers when it likes, an
// engine that answers when it is told to, and a runner that does one step of each attempt a call,
// as the dispatcher would. Single-threaded.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gate_kit.hpp"
#include "proxy/backroom.hpp"

namespace weir::test {

// Only what the backroom asks of it; anything else would crash the test.
class paper_engine final : public store::engine {
 public:
  template <class T>
  using done = store::done<T>;
  using id = store::batch_id;
  using ms = store::unix_ms;

  struct load_call {
    std::uint32_t lane;
    std::int64_t after;
    unsigned limit;
    done<std::vector<store::batch>> told;
  };
  struct end_call {
    id which;
    std::string outcome;
    bool tells;
    done<void> told;
  };
  std::deque<load_call> loads;
  std::deque<end_call> given_up;
  std::deque<done<std::vector<store::lane_state>>> lane_calls;
  std::deque<std::pair<id, done<store::batch>>> finds;

  void load(std::uint32_t lane, std::int64_t after, unsigned limit,
            done<std::vector<store::batch>> told) override {
    loads.push_back({lane, after, limit, std::move(told)});
  }
  void lanes(done<std::vector<store::lane_state>> told) override {
    lane_calls.push_back(std::move(told));
  }
  void give_up(id which, std::string outcome, std::string, ms, bool tells,
               done<void> told) override {
    given_up.push_back({which, std::move(outcome), tells, std::move(told)});
  }

  void find(id which, bool, done<store::batch> told) override {
    finds.emplace_back(which, std::move(told));
  }

  void add(store::batch, std::optional<store::key_claim>, done<store::added>) override { no(); }
  void open_attempt(id, std::string, ms, done<store::opened_attempt>) override { no(); }
  void end_attempt(store::finished_attempt, done<void>) override { no(); }
  void cancel(id, ms, done<void>) override { no(); }
  void requeue(id, ms, done<store::batch>) override { no(); }
  void drop(id, done<void>) override { no(); }
  void response_of(id, done<store::response>) override { no(); }
  void attempts_of(id, done<std::vector<store::attempt_note>>) override { no(); }
  void list(store::batch_query, done<std::vector<store::batch_line>>) override { no(); }
  void count(done<store::store_counts>) override { no(); }
  void claim_key(store::digest, ms, done<store::key_record>) override { no(); }
  void settle_key(store::key_claim, store::response, ms, done<void>) override { no(); }
  void release_key(store::digest) override { no(); }
  void keep_message(store::message, done<void>) override { no(); }
  void forget_message(store::message, done<void>) override { no(); }
  void messages(std::string, done<store::message_page>) override { no(); }
  void due_messages(std::string, unsigned, done<store::message_page>) override { no(); }
  void sweep(store::retention, ms, done<store::swept>) override { no(); }
  void back_up(std::string, done<void>) override { no(); }

 private:
  [[noreturn]] static void no() { std::abort(); }
};

inline store::unix_ms wall_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct backroom_kit {
  enum class stage { ordered, sent, over };
  struct run {
    proxy::run_order order;
    stage at = stage::ordered;
    bool interrupted = false;
    core::verdict then;
  };

  static base::instant now() { return net::loop::read_clock(); }
  template <class Use>
  auto pool(Use use) {
    return gate->with(now(), use);
  }

  explicit backroom_kit(std::uint32_t slots = 1, unsigned loops = 2,
                        core::pool_settings settings = plain_pool())
      : room(engine, loops, 5, outlets()) {
    gate = std::make_shared<proxy::pool_gate>(
        std::move(settings), 7, now(),
        proxy::gate_outlet{[this](std::span<const proxy::settlement> all) {
                             mail.insert(mail.end(), all.begin(), all.end());
                           },
                           [this](core::effects&& e) {
                             loads.insert(loads.end(), e.loads.begin(), e.loads.end());
                           }});
    core::worker_settings w;
    w.name = "w1", w.slots = slots;
    if (slots > 0) pool([&](core::pool& p, base::instant t) { return p.add_worker(w, t); });
    room.publish(plan_with({"orders"}));
  }

  std::size_t running() {
    return pool([](core::pool& p, base::instant) { return p.running(); });
  }
  std::size_t waiting() {
    return pool([](core::pool& p, base::instant) { return p.waiting(); });
  }
  std::size_t busy() {
    return pool([](core::pool& p, base::instant t) { return p.view(t).slots_busy; });
  }
  std::uint64_t open_in_books() {
    return pool([](core::pool& p, base::instant t) { return p.view(t).durable_batches; });
  }

  std::shared_ptr<proxy::plan> plan_with(const std::vector<std::string>& routes) {
    auto p = std::make_shared<proxy::plan>();
    p->pools.emplace_back();
    p->pools[0].name = gate->name();
    p->pools[0].gate = gate;
    for (const std::string& name : routes) {
      proxy::route_plan r;
      r.settings.name = name;
      r.settings.async_retry.backoff_base = r.settings.async_retry.backoff_max = 10s;
      r.settings.retry.bounces_max = 1;
      r.pool = &p->pools[0];
      r.core_route = pool([&](core::pool& c, base::instant) { return c.route(name); });
      p->routes.push_back(std::move(r));
    }
    return p;
  }

  static store::batch batch(unsigned n) {
    store::batch b;
    b.id = {};
    b.id[0] = static_cast<unsigned char>(n), b.id[1] = static_cast<unsigned char>(n >> 8);
    b.pool = "loaders", b.route = "orders";
    b.created = b.changed = wall_now();
    b.seq = n, b.lane = 1;
    b.body.size = 10;
    return b;
  }
  // As a request is taken: reserved, stored, and then it arrives.
  void arrive(const store::batch& b) {
    pool([&](core::pool& p, base::instant t) { return p.reserve_durable(b.body.size, t); });
    room.arrived(b, {b.seq, b.lane, b.id, false});
  }
  void arrive(unsigned n) { arrive(batch(n)); }

  void deliver() {
    while (!mail.empty()) {
      const proxy::settlement s = mail.front();
      mail.pop_front();
      if (proxy::backroom::owns(s.owner)) room.settle(s);
    }
  }
  // Time goes by for the pool alone.
  void elapse(base::duration d) {
    elapsed += d;
    gate->expire(now() + elapsed);
  }
  // What was put back is as the store has it.
  void find_all(store::batch_state s = store::batch_state::queued) {
    for (auto& [id, told] : std::exchange(engine.finds, {})) {
      store::batch b = batch(id[0] | static_cast<unsigned>(id[1]) << 8);
      b.state = s;
      told(std::move(b));
    }
  }
  // One step of every run. `end` is how those attempts end that were sent.
  void step(core::attempt_end end = core::attempt_end::succeeded) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const run now = runs[i];
      const bool goes_on = now.at == stage::ordered ? !now.interrupted
                           : now.at == stage::sent
                               ? true
                               : now.then.what == core::verdict::kind::granted;
      if (!goes_on) runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(i--));
      switch (now.at) {
        case stage::ordered: goes_on ? void(runs[i].at = stage::sent) : leave(now); break;
        case stage::sent: finish(runs[i], end); break;
        case stage::over: goes_on ? again(runs[i]) : written(now); break;
      }
    }
  }
  void until_quiet() {
    for (int i = 0; i < 1000 && (!mail.empty() || !runs.empty()); ++i) deliver(), step();
  }

  paper_engine engine;
  std::deque<proxy::settlement> mail;
  std::vector<core::load_order> loads;
  std::vector<run> runs;                    // open ones
  std::vector<std::uint64_t> interrupted;
  unsigned begun = 0;                       // run orders so far
  std::map<store::batch_id, unsigned> open_now;   // runs of a batch at once
  unsigned most_open = 0;
  int callbacks_due = 0;
  base::duration elapsed{};
  bool loops_right = true;                  // each was given to the loop of its number
  std::shared_ptr<proxy::pool_gate> gate;
  proxy::backroom room;

 private:
  proxy::backroom::outlets outlets() {
    return {[this](unsigned loop, proxy::run_order o) {
              loops_right = loops_right && loop == proxy::backroom::loop_of(o.owner);
              most_open = std::max(most_open, ++open_now[o.id]);
              ++begun;
              runs.push_back({std::move(o), stage::ordered, false, {}});
            },
            [this](unsigned, std::uint64_t owner) {
              interrupted.push_back(owner);
              for (run& r : runs)
                if (r.order.owner == owner) r.interrupted = true;
            },
            [this] { ++callbacks_due; }, wall_now};
  }
  void leave(const run& r) {
    --open_now[r.order.id];
    room.leave(r.order);
  }
  void finish(run& r, core::attempt_end end) {
    core::attempt_report report;
    report.end = r.interrupted ? core::attempt_end::client_fault : end;
    report.may_retry = !r.interrupted;
    r.then = gate->finish(r.order.grant.batch, report, now());
    r.at = stage::over;
  }
  static proxy::run_order with_tries(const run& r) {
    proxy::run_order o = r.order;
    o.tries = r.then.tries;
    return o;
  }
  // Granted again in the same breath.
  static void again(run& r) {
    r.order.grant = r.then.grant, r.order.tries = r.then.tries;
    r.at = stage::ordered;
  }
  void written(const run& r) {
    --open_now[r.order.id];
    if (r.then.what == core::verdict::kind::waiting)
      room.waits_again(with_tries(r));
    else
      room.ended(r.order.owner, r.order.id);
  }
};

// Somebody else has the only slot, until told.
struct taken_slot {
  explicit taken_slot(backroom_kit& k) : kit(k) {
    core::batch_facts f;
    f.wait_max = base::forever;
    runner = kit.gate->admit(f, backroom_kit::now());
    REQUIRE(runner.what == core::admission::kind::granted);
  }
  void free() {
    core::attempt_report r;
    r.end = core::attempt_end::succeeded;
    if (!std::exchange(freed, true)) kit.gate->finish(runner.batch, r, backroom_kit::now());
  }
  backroom_kit& kit;
  core::admission runner;
  bool freed = false;
};

inline void check_empty(backroom_kit& kit) {
  CHECK(kit.runs.empty());
  CHECK(kit.running() == 0);
  CHECK(kit.waiting() == 0);
  CHECK(kit.busy() == 0);
  CHECK(kit.most_open <= 1);
  CHECK(kit.loops_right);
}

}  // namespace weir::test
