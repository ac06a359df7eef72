// What a callback says: that an asynchronous batch has ended, and how; and what the store's message
// of it says: whose it is, and how often it was tried. Pure; called by `callbacks`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "scale/message.hpp"
#include "store/records.hpp"

namespace weir::app {

// {"type":"weir.batch","timestamp","data":{...}}; `status` is the worker's answer's, when it gave
// one. The id is the same for all tries, and another one when the batch was put back into the queue
// and ended again.
scale::message callback_message(const store::batch& b, std::optional<std::uint16_t> status);

// The batch that a message of the store is about. Nothing: it is not a callback's.
std::optional<store::batch_id> batch_of(const store::message& m);
// How often it was tried, and the text that says so.
unsigned tries_of(const store::message& m);
std::string tries_text(unsigned tries);

inline constexpr std::string_view callback_prefix = "callback/";

}  // namespace weir::app
