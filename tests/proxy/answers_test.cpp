#include "proxy/answers.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

using namespace weir;
using proxy::fault;
using telemetry::outcome;

TEST_CASE(
    "every fault is answered with the status that the contract names, and counted as what it is") {
  struct row {
    fault what;
    unsigned status;
    outcome counted;
  };
  const row rows[] = {
      {fault::bad_request, 400, outcome::bad_request},
      {fault::key_running, 409, outcome::refused},
      {fault::key_taken, 409, outcome::refused},
      {fault::key_mismatch, 422, outcome::bad_request},
      {fault::no_batch, 404, outcome::bad_request},
      {fault::bad_method, 405, outcome::bad_request},
      {fault::batch_unfinished, 409, outcome::bad_request},
      {fault::batch_ended, 409, outcome::bad_request},
      {fault::result_gone, 410, outcome::bad_request},
      {fault::disk_full, 507, outcome::refused},
      {fault::store_failed, 503, outcome::refused},
      {fault::bad_field, 400, outcome::bad_request},
      {fault::body_broken, 400, outcome::bad_request},
      {fault::no_route, 404, outcome::bad_request},
      {fault::head_timeout, 408, outcome::timed_out},
      {fault::body_stalled, 408, outcome::timed_out},
      {fault::body_too_large, 413, outcome::bad_request},
      {fault::target_too_long, 414, outcome::bad_request},
      {fault::bad_expectation, 417, outcome::bad_request},
      {fault::queue_full, 429, outcome::refused},
      {fault::queue_bytes_full, 429, outcome::refused},
      {fault::tenant_full, 429, outcome::refused},
      {fault::deadline, 429, outcome::refused},
      {fault::wait_contended, 429, outcome::timed_out},
      {fault::head_too_large, 431, outcome::bad_request},
      {fault::unknown_coding, 501, outcome::bad_request},
      {fault::retries_exhausted, 502, outcome::failed},
      {fault::connect_refused, 502, outcome::failed},
      {fault::connect_timeout, 502, outcome::failed},
      {fault::unreachable, 502, outcome::failed},
      {fault::unresolved, 502, outcome::failed},
      {fault::tls_failed, 502, outcome::failed},
      {fault::worker_closed, 502, outcome::failed},
      {fault::worker_protocol, 502, outcome::failed},
      {fault::exhausted, 503, outcome::failed},
      {fault::wait_no_worker, 503, outcome::timed_out},
      {fault::no_worker, 503, outcome::refused},
      {fault::closing, 503, outcome::refused},
      {fault::cancelled, 503, outcome::cancelled},
      {fault::worker_stalled, 504, outcome::timed_out},
      {fault::response_timeout, 504, outcome::timed_out},
      {fault::total_timeout, 504, outcome::timed_out},
      {fault::cut_off, 504, outcome::timed_out},
      {fault::bad_version, 505, outcome::bad_request},
      {fault::copy_lost, 502, outcome::failed},
      {fault::poisoned, 502, outcome::failed},
      {fault::client_gone, 0, outcome::client_gone},
  };
  std::set<fault> covered;
  for (const row& r : rows) {
    INFO("fault " << static_cast<int>(r.what));
    CHECK(proxy::describe(r.what).status == r.status);
    CHECK(proxy::describe(r.what).outcome == r.counted);
    covered.insert(r.what);
  }
  CHECK(covered.size() == static_cast<std::size_t>(fault::client_gone));   // all but `none`
}

TEST_CASE(
    "every answer has a type that fits a URI, a title, and an error that RFC 9209 registers") {
  const std::set<std::string_view> registered{
      "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable",
      "destination_ip_prohibited", "destination_ip_unroutable", "connection_refused",
      "connection_terminated", "connection_timeout", "connection_read_timeout",
      "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
      "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
      "http_response_incomplete", "http_response_header_section_size", "http_response_header_size",
      "http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size",
      "http_response_transfer_coding", "http_response_content_coding", "http_response_timeout",
      "http_upgrade_failed", "http_protocol_error", "proxy_internal_response",
      "proxy_internal_error", "proxy_configuration_error", "proxy_loop_detected"};
  for (int f = 0; f < static_cast<int>(fault::client_gone); ++f) {
    INFO("fault " << f);
    const auto& kind = proxy::describe(static_cast<fault>(f));
    CHECK_FALSE(kind.title.empty());
    CHECK(registered.contains(kind.proxy_error));
    REQUIRE_FALSE(kind.type.empty());
    CHECK(kind.type.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos);
  }
}

TEST_CASE("a pool's refusal is contended with a worker there, and 503 without one") {
  struct row {
    core::refusal why;
    bool can_serve;
    fault what;
  };
  const row rows[] = {
      {core::refusal::queue_full, true, fault::queue_full},
      {core::refusal::queue_full, false, fault::queue_full},
      {core::refusal::queue_bytes_full, true, fault::queue_bytes_full},
      {core::refusal::tenant_full, true, fault::tenant_full},
      {core::refusal::deadline, true, fault::deadline},
      {core::refusal::wait_expired, true, fault::wait_contended},
      {core::refusal::wait_expired, false, fault::wait_no_worker},
      {core::refusal::no_worker, false, fault::no_worker},
      {core::refusal::no_worker_up, false, fault::no_worker},
      {core::refusal::retries_exhausted, true, fault::retries_exhausted},
      {core::refusal::retry_budget, true, fault::retries_exhausted},
      {core::refusal::poisoned, true, fault::poisoned},
      {core::refusal::cancelled, true, fault::cancelled},
      {core::refusal::closing, true, fault::closing},
      {core::refusal::none, true, fault::none},
  };
  for (const row& r : rows) {
    INFO(core::name(r.why) << ", can serve " << r.can_serve);
    CHECK(proxy::fault_of(r.why, r.can_serve) == r.what);
  }
}

TEST_CASE("what the head parser found is answered with the parser's own status") {
  for (const unsigned status : {400u, 414u, 417u, 431u, 501u, 505u}) {
    INFO(status);
    CHECK(proxy::describe(proxy::fault_of_status(status)).status == status);
  }
  CHECK(proxy::fault_of_status(0) == fault::bad_request);
}
