// The parts of a webhook delivery that need no network: where its URL points, the request with its
// signature, and what an answer means. Pure; used by webhook.cpp, which does the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "net/fetch.hpp"
#include "scale/message.hpp"
#include "scale/outbox.hpp"

namespace weir::scale {

struct webhook_place {
  config::url origin;
  std::string target;  // path and query
};
// Nothing when config::valid_hook_url would refuse it.
std::optional<webhook_place> parse_webhook_url(std::string_view url);

// `unix_seconds` is the attempt's time. Unsigned when the secret is empty.
net::fetch_request make_webhook(const webhook_place& place, std::string_view secret,
                                const message& m, std::int64_t unix_seconds);

attempt_result judge_webhook(const net::fetch_result& answer, std::int64_t unix_now_ms);

}  // namespace weir::scale
