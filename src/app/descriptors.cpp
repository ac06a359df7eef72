#include "app/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace weir::app {
namespace {

constexpr std::uint64_t kept_back = 512;

}  // namespace

void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::uint64_t descriptor_limit() {
  rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur
                                               : std::numeric_limits<std::uint64_t>::max();
}

std::uint32_t connections_within(std::uint32_t connections_max, std::uint64_t descriptors) {
  const std::uint64_t for_batches = descriptors - std::min(kept_back, descriptors / 2);
  const std::uint64_t enough_for = std::max<std::uint64_t>(for_batches / 2, 1);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(connections_max, enough_for));
}

}  // namespace weir::app
