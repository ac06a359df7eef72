#include "config/rules.hpp"
#include "config/spec_bind.hpp"

namespace weir::config {
namespace {

using namespace bind;

const section& tenant_section() {
  static const section s{
      "routes[].tenant",
      "Whose batch it is: tenants share a pool by cost. Absent: all are one tenant.",
      {
          required(leaf<&route::tenant_header>("header", of(kind::field_name),
                                               "Header field that holds the tenant's name.")),
      },
      {}};
  return s;
}

key tenant_key() {
  auto k = same_object("tenant", tenant_section());
  k.optional = true;
  k.peek = [](const void* o) -> const void* {
    return static_cast<const route*>(o)->tenant_header.empty() ? nullptr : o;
  };
  return k;
}

key cost_key(std::string_view name, shape type, cost_kind means, std::string_view doc) {
  key k;
  k.name = name;
  k.type = std::move(type);
  k.doc = doc;
  k.given = [means](const void* o) { return static_cast<const cost_source*>(o)->kind == means; };
  return k;
}

key cost_header_key() {
  auto k = cost_key("header", of(kind::field_name), cost_kind::header,
                    "Header field with a number, such as the rows in the batch.");
  k.fallback = std::string{};
  k.store = [](void* o, value v) {
    auto& c = *static_cast<cost_source*>(o);
    c.kind = cost_kind::header;
    c.header = std::get<std::string>(std::move(v));
  };
  k.load = [](const void* o) { return value(static_cast<const cost_source*>(o)->header); };
  return k;
}

key cost_bytes_key() {
  auto k = cost_key("bytes", boolean(), cost_kind::bytes,
                    "true: the body's length; unknown for a chunked body.");
  k.fallback = false;
  k.store = [](void* o, value v) {
    if (std::get<bool>(v)) static_cast<cost_source*>(o)->kind = cost_kind::bytes;
  };
  k.load = [](const void* o) {
    return value(static_cast<const cost_source*>(o)->kind == cost_kind::bytes);
  };
  return k;
}

key cost_fixed_key() {
  auto k = cost_key("fixed", number(0.001, 1e9), cost_kind::fixed,
                    "The same for every batch of the route.");
  k.fallback = 1.0;
  k.store = [](void* o, value v) {
    auto& c = *static_cast<cost_source*>(o);
    c.kind = cost_kind::fixed;
    c.fixed = std::get<double>(v);
  };
  k.load = [](const void* o) { return value(static_cast<const cost_source*>(o)->fixed); };
  return k;
}

const section& cost_section() {
  static const section s{
      "routes[].cost",
      "How much work a batch is, by one of these; a learned model scales it to seconds. Absent: "
      "every batch counts 1.",
      {cost_header_key(), cost_bytes_key(), cost_fixed_key()},
      {},
      0,
      1};
  return s;
}

key affinity_header_key() {
  using A = affinity_source;
  auto k = leaf<&A::header>("header", of(kind::field_name),
                            "Header field such as the table's name; the tenant where it is "
                            "absent.");
  k.store = [](void* o, value v) {
    *static_cast<A*>(o) = {affinity_kind::header, std::get<std::string>(std::move(v))};
  };
  k.given = [](const void* o) { return static_cast<const A*>(o)->kind == affinity_kind::header; };
  return k;
}

key affinity_path_key() {
  using A = affinity_source;
  key k;
  k.name = "path";
  k.type = boolean();
  k.doc = "true: the request's path, without its query.";
  k.fallback = false;
  k.store = [](void* o, value v) {
    if (std::get<bool>(v)) static_cast<A*>(o)->kind = affinity_kind::path;
  };
  k.given = [](const void* o) { return static_cast<const A*>(o)->kind == affinity_kind::path; };
  k.load = [given = k.given](const void* o) { return value(given(o)); };
  return k;
}

const section& affinity_section() {
  static const section s{
      "routes[].affinity",
      "What sends batches to the same worker of a pool with `balance: hash`, by one of these. "
      "Absent: the tenant.",
      {affinity_header_key(), affinity_path_key()},
      {},
      0,
      1};
  return s;
}

const section& timeout_section() {
  using T = decltype(route::timeout);
  static const section s{
      "routes[].timeout",
      "How long each part of a batch's way may take.",
      {
          leaf<&T::queue>("queue", span(0s, 7 * 24h),
                          "Waiting for a slot; the smaller of this and the pool's `max_wait`.",
                          "429 when the pool has workers, else 503, with Retry-After."),
          leaf<&T::connect>("connect", span(1ms, 10min), "Connecting to a worker, TLS included.",
                            "The attempt failed at no cost: another worker is tried, at last 502."),
          leaf<&T::progress>("progress", span(10ms, 24h),
                             "Between two moves of body bytes, while bytes are due.",
                             "A silent client gets 408, a silent worker becomes 504."),
          leaf<&T::response>("response", span(10ms, 7 * 24h),
                             "From the whole request sent to the response's head.",
                             "504, or a retry with `retry.on_timeout`."),
          leaf<&T::total>("total", span(10ms, 30 * 24h),
                          "From the request's head to the end of the response.",
                          "504, or a cut response when one has begun."),
      },
      {}};
  return s;
}

const section& retry_section() {
  static const section s{
      "routes[].retry",
      "When a batch is tried again on another worker.",
      {
          leaf<&route::retry, &core::retry_settings::attempts>(
              "attempts", count(1, 100),
              "Attempts in all, the first one included. A refused connection costs none.",
              "The client gets 502 or 504."),
          leaf<&route::retry, &core::retry_settings::unsafe>(
              "unsafe", boolean(),
              "Also retry methods that are not idempotent, without an Idempotency-Key."),
          leaf<&route::retry, &core::retry_settings::on_timeout>(
              "on_timeout", boolean(), "Also retry when `timeout.response` passed."),
          leaf<&route::retry, &core::retry_settings::backoff_base>(
              "backoff_base", span(0s, 1h),
              "Wait before the first retry, doubled each time and drawn with full jitter."),
          leaf<&route::retry, &core::retry_settings::backoff_max>("backoff_max", span(0s, 24h),
                                                                  "The longest such wait."),
          leaf<&route::retry, &core::retry_settings::bounces_max>(
              "bounces_max", count(0, 10000), "Busy answers that one batch may collect.",
              "The next busy answer is relayed to the client."),
          leaf<&route::busy_statuses>(
              "busy_statuses", statuses(400, 599),
              "Worker answers that, with Retry-After, mean \"busy, not executed\"."),
          leaf<&route::failure_statuses>("failure_statuses", statuses(400, 599),
                                         "Worker answers that count against the worker."),
      },
      check_retry};
  return s;
}

const section& async_retry_section() {
  using T = async_retry;
  static const section s{
      "routes[].async_retry",
      "When an asynchronous batch is tried again. One that has failed for good is a dead letter.",
      {
          leaf<&T::attempts>(
              "attempts", count(1, 1000),
              "Attempts in all. Refused connections, busy answers and what fails while most of the "
              "pool fails cost none.",
              "The batch becomes a dead letter: kept, listed, to be requeued or dropped."),
          leaf<&T::backoff_base>(
              "backoff_base", span(0s, 1h),
              "Wait before the first retry, doubled each time and drawn with full jitter."),
          leaf<&T::backoff_max>("backoff_max", span(0s, 24h), "The longest such wait."),
      },
      check_async_retry};
  return s;
}

const section& idempotency_section() {
  using T = decltype(route::idempotency);
  static const section s{
      "routes[].idempotency",
      "What an Idempotency-Key does for requests that wait for their answer.",
      {
          leaf<&T::on_running>("on_running", choice({"refuse", "wait"}),
                               "While the first request with the key runs, another one gets 409, "
                               "or waits for the answer."),
          leaf<&T::answer_bytes_max>("answer_bytes_max", bytes(0, 64 * mib),
                                     "Size of an answer's body that is kept for its key.",
                                     "The answer is not kept: the key is free again."),
      },
      {}};
  return s;
}

const section& callback_section() {
  using T = decltype(route::callback);
  static const section s{
      "routes[].callback",
      "Who may be told, by a POST to the URL in Weir-Callback, that an asynchronous batch ended.",
      {
          leaf<&T::allow>("allow", list(of(kind::hook_url), 0, 64),
                          "Origins that the URL may have: scheme, host and port, no path.",
                          "The request gets 400."),
          secret_file<T>("secret_file", kind::signing_file, &T::secret, &T::secret_file,
                         "File with the signing key, `whsec_` and base64; none: unsigned."),
      },
      check_callback};
  return s;
}

section edits_section(std::string_view path, std::string_view doc) {
  using T = header_edits;
  return {path,
          doc,
          {
              discreet(
                  leaf<&T::set>("set", fields(64), "Fields to set, in place of any of that name.")),
              leaf<&T::remove>("remove", list(of(kind::field_name), 0, 64), "Fields to remove."),
          },
          check_edits};
}

const section& rewrite_section() {
  using T = decltype(route::rewrite);
  static const section request =
      edits_section("routes[].rewrite.request_headers", "Changes to the request's header fields.");
  static const section response = edits_section("routes[].rewrite.response_headers",
                                                "Changes to the response's header fields.");
  static const section s{
      "routes[].rewrite",
      "What is changed on the way.",
      {
          leaf<&T::strip_prefix>("strip_prefix", of(kind::http_path),
                                 "Taken off the front of the path, on a segment border."),
          leaf<&T::preserve_host>("host", choice({"worker", "preserve"}),
                                  "The Host that the worker sees: the client's, or its own."),
          nested<&T::request>("request_headers", request),
          nested<&T::response>("response_headers", response),
      },
      {}};
  return s;
}

}  // namespace

const section& route_section() {
  using T = route;
  static const section s{
      "routes[]",
      "What maps requests to pools; the first match wins. A request that none matches gets 404.",
      {
          required(leaf<&T::name>("name", of(kind::name), "Names it in metrics and logs; unique.")),
          leaf<&T::path>("path", of(kind::http_path),
                         "Matches this path and all below it: a prefix on segment borders."),
          leaf<&T::hosts>("host", one_or_list(of(kind::host_pattern), 64),
                          "Matches any of these hosts; `*.example.org` stands for one more label."),
          leaf<&T::methods>("methods", list(of(kind::method), 0, 32),
                            "Matches any of these methods."),
          discreet(leaf<&T::headers>(
              "headers", fields(32),
              "Matches when every field has exactly that value; `*`: any value.")),
          required(leaf<&T::pool>("pool", of(kind::name), "The pool that the batches go to.")),
          tenant_key(),
          nested<&T::cost>("cost", cost_section()),
          nested<&T::affinity>("affinity", affinity_section()),
          nested<&T::timeout>("timeout", timeout_section()),
          same_object("retry", retry_section()),
          leaf<&T::on_client_gone>(
              "on_client_gone", choice({"cancel", "finish"}),
              "When the client leaves while its batch runs: cancel the attempt, or let it finish."),
          leaf<&T::half_close>("half_close", choice({"abort", "wait"}),
                               "When the client closes its sending side after the whole body: "
                               "take it as gone, or answer."),
          leaf<&T::body_max>("body_max", bytes(0, 1024 * tib), "Size of a request's body.",
                             "The client gets 413."),
          nested<&T::rewrite>("rewrite", rewrite_section()),
          leaf<&T::async>("async", choice({"never", "allow", "always"}),
                          "Whether `Prefer: respond-async` is honoured, or every batch is taken "
                          "that way. Needs `state_dir`: without it allow has no effect (`weir "
                          "check` warns), and always is a mistake."),
          nested<&T::async_retry>("async_retry", async_retry_section()),
          nested<&T::idempotency>("idempotency", idempotency_section()),
          nested<&T::callback>("callback", callback_section()),
      },
      check_route};
  return s;
}

}  // namespace weir::config
