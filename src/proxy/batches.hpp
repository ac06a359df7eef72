// The addresses of durable batches at the front door: /_weir/batches/ID (GET, DELETE) and
// …/result (GET). Whoever asks must be the batch's tenant; to all others there is no such batch.
#pragma once

#include <string_view>

#include "proxy/exchange.hpp"

namespace weir::proxy {

inline constexpr std::string_view own_prefix = "/_weir/";

// Answers a request whose path begins with own_prefix; on the exchange's loop.
net::task<void> serve_own(exchange& x);

}  // namespace weir::proxy
