#include "core/durable_end.hpp"

#include <catch2/catch.hpp>

namespace weir::core {

TEST_CASE("what an attempt's end makes of a durable batch") {
  using kind = verdict::kind;
  struct {
    const char* what;
    attempt_end end;
    unsigned status;
    kind then;
    refusal why;
    bool cut_off;
    durable_state state;
  } const cases[] = {
      {"answered well", attempt_end::succeeded, 200, kind::done, refusal::none, false,
       durable_state::succeeded},
      {"a redirect is an answer", attempt_end::succeeded, 303, kind::done, refusal::none, false,
       durable_state::succeeded},
      {"the batch's own fault", attempt_end::succeeded, 400, kind::done, refusal::none, false,
       durable_state::failed},
      {"a failure that is relayed", attempt_end::failed, 500, kind::done, refusal::none, false,
       durable_state::failed},
      {"no attempt left", attempt_end::failed, 0, kind::failed, refusal::retries_exhausted, false,
       durable_state::failed},
      {"poison", attempt_end::failed, 500, kind::failed, refusal::poisoned, false,
       durable_state::failed},
      {"no time left", attempt_end::failed, 0, kind::failed, refusal::deadline, false,
       durable_state::failed},
      {"tried again at once", attempt_end::stale_connection, 0, kind::granted, refusal::none, false,
       durable_state::waits},
      {"tried again later", attempt_end::failed, 503, kind::waiting, refusal::none, false,
       durable_state::waits},
      {"weir shuts down before a retry", attempt_end::failed, 0, kind::failed, refusal::closing,
       false, durable_state::waits},
      {"weir shuts down during the attempt", attempt_end::client_gone, 0, kind::done, refusal::none,
       true, durable_state::waits},
      {"weir shuts down while the answer comes", attempt_end::succeeded, 200, kind::done,
       refusal::none, true, durable_state::waits},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    verdict v;
    v.what = c.then, v.why = c.why;
    CHECK(state_after({c.end, c.status, v, c.cut_off}) == c.state);
  }
}

}  // namespace weir::core
