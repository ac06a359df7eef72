// Idempotency-Key on requests that wait for their answer (draft-ietf-httpapi-idempotency-key-
// header): the first one with a key is carried on and its answer kept, another one gets that
// answer, 409 or a wait while the first one runs, and 422 when it is not the same request.
#pragma once

#include "proxy/intake.hpp"
#include "proxy/keyed_run.hpp"

namespace weir::proxy {

// True: the key is this request's now; settle_key() must follow. False: the client was answered.
net::task<bool> claim_key(exchange& x, const intake& read, keyed_run& run);
// After the request was answered: keeps the answer, or gives the key up.
void settle_key(exchange& x, keyed_run& run);

}  // namespace weir::proxy
