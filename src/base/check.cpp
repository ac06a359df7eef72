#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace weir::base {

void check_failed(const char* file, int line, const char* condition) noexcept {
  std::fprintf(stderr, "weir: %s:%d: internal error, this must hold: %s\n", file, line, condition);
  std::abort();
}

}  // namespace weir::base
