#include "proxy/answers.hpp"

#include <array>

namespace weir::proxy {
namespace {

using telemetry::outcome;

struct row {
  fault what;
  answer_kind kind;
};

// RFC 9209 §2.3 names the errors.
constexpr row rows[] = {
    {fault::none, {500, "internal", "Internal error", "proxy_internal_error", outcome::failed}},
    {fault::bad_request,
     {400, "bad-request", "Bad request", "http_request_error", outcome::bad_request}},
    {fault::head_too_large,
     {431, "head-too-large", "Request head too large", "http_request_error", outcome::bad_request}},
    {fault::target_too_long,
     {414, "target-too-long", "Request target too long", "http_request_error",
      outcome::bad_request}},
    {fault::unknown_coding,
     {501, "not-implemented", "Not implemented", "http_request_error", outcome::bad_request}},
    {fault::bad_version,
     {505, "bad-version", "HTTP version not supported", "http_request_error",
      outcome::bad_request}},
    {fault::bad_expectation,
     {417, "bad-expectation", "Expectation not met", "http_request_error", outcome::bad_request}},
    {fault::head_timeout,
     {408, "too-slow", "Request too slow", "http_request_error", outcome::timed_out}},
    {fault::no_route, {404, "no-route", "No route", "destination_not_found", outcome::bad_request}},
    {fault::body_too_large,
     {413, "body-too-large", "Request body too large", "http_request_error", outcome::bad_request}},
    {fault::bad_field,
     {400, "bad-field", "Bad request field", "http_request_error", outcome::bad_request}},
    {fault::body_stalled,
     {408, "too-slow", "Request too slow", "http_request_error", outcome::timed_out}},
    {fault::body_broken,
     {400, "bad-body", "Broken request body", "http_request_error", outcome::bad_request}},
    {fault::queue_full,
     {429, "queue-full", "Queue full", "connection_limit_reached", outcome::refused}},
    {fault::queue_bytes_full,
     {429, "queue-bytes-full", "Queue full", "connection_limit_reached", outcome::refused}},
    {fault::tenant_full,
     {429, "tenant-full", "The tenant's queue is full", "connection_limit_reached",
      outcome::refused}},
    {fault::deadline,
     {429, "deadline", "Deadline cannot be met", "http_request_denied", outcome::refused}},
    {fault::wait_contended,
     {429, "wait-expired", "Waited too long", "connection_limit_reached", outcome::timed_out}},
    {fault::wait_no_worker,
     {503, "wait-expired", "Waited too long", "destination_unavailable", outcome::timed_out}},
    {fault::no_worker,
     {503, "no-worker", "No worker", "destination_unavailable", outcome::refused}},
    {fault::closing,
     {503, "draining", "Shutting down", "destination_unavailable", outcome::refused}},
    {fault::cancelled,
     {503, "cancelled", "Cancelled by an operator", "http_request_denied", outcome::cancelled}},
    {fault::retries_exhausted,
     {502, "worker-failed", "The worker failed", "destination_unavailable", outcome::failed}},
    {fault::poisoned,
     {502, "poisoned", "The batch fails wherever it runs", "destination_unavailable",
      outcome::failed}},
    {fault::connect_refused,
     {502, "connect-failed", "The worker cannot be reached", "connection_refused",
      outcome::failed}},
    {fault::connect_timeout,
     {502, "connect-failed", "The worker cannot be reached", "connection_timeout",
      outcome::failed}},
    {fault::unreachable,
     {502, "connect-failed", "The worker cannot be reached", "destination_ip_unroutable",
      outcome::failed}},
    {fault::unresolved,
     {502, "connect-failed", "The worker cannot be reached", "dns_error", outcome::failed}},
    {fault::tls_failed,
     {502, "tls-failed", "The worker's TLS failed", "tls_certificate_error", outcome::failed}},
    {fault::exhausted,
     {503, "exhausted", "Out of descriptors, ports or memory", "proxy_internal_error",
      outcome::failed}},
    {fault::worker_closed,
     {502, "worker-failed", "The worker failed", "connection_terminated", outcome::failed}},
    {fault::worker_protocol,
     {502, "worker-protocol", "The worker's response is broken", "http_protocol_error",
      outcome::failed}},
    {fault::worker_stalled,
     {504, "worker-stalled", "The worker stalled", "connection_write_timeout", outcome::timed_out}},
    {fault::response_timeout,
     {504, "response-timeout", "No response in time", "http_response_timeout", outcome::timed_out}},
    {fault::total_timeout,
     {504, "total-timeout", "Not done in time", "http_response_timeout", outcome::timed_out}},
    {fault::cut_off,
     {504, "cut-off", "Cut off by a shutdown", "proxy_internal_error", outcome::timed_out}},
    {fault::disk_full, {507, "disk-full", "No room on disk", "proxy_internal_error",
                        outcome::refused}},
    {fault::store_failed,
     {503, "store-failed", "The batch could not be stored", "proxy_internal_error",
      outcome::refused}},
    {fault::key_running,
     {409, "key-running", "A request with this key is running", "http_request_denied",
      outcome::refused}},
    {fault::key_mismatch,
     {422, "key-mismatch", "The key belongs to another request", "http_request_denied",
      outcome::bad_request}},
    {fault::key_taken,
     {409, "key-taken", "The key belongs to an asynchronous batch", "http_request_denied",
      outcome::refused}},
    {fault::no_batch,
     {404, "no-batch", "No such batch", "destination_not_found", outcome::bad_request}},
    {fault::bad_method,
     {405, "bad-method", "Method not allowed", "http_request_error", outcome::bad_request}},
    {fault::batch_unfinished,
     {409, "batch-unfinished", "The batch has not ended", "http_request_denied",
      outcome::bad_request}},
    {fault::batch_ended,
     {409, "batch-ended", "The batch has ended", "http_request_denied", outcome::bad_request}},
    {fault::result_gone,
     {410, "result-gone", "The result was not kept", "http_request_denied",
      outcome::bad_request}},
    {fault::copy_lost,
     {502, "worker-failed", "The worker failed", "proxy_internal_error", outcome::failed}},
    {fault::client_gone, {0, "client-gone", "Client gone", "", outcome::client_gone}},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(rows); ++i)
    if (static_cast<std::size_t>(rows[i].what) != i) return false;
  return true;
}
static_assert(in_order());

}  // namespace

