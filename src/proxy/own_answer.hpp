// Answers that weir gives itself and that are no errors: JSON about durable batches, and answers of
// workers that the store kept. On the exchange's loop; each sets whether the connection is kept.
#pragma once

#include <string>
#include <string_view>

#include "proxy/durable.hpp"
#include "proxy/exchange.hpp"

namespace weir::proxy {

// `lines`: further header lines, each with its CRLF.
net::task<void> answer_json(exchange& x, unsigned status, std::string lines, std::string body);

// A worker's answer as it was kept. `files`: where a long body is; null when it cannot be one.
net::task<void> answer_kept(exchange& x, const store::response& kept, std::string lines,
                            const durable_tools* files);

// A request's body is read to its end, into `keeper`; fault::none when all of it came.
net::task<fault> read_body(exchange& x, net::body_keeper* keeper);

}  // namespace weir::proxy
