// One active check of one worker: what to ask, and what its answer means. Pure; the runner performs
// it in between. A GET and not a HEAD, because small servers answer HEAD wrongly or not at all,
// with `Connection: close`, because a probe has to prove that a new connection works. The body is
// read (64 KiB at most) and thrown away; redirects are not followed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "core/types.hpp"
#include "net/fetch.hpp"
#include "probe/agent.hpp"

namespace weir::probe {

struct target {
  core::probe_kind kind = core::probe_kind::http;
  net::fetch_peer peer;  // with its tls set, the handshake is part of either kind
  std::string host;      // Host field
  std::string path = "/healthz";
  std::vector<std::uint16_t> statuses;  // that are good; empty: 200..399
  base::duration timeout = std::chrono::seconds(3);
};

// The values of weir_probes_total's label `result`.
enum class result : std::uint8_t {
  good, bad_status, said_down, connect, tls, timed_out, broken, not_sent,
};
std::string_view name(result) noexcept;

struct outcome {
  result what = result::good;
  std::string detail;  // "GET /healthz: 503, expected 200-399" or why there was no answer
  agent_report agent;  // of an HTTP probe's reply, whatever its status
  double load = 0;     // likewise, as core::attempt_report has it
  bool bad_load = false;
  bool good() const noexcept { return what == result::good; }
  // weir had nothing left to probe with: the worker is neither good nor bad for it.
  bool sent() const noexcept { return what != result::not_sent; }
};

net::fetch_request make_request(const target& t);

// What core is to know of the worker's own word; `down` is a failed probe instead.
core::worker_word word_of(const outcome& o);

// `answer` must not be a cancelled one.
outcome judge(const target& t, const net::fetch_result& answer);

}  // namespace weir::probe
