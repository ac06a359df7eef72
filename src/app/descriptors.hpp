// The descriptors that the process may open, and how many client connections they are enough for.
// Called at the start and by publish(), on the control thread.
#pragma once

#include <cstdint>

namespace weir::app {

// Raises the soft limit to the hard one.
void raise_descriptor_limit();

// The soft limit as it is.
std::uint64_t descriptor_limit();

// limits.connections_max, or less where `descriptors` are not enough: a client's connection is one,
// its batch's connection to a worker another, and some are kept back for listeners, probes, the
// admin API and files: 512, or half of them where there are few. Never 0.
std::uint32_t connections_within(std::uint32_t connections_max, std::uint64_t descriptors);

}  // namespace weir::app
