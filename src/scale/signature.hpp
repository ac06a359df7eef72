// Signatures of Standard Webhooks (version 1, symmetric): HMAC-SHA256 over "id.timestamp.body",
// in base64 behind "v1,". Receivers recompute it with the shared secret and refuse old timestamps.
// Pure; called by the webhook delivery for every attempt, because the timestamp is the attempt's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::scale {

// The value of webhook-signature. `secret` is the key itself, not its whsec_ text.
std::string sign(std::string_view secret, std::string_view id, std::int64_t unix_seconds,
                 std::string_view body);

}  // namespace weir::scale
