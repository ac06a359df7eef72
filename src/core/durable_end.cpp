#include "core/durable_end.hpp"

namespace weir::core {

durable_state state_after(const durable_end& e) noexcept {
  using kind = verdict::kind;
  if (e.cut_off || e.verdict.why == refusal::closing) return durable_state::waits;
  if (e.verdict.what == kind::granted || e.verdict.what == kind::waiting)
    return durable_state::waits;
  const bool went_well = e.end == attempt_end::succeeded && e.status < 400;
  return went_well ? durable_state::succeeded : durable_state::failed;
}

}  // namespace weir::core
