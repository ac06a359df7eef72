#include "telemetry/names.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace weir::telemetry;

TEST_CASE("metric names are the ones that users were promised") {
  struct row {
    metric_name name;
    const char* promised;
  };
  const row rows[] = {
      {names::batches, "weir_batches_total"},
      {names::batch_duration, "weir_batch_duration_seconds"},
      {names::queue_wait, "weir_queue_wait_seconds"},
      {names::queue_batches, "weir_queue_batches"},
      {names::queue_cost, "weir_queue_cost"},
      {names::queue_oldest, "weir_queue_oldest_seconds"},
      {names::queue_drain, "weir_queue_drain_seconds"},
      {names::worker_state, "weir_worker_state"},
      {names::worker_slots, "weir_worker_slots"},
      {names::worker_slots_open, "weir_worker_slots_open"},
      {names::worker_reported_load, "weir_worker_reported_load"},
      {names::bad_load_reports, "weir_bad_load_reports_total"},
      {names::worker_in_flight, "weir_worker_in_flight"},
      {names::worker_outstanding_cost, "weir_worker_outstanding_cost"},
      {names::worker_rate, "weir_worker_rate"},
      {names::attempts, "weir_attempts_total"},
      {names::retries, "weir_retries_total"},
      {names::ejections, "weir_ejections_total"},
      {names::probes, "weir_probes_total"},
      {names::autoscale_desired, "weir_autoscale_desired"},
      {names::autoscale_hooks, "weir_autoscale_hooks_total"},
      {names::reload_successful, "weir_config_last_reload_successful"},
      {names::reload_success_time, "weir_config_last_reload_success_timestamp_seconds"},
      {names::connections, "weir_connections"},
      {names::limit_hits, "weir_limit_hits_total"},
  };
  for (const auto& r : rows) {
    CHECK(r.name.name == r.promised);
    CHECK_FALSE(r.name.help.empty());
  }
}

TEST_CASE("no two metrics share a name, and names are what Prometheus takes") {
  std::set<std::string_view> seen;
  for (const auto& m :
       {names::batches, names::batch_duration, names::queue_wait, names::queue_batches,
        names::queue_cost, names::queue_oldest, names::queue_drain, names::worker_state,
        names::worker_slots, names::worker_in_flight, names::worker_outstanding_cost,
        names::worker_rate, names::attempts, names::retries, names::ejections, names::probes,
        names::autoscale_desired, names::autoscale_hooks, names::reload_successful,
        names::reload_success_time, names::connections, names::limit_hits,
        names::access_log_errors}) {
    CAPTURE(m.name);
    CHECK(seen.insert(m.name).second);
    CHECK(m.name.starts_with("weir_"));
    CHECK(m.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == m.name.npos);
    CHECK(m.help.ends_with('.'));
  }
}
