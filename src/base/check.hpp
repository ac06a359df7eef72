// CHECK: the guard for states that cannot be trusted any more. On in release too; aborts after
// writing file, line and condition to standard error. Expected failure travels as values instead.
#pragma once

namespace weir::base {

[[noreturn]] void check_failed(const char* file, int line, const char* condition) noexcept;

}  // namespace weir::base

#define WEIR_CHECK(condition)             \
  (static_cast<bool>(condition) ? void(0) \
                                : ::weir::base::check_failed(__FILE__, __LINE__, #condition))
