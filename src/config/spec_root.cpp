#include "config/rules.hpp"
#include "config/spec_bind.hpp"

namespace weir::config {
namespace {

using namespace bind;

const section& access_log_section() {
  using T = access_log;
  static const section s{
      "access_log",
      "One JSON line for every request, when it is over.",
      {
          leaf<&T::file>("file", of(kind::path),
                         "Where the lines go: a file, `-` for standard output, empty for nowhere. "
                         "Opened again on USR1."),
          needs_restart(leaf<&T::buffer_records>(
              "buffer_records", count(16, 1 << 20),
              "Lines that one thread may have waiting for the writer.",
              "One more is dropped and counted in weir_limit_hits_total.")),
      },
      {}};
  return s;
}

const section& limits_section() {
  using T = limits;
  static const section s{
      "limits",
      "Bounds on what any one peer can make weir hold.",
      {
          leaf<&T::head_bytes_max>("head_bytes_max", bytes(1 * kib, 1 * mib),
                                   "Size of a request's or a response's head.",
                                   "A request gets 431, a worker's response becomes 502."),
          leaf<&T::fields_max>("fields_max", count(10, 10000), "Header fields in one head.",
                               "A request gets 431, a worker's response becomes 502."),
          leaf<&T::target_bytes_max>("target_bytes_max", bytes(256, 1 * mib),
                                     "Length of a request target.", "The request gets 414."),
          leaf<&T::interim_responses_max>(
              "interim_responses_max", count(1, 10000),
              "Interim (1xx) responses of a worker before its final one.",
              "The worker's response becomes 502."),
          leaf<&T::connections_max>("connections_max", count(1, 10'000'000),
                                    "Client connections at once, over all listeners.",
                                    "New ones wait in the kernel until one closes."),
          leaf<&T::replay_batch_bytes_max>(
              "replay_batch_bytes_max", bytes(0, 1 * gib),
              "Bytes of one body kept in memory so that the batch can be retried.",
              "The whole body is kept in a file of `replay_dir` instead."),
          leaf<&T::replay_total_bytes_max>(
              "replay_total_bytes_max", bytes(0, 1 * tib), "The same for all bodies together.",
              "Further bodies are kept in files."),
          leaf<&T::replay_disk_bytes_max>(
              "replay_disk_bytes_max", bytes(0, 1024 * tib),
              "Bytes of all bodies together that are kept in files of `replay_dir`; 0: none.",
              "The batch goes on, without the promise of a retry after bytes were sent."),
          leaf<&T::chunk_line_bytes_max>("chunk_line_bytes_max", bytes(16, 64 * kib),
                                         "A chunk's size line with its extensions.",
                                         "A request gets 400, a worker's response becomes 502."),
          leaf<&T::trailer_bytes_max>("trailer_bytes_max", bytes(0, 1 * mib),
                                      "The trailer section after a chunked body.",
                                      "A request gets 400, a worker's response becomes 502."),
          leaf<&T::linger_bytes_max>(
              "linger_bytes_max", bytes(0, 1 * gib),
              "Body bytes read and thrown away after an early final answer, so that it arrives.",
              "The connection is closed."),
          leaf<&T::linger_timeout>("linger_timeout", span(0s, 1min),
                                   "How long those bytes are waited for.",
                                   "The connection is closed."),
          leaf<&T::keys_memory_bytes_max>(
              "keys_memory_bytes_max", bytes(0, 1 * tib),
              "Idempotency-Keys and their answers, which are in memory without `state_dir`.",
              "The oldest keys are free again."),
          needs_restart(leaf<&T::disk_reserve_bytes>(
              "disk_reserve_bytes", bytes(0, 1 * tib),
              "Room on the disk of `state_dir` that new batches leave; of a small disk a tenth.",
              "507 with Retry-After.")),
          leaf<&T::inline_bytes_max>(
              "inline_bytes_max", bytes(0, 16 * mib),
              "An asynchronous batch's body that shares the store's files; longer ones have own."),
          leaf<&T::result_bytes_max>("result_bytes_max", bytes(0, 1 * tib),
                                     "An asynchronous batch's result.",
                                     "The batch succeeds, its result is not kept."),
          needs_restart(leaf<&T::relay_buffer_bytes>(
              "relay_buffer_bytes", bytes(4 * kib, 16 * mib),
              "Buffer for one direction of a body on its way; the sender waits while it is full.")),
          needs_restart(leaf<&T::relay_pipes_max>(
              "relay_pipes_max", count(0, 65536),
              "Long bodies that move through a kernel pipe, uncopied, between plain connections at "
              "once; each takes two descriptors.",
              "Further bodies are copied through a buffer.")),
      },
      check_limits};
  return s;
}

const section& retention_section() {
  using T = retention;
  static const section s{
      "retention",
      "How long what has ended is kept.",
      {
          leaf<&T::results>("results", span(1s, 3650 * 24h),
                            "An asynchronous batch that ended well or was cancelled, and its "
                            "result.",
                            "It is removed; its address answers 404."),
          leaf<&T::results_bytes>("results_bytes", bytes(0, 1024 * tib),
                                  "Bodies and results of such batches, all together.",
                                  "The oldest are removed."),
          leaf<&T::dead_letters>("dead_letters", span(1s, 3650 * 24h),
                                 "A batch that failed for good.", "It is removed."),
          leaf<&T::keys>("keys", span(1s, 3650 * 24h),
                         "The answer to a request with an Idempotency-Key.",
                         "The key is free again."),
          leaf<&T::keys_bytes>("keys_bytes", bytes(0, 1024 * tib),
                               "Keys and such answers, all together.",
                               "The oldest keys are free again."),
      },
      {}};
  return s;
}

const section& backup_section() {
  using T = backup;
  static const section s{
      "backup",
      "Copies of `state_dir` on a schedule, as `weir backup` makes them. Absent: none.",
      {
          required(leaf<&T::dir>("dir", of(kind::path),
                                 "Directory that gets a folder for each copy, named by its time.")),
          leaf<&T::interval>("interval", span(1s, 365 * 24h), "Between two copies."),
          leaf<&T::keep>("keep", count(1, 10000), "Copies that are kept.",
                         "The oldest is removed once a new one is whole."),
      },
      check_backup};
  return s;
}

const section& listener_tls_section() {
  using T = tls_listener;
  static const section s{
      "listeners[].tls",
      "Takes TLS instead of plain HTTP. The files are read again on every reload.",
      {
          required(leaf<&T::certificate>("certificate", of(kind::pem_file),
                                         "PEM file with the certificate and its chain.")),
          required(leaf<&T::private_key>("private_key", of(kind::pem_file),
                                         "PEM file with the certificate's key.")),
          leaf<&T::client_ca>("client_ca", of(kind::pem_file),
                              "PEM file with the authorities that client certificates must come "
                              "from."),
          leaf<&T::client_auth>("client_auth", choice({"none", "request", "require"}),
                                "Whether clients are asked for a certificate, or must show one."),
      },
      {}};
  return s;
}

const section& admin_section() {
  using T = admin;
  static const section s{
      "admin",
      "The admin API, the metrics and the web page.",
      {
          needs_restart(leaf<&T::bind>("bind", of(kind::address), "Where it listens.")),
          secret_file<T>("token_file", kind::token_file, &T::token, &T::token_file,
                         "File with the token that calls which change something must bring, as "
                         "`Authorization: Bearer TOKEN`. Needed when `bind` can be reached from "
                         "other machines; there reads need it too, and only /livez, /readyz, "
                         "/metrics and the web page without its data are open."),
      },
      check_admin};
  return s;
}

const section& registration_section() {
  using T = registration;
  static const section s{
      "registration",
      "Where workers register themselves, and can do nothing else. Absent: they cannot.",
      {
          required(needs_restart(leaf<&T::bind>("bind", of(kind::address), "Where it listens."))),
          required(secret_file<T>("token_file", kind::token_file, &T::token, &T::token_file,
                                  "File with the token that workers register with.")),
          required(leaf<&T::allow>(
              "allow", list(of(kind::cidr), 1, 256),
              "Ranges that workers may register from, and that their urls must lie in.",
              "Others get 403.")),
          leaf<&T::ttl_max>("ttl_max", span(1s, 24h),
                            "The longest lease that a worker may ask for.",
                            "A longer one is cut to this."),
      },
      {}};
  return s;
}

key pools_key() {
  key k;
  k.name = "pools";
  k.what = key::form::map;
  k.doc = pool_section().doc;
  k.inside = &pool_section();
  k.type.what = kind::name;
  k.type.items_min = 1;
  k.type.items_max = 1000;
  k.item_name = [](const void* item) -> const std::string& {
    return static_cast<const pool*>(item)->settings.name;
  };
  k.append = [](void* o, const std::string& name) -> void* {
    auto& added = static_cast<settings*>(o)->pools.emplace_back();
    added.settings.name = name;
    return &added;
  };
  k.items = [](const void* o) {
    std::vector<const void*> out;
    for (const auto& p : static_cast<const settings*>(o)->pools) out.push_back(&p);
    return out;
  };
  return k;
}

}  // namespace

const section& listener_section() {
  using T = listener;
  static const section s{
      "listeners[]",
      "Doors that batches come in by.",
      {
          required(leaf<&T::name>("name", of(kind::name), "Names it in metrics and logs; unique.")),
          required(leaf<&T::bind>("bind", of(kind::address),
                                  "Where it listens; port 0 lets the "
                                  "kernel pick.")),
          nested<&T::tls>("tls", listener_tls_section()),
          leaf<&T::head_timeout>("head_timeout", span(100ms, 1h),
                                 "From a request's first byte to the end of its head.",
                                 "The client gets 408 and the connection is closed."),
          leaf<&T::idle_timeout>("idle_timeout", span(100ms, 24h),
                                 "How long a connection may stay open without a request.",
                                 "It is closed."),
          leaf<&T::trusted>(
              "trusted", list(of(kind::cidr), 0, 256),
              "Ranges of peers whose forwarding fields (X-Forwarded-*, Forwarded) are "
              "believed and kept."),
      },
      check_listener};
  return s;
}

const section& root_section() {
  using T = settings;
  static const section s{
      "",
      "What holds for weir as a whole.",
      {
          needs_restart(leaf<&T::threads>("threads", or_word(count(1, 1024), "auto"),
                                          "Event loops; auto is one a core.")),
          needs_restart(leaf<&T::state_dir>(
              "state_dir", of(kind::path),
              "Directory for asynchronous batches, their results and idempotency keys; made when "
              "missing, and used by one weir at a time. Absent: no asynchronous batches, and keys "
              "are kept in memory.")),
          nested<&T::retention>("retention", retention_section()),
          nested<&T::backup>("backup", backup_section()),
          needs_restart(leaf<&T::replay_dir>(
              "replay_dir", of(kind::path),
              "Directory for the copies of bodies that are too long for memory, kept so that the "
              "batch can be retried (`limits.replay_disk_bytes_max`); the files have no name and "
              "go with the batch. When absent, `replay` in state_dir; without that, $TMPDIR or "
              "/var/tmp. Better a disk than a tmpfs, which is memory.")),
          leaf<&T::drain_timeout>("drain_timeout", span(0s, 24h),
                                  "How long batches in flight may take after TERM or INT.",
                                  "What is left is cut off and weir exits."),
          leaf<&T::drain_delay>("drain_delay", span(0s, 1h),
                                "Readiness fails this long before the listeners close."),
          leaf<&T::reload_watch>("reload", choice({"manual", "watch"}),
                                 "manual: on HUP, `weir reload` and the API; watch: also when the "
                                 "file changes."),
          nested<&T::access_log>("access_log", access_log_section()),
          nested<&T::limits>("limits", limits_section()),
          required(list_of<&T::listeners>("listeners", listener_section(), "name", 1, 64)),
          nested<&T::admin>("admin", admin_section()),
          needs_restart(nested<&T::registration>("registration", registration_section())),
          required(list_of<&T::routes>("routes", route_section(), "name", 1, 1000)),
          required(pools_key()),
      },
      check_root};
  return s;
}

}  // namespace weir::config
