// A backend for tests of the admin room: one pool "loaders" with two workers, everything settable,
// every change written down. Single-threaded.
#pragma once

#include <string>
#include <vector>

#include "admin/backend.hpp"

namespace weir::admin {

class fake_backend final : public backend {
 public:
  fake_backend();

  readiness ready() override { return ready_now; }
  std::string metrics() override { return "weir_queue_batches{pool=\"loaders\"} 3\n"; }
  process_status status() override { return process; }
  std::vector<core::pool_view> pools() override { return pool_views; }
  answer<std::vector<worker_status>> workers(std::string_view pool) override;
  answer<core::queue_page> queue(std::string_view pool, std::size_t offset,
                                 std::size_t limit) override;
  answer<std::string> explain(std::string_view batch) override;
  answer<scale_view> scale(std::string_view pool) override;
  std::string config_json() override { return R"({"threads":"auto"})"; }
  event_page events(std::uint64_t since, std::size_t limit) override;

  void reload(done<change_report> tell) override;
  void plan(plan_request wanted, done<change_report> tell) override;
  answer<lease> register_worker(const register_request& r) override;
  answer<lease> renew_lease(std::string_view pool, std::string_view worker,
                            std::string_view secret) override;
  answer<void> end_lease(std::string_view pool, std::string_view worker,
                         std::string_view secret) override;
  answer<void> drain(std::string_view pool, std::string_view worker) override;
  answer<void> undrain(std::string_view pool, std::string_view worker) override;
  answer<void> remove_worker(std::string_view pool, std::string_view worker) override;
  answer<void> pause(std::string_view pool) override;
  answer<void> resume(std::string_view pool) override;
  void test_scale(std::string_view pool, done<change_report> tell) override;
  void batches(batch_filter filter, done<std::string> tell) override;
  void batch(std::string id, done<std::string> tell) override;
  void change_batch(batch_change what, std::string id, done<change_report> tell) override;
  void change_batches(batch_change what, batch_filter filter, done<change_report> tell) override;
  void back_up(std::string folder, done<change_report> tell) override;

  readiness ready_now{true, ""};
  process_status process;
  std::vector<core::pool_view> pool_views;
  std::vector<worker_status> worker_list;
  std::vector<hook_status> hooks;
  std::size_t waiting = 3;                  // batches of every pool: b0, b1, …
  std::vector<std::string> changes;         // "drain loaders/w1" and the like
  std::vector<register_request> registered;
  std::optional<failure> refusal;           // what changes answer, when set
  bool hold_answers = false;                // reload keeps its callback in `held`
  std::vector<done<change_report>> held;

 private:
  answer<void> changed(std::string what);
  bool knows(std::string_view pool) const;
};

}  // namespace weir::admin
