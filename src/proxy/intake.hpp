// Reads a request into its exchange: which route takes it, what its fields say of it, the head to
// send on. Everything that waiting and attempts need is copied here, so that the input may go.
#pragma once

#include <optional>
#include <string>

#include "proxy/exchange.hpp"

namespace weir::proxy {

struct intake {
  fault bad = fault::none;           // why it is refused, with `detail` for the client
  std::string detail;
  std::uint64_t tenant_hash = 0;
  std::uint64_t group = 0;           // a hash of Weir-Group; 0: none
  std::uint64_t affinity = 0;        // see affinity.hpp
  double units = 0;
  std::uint8_t urgency = 3;
  instant deadline = base::never;
  std::string key;                   // Idempotency-Key, without its quotes
  bool later = false;                // asynchronous
  std::optional<base::duration> wait;   // of an asynchronous one: for its answer
  std::string callback;              // URL to tell of its end
};

// False: the request is refused, see `read`.
bool take_in(exchange& x, intake& read);

// The same for a request to weir itself, which has no route.
void take_own(exchange& x);

// The forwarded head without an attempt's lines; `host` replaces the client's unless it is empty.
void write_forwarded_head(exchange& x, std::string_view host);

}  // namespace weir::proxy
