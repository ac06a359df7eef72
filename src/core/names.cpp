// The words for enumerators that logs, metrics and the admin API use.
#include "core/types.hpp"

namespace weir::core {

std::string_view name(worker_state s) noexcept {
  switch (s) {
    case worker_state::checking:
      return "checking";
    case worker_state::up:
      return "up";
    case worker_state::saturated:
      return "saturated";
    case worker_state::ejected:
      return "ejected";
    case worker_state::down:
      return "down";
    case worker_state::draining:
      return "draining";
    case worker_state::removed:
      return "removed";
  }
  return "unknown";
}

std::string_view name(refusal r) noexcept {
  switch (r) {
    case refusal::none:
      return "none";
    case refusal::queue_full:
      return "queue_full";
    case refusal::queue_bytes_full:
      return "queue_bytes_full";
    case refusal::tenant_full:
      return "tenant_full";
    case refusal::deadline:
      return "deadline";
    case refusal::wait_expired:
      return "wait_expired";
    case refusal::no_worker:
      return "no_worker";
    case refusal::no_worker_up:
      return "no_worker_up";
    case refusal::retries_exhausted:
      return "retries_exhausted";
    case refusal::retry_budget:
      return "retry_budget";
    case refusal::cancelled:
      return "cancelled";
    case refusal::closing:
      return "closing";
    case refusal::poisoned:
      return "poisoned";
  }
  return "unknown";
}

std::string_view name(attempt_end e) noexcept {
  switch (e) {
    case attempt_end::succeeded:
      return "succeeded";
    case attempt_end::connect_failed:
      return "connect_failed";
    case attempt_end::stale_connection:
      return "stale_connection";
    case attempt_end::busy:
      return "busy";
    case attempt_end::failed:
      return "failed";
    case attempt_end::response_timeout:
      return "response_timeout";
    case attempt_end::client_gone:
      return "client_gone";
    case attempt_end::client_fault:
      return "client_fault";
  }
  return "unknown";
}

}  // namespace weir::core
