// The names and help texts of weir's metrics, in one place, so that dashboards keep working: rooms
// pass one of these to the registry instead of spelling a name. Labels stand in each comment.
#pragma once

#include <string_view>

namespace weir::telemetry {

struct metric_name {
  std::string_view name, help;
};

namespace names {

inline constexpr metric_name batches{  // pool, route, outcome
    "weir_batches_total", "Batches that ended, by how they ended."};
inline constexpr metric_name batch_duration{  // pool; histogram
    "weir_batch_duration_seconds", "From a batch's head read to its response's last byte."};
inline constexpr metric_name queue_wait{  // pool, outcome; histogram
    "weir_queue_wait_seconds", "How long batches waited for a slot, by how the wait ended."};
inline constexpr metric_name queue_batches{  // pool
    "weir_queue_batches", "Batches that wait for a slot."};
inline constexpr metric_name queue_cost{  // pool
    "weir_queue_cost", "Work that waits, in seconds at the pool's average rate."};
inline constexpr metric_name queue_oldest{  // pool
    "weir_queue_oldest_seconds", "Age of the batch that has waited longest."};
inline constexpr metric_name queue_drain{  // pool
    "weir_queue_drain_seconds",
    "Time until the backlog is gone at the present rate; +Inf while no worker is up for it."};
inline constexpr metric_name worker_state{  // pool, worker, state
    "weir_worker_state", "1 for the state that a worker is in, 0 for the others."};
inline constexpr metric_name worker_slots{  // pool, worker
    "weir_worker_slots", "Slots of a worker."};
inline constexpr metric_name worker_slots_open{  // pool, worker
    "weir_worker_slots_open", "Slots of a worker that may be filled now."};
inline constexpr metric_name worker_reported_load{  // pool, worker
    "weir_worker_reported_load", "Utilization that a worker reported in the last minute; 0: none."};
inline constexpr metric_name bad_load_reports{  // pool, worker
    "weir_bad_load_reports_total", "Reports of a worker's load that made no sense."};
inline constexpr metric_name worker_in_flight{  // pool, worker
    "weir_worker_in_flight", "Attempts that run on a worker, abandoned ones included."};
inline constexpr metric_name worker_outstanding_cost{  // pool, worker
    "weir_worker_outstanding_cost", "Estimated work that runs on a worker, in seconds."};
inline constexpr metric_name worker_rate{  // pool, worker
    "weir_worker_rate", "Learned rate of a worker; 1 is the pool's average."};
inline constexpr metric_name attempts{  // pool, worker, outcome
    "weir_attempts_total", "Attempts that ended, by how they ended."};
inline constexpr metric_name retries{  // pool, reason
    "weir_retries_total", "Batches sent back for another attempt, by why."};
inline constexpr metric_name ejections{  // pool, worker
    "weir_ejections_total", "Times that passive checks took a worker out."};
inline constexpr metric_name probes{  // pool, worker, result
    "weir_probes_total", "Active checks, by result."};
inline constexpr metric_name autoscale_desired{  // pool
    "weir_autoscale_desired", "Workers that the standing scale decision asks for."};
inline constexpr metric_name autoscale_hooks{  // pool, direction, outcome
    "weir_autoscale_hooks_total", "Scale hooks called, by outcome."};
inline constexpr metric_name callbacks{  // route, outcome
    "weir_callbacks_total", "Ends of asynchronous batches told to their callback, by outcome."};
inline constexpr metric_name reload_successful{
    "weir_config_last_reload_successful", "1 when the last reload was taken, 0 when refused."};
inline constexpr metric_name reload_success_time{
    "weir_config_last_reload_success_timestamp_seconds", "When a reload was last taken."};
inline constexpr metric_name connections{  // listener
    "weir_connections", "Open client connections."};
inline constexpr metric_name limit_hits{  // limit: the configuration's key, limits.head_bytes
    "weir_limit_hits_total", "Times that a configured limit was reached."};
inline constexpr metric_name replay_bytes{  // where: memory, disk
    "weir_replay_bytes", "Bytes of bodies that are kept so that their batch can be retried."};
inline constexpr metric_name stored_batches{  // state
    "weir_stored_batches", "Asynchronous batches in state_dir, by state; looked at every 10 s."};
inline constexpr metric_name store_bytes{
    "weir_store_bytes", "Size of the database and the spool files in state_dir."};
inline constexpr metric_name store_commits{
    "weir_store_commits_total", "Transactions that were synced to disk."};
inline constexpr metric_name store_damaged{
    "weir_store_damaged_total", "Records that were not what was written, and were set aside."};
inline constexpr metric_name backup_time{
    "weir_backup_last_success_timestamp_seconds", "When a backup was last made; 0: not yet."};
inline constexpr metric_name backups_failed{
    "weir_backup_failures_total", "Scheduled backups that failed."};
inline constexpr metric_name access_log_errors{
    "weir_access_log_errors_total", "Writes or openings of the access log that failed."};

}  // namespace names
}  // namespace weir::telemetry
