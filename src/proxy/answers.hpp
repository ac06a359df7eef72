// weir's own answers: which fault gives which status, problem type, title and Proxy-Status error.
// One table, so that the contract's list of statuses can be read off it.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/types.hpp"
#include "telemetry/access_log.hpp"

namespace weir::proxy {

enum class fault : std::uint8_t {
  none,
  bad_request, head_too_large, target_too_long, unknown_coding, bad_version, bad_expectation,
  head_timeout, no_route, body_too_large, bad_field, body_stalled, body_broken,
  queue_full, queue_bytes_full, tenant_full, deadline, wait_contended,
  wait_no_worker, no_worker, closing, cancelled, retries_exhausted, poisoned,
  connect_refused, connect_timeout, unreachable, unresolved, tls_failed, exhausted,
  worker_closed, worker_protocol, worker_stalled,
  response_timeout, total_timeout, cut_off,
  disk_full, store_failed,
  key_running, key_mismatch, key_taken,
  no_batch, bad_method, batch_unfinished, batch_ended, result_gone,
  copy_lost,
  client_gone,
};

struct answer_kind {
  unsigned status;                // 0: nobody is there to answer
  std::string_view type, title, proxy_error;
  telemetry::outcome outcome;
};
const answer_kind& describe(fault) noexcept;

fault fault_of(core::refusal why, bool can_serve) noexcept;
// For the statuses that the head parser answers with.
fault fault_of_status(unsigned status) noexcept;

}  // namespace weir::proxy
