// `Prefer: respond-async`: the batch is put into the store and the client gets 202, or, with
// `wait=N`, the answer itself when it comes in time (RFC 7240 section 4.1 and 4.3).
#pragma once

#include "proxy/intake.hpp"

namespace weir::proxy {

// Takes the body, stores the batch and answers; on the exchange's loop.
net::task<void> take_for_later(exchange& x, intake& read);

}  // namespace weir::proxy