const answer_kind& describe(fault f) noexcept { return rows[static_cast<std::size_t>(f)].kind; }

fault fault_of(core::refusal why, bool can_serve) noexcept {
  switch (why) {
    case core::refusal::queue_full: return fault::queue_full;
    case core::refusal::queue_bytes_full: return fault::queue_bytes_full;
    case core::refusal::tenant_full: return fault::tenant_full;
    case core::refusal::deadline: return fault::deadline;
    case core::refusal::wait_expired:
      return can_serve ? fault::wait_contended : fault::wait_no_worker;
    case core::refusal::no_worker:
    case core::refusal::no_worker_up: return fault::no_worker;
    case core::refusal::retries_exhausted:
    case core::refusal::retry_budget: return fault::retries_exhausted;
    case core::refusal::poisoned: return fault::poisoned;
    case core::refusal::cancelled: return fault::cancelled;
    case core::refusal::closing: return fault::closing;
    case core::refusal::none: break;
  }
  return fault::none;
}

fault fault_of_status(unsigned status) noexcept {
  switch (status) {
    case 414: return fault::target_too_long;
    case 417: return fault::bad_expectation;
    case 431: return fault::head_too_large;
    case 501: return fault::unknown_coding;
    case 505: return fault::bad_version;
    default: return fault::bad_request;
  }
}

}  // namespace weir::proxy
