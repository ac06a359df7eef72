// The body of a worker's registration: {"id", "url", "slots", "weight", "ttl"}, read strictly and
// checked against the surface's rules. Pure; called by the api.
#pragma once

#include <string>
#include <string_view>

#include "admin/backend.hpp"
#include "admin/guard.hpp"

namespace weir::admin {

struct registration_rules {
  const address_guard* guard = nullptr;   // null: any address that is not refused (admin surface)
  base::duration ttl_max{};
};

// `peer` is the caller's address. The failure names the member and what was expected of it:
// invalid for a mistake, forbidden for an address. A longer ttl than ttl_max becomes ttl_max.
answer<register_request> read_registration(std::string_view body, std::string_view pool,
                                           std::string_view peer, const registration_rules&);

}  // namespace weir::admin
