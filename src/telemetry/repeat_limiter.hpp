// Lets a log message through so many times a window and counts what it left out. Called by log() on
// any thread; the time is handed in. At most messages_max messages are told apart, further ones
// share one account, so that memory is bounded whatever is logged.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.hpp"

namespace weir::telemetry {

class repeat_limiter {
 public:
  static constexpr base::duration window = std::chrono::seconds(10);
  static constexpr std::size_t messages_max = 512;

  struct ruling {
    bool pass = true;
    std::uint64_t left_out = 0;   // of this message since one was last let through
  };
  // `burst` 0: everything passes.
  ruling rule(std::string_view message, std::uint32_t burst, base::instant now) {
    if (burst == 0) return {};
    const std::lock_guard lock(mutex_);
    account& a = account_of(message, now);
    if (now - a.began >= window) a.began = now, a.passed = 0;
    if (a.passed >= burst) return ++a.left_out, ruling{false, 0};
    ++a.passed;
    return {true, std::exchange(a.left_out, 0)};
  }

 private:
  struct account {
    base::instant began;
    std::uint32_t passed = 0;
    std::uint64_t left_out = 0;
  };
  account& account_of(std::string_view message, base::instant now) {
    const auto found = accounts_.find(message);
    if (found != accounts_.end()) return found->second;
    if (accounts_.size() >= messages_max) message = "";
    return accounts_.try_emplace(std::string(message), account{now}).first->second;
  }

  std::mutex mutex_;
  std::map<std::string, account, std::less<>> accounts_;
};

}  // namespace weir::telemetry
