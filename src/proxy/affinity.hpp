// Which worker of a pool with `balance: hash` a batch belongs to: a number made of what its route
// names, the same for a request that waits and for a durable batch, with the seed that tenants
// have. Where the header field is absent it is the tenant's. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "config/config.hpp"
#include "http/head.hpp"
#include "store/records.hpp"

namespace weir::proxy {

std::uint64_t affinity_of(const config::affinity_source& by, const http::request_head& head,
                          std::uint64_t tenant, std::uint64_t seed) noexcept;

// Of its record: a field that the route rewrites counts as it is forwarded.
std::uint64_t affinity_of(const config::affinity_source& by, const store::batch& b,
                          std::uint64_t tenant, std::uint64_t seed) noexcept;

}  // namespace weir::proxy
