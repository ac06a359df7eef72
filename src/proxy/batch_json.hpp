// Durable batches as clients and operators read them: JSON texts of one line. For the front door
// and the admin API. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/views.hpp"
#include "store/records.hpp"

namespace weir::proxy {

// {"batches":[…],"next":N}; next is null when `lines` are the last.
std::string batch_lines_json(std::span<const store::batch_line> lines, bool more);

std::string_view name(store::batch_state s) noexcept;
std::optional<store::batch_state> parse_batch_state(std::string_view name) noexcept;

// Of a 202.
std::string accepted_json(const store::batch_id& id, store::batch_state state);

// {"id","state","pool","route","tenant","attempts",…,"position","eta_seconds","history":[…]};
// `place` while it waits.
std::string batch_json(const store::batch& b, std::span<const store::attempt_note> history,
                       const std::optional<core::queue_place>& place);

}  // namespace weir::proxy
