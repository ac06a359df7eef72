#include "proxy/affinity.hpp"

#include "http/lines.hpp"
#include "http/target.hpp"
#include "proxy/tenants.hpp"

namespace weir::proxy {
namespace {

using config::affinity_kind;

std::uint64_t number_of(std::string_view what, std::uint64_t tenant, std::uint64_t seed) noexcept {
  return what.empty() ? tenant : tenant_hash(what, seed);
}

}  // namespace

std::uint64_t affinity_of(const config::affinity_source& by, const http::request_head& head,
                          std::uint64_t tenant, std::uint64_t seed) noexcept {
  if (by.kind == affinity_kind::tenant) return tenant;
  if (by.kind == affinity_kind::path) return number_of(head.path, tenant, seed);
  const http::field* f = head.find(std::string_view(by.header));
  return f ? number_of(f->value, tenant, seed) : tenant;
}

std::uint64_t affinity_of(const config::affinity_source& by, const store::batch& b,
                          std::uint64_t tenant, std::uint64_t seed) noexcept {
  if (by.kind == affinity_kind::tenant) return tenant;
  if (by.kind == affinity_kind::path)
    return number_of(http::split_target(b.target).path, tenant, seed);
  return number_of(http::value_of(http::line_of(b.fields, by.header)), tenant, seed);
}

}  // namespace weir::proxy
