// A scale decision as the hooks get it: JSON of the shape that the contract fixes ("Scale hooks"),
// with the id that receivers drop repeats by. Pure but for new_message_id, which asks OpenSSL for
// randomness. Made by the courier on the control thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/types.hpp"

namespace weir::scale {

struct message {
  std::string id;  // webhook-id: one per decision, the same for all its retries
  core::scale_decision decision;
  std::int64_t decided_unix_ms = 0;
  std::string body;        // empty until it is about to be sent the first time
  bool withdrawn = false;  // its workers were taken back before that: never to be sent
};

inline constexpr std::string_view type_scale = "weir.scale";
inline constexpr std::string_view type_test = "weir.scale.test";  // changes nothing: may be ignored

// Seconds are rounded to milliseconds; what is not finite (a backlog that nobody drains) is null.
std::string make_body(std::string_view type, std::string_view pool,
                      const core::scale_decision& decision, std::int64_t decided_unix_ms);

// "2026-01-31T23:59:59.250Z" (RFC 3339).
std::string rfc3339(std::int64_t unix_ms);

// "msg_" and 128 random bits in hexadecimal.
std::string new_message_id();

std::string_view name(core::scale_decision::direction) noexcept;  // "out" or "in"

}  // namespace weir::scale
