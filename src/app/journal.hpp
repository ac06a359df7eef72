// What operators would want to know, as it happens: kept for GET /v1/events (the latest thousand)
// and written to the operational log. Control thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "admin/backend.hpp"
#include "core/types.hpp"
#include "telemetry/log.hpp"

namespace weir::app {

class journal {
 public:
  static constexpr std::size_t kept = 1000;

  void add(std::string_view pool, const core::event& e);
  void add(telemetry::level how, std::string_view pool, std::string_view kind,
           std::string_view worker, std::string text);
  admin::event_page since(std::uint64_t sequence, std::size_t limit) const;

 private:
  std::deque<admin::event_entry> entries_;
  std::uint64_t sequence_ = 0;
};

std::int64_t wall_ms();   // Unix time

}  // namespace weir::app
