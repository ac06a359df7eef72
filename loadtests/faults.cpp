#include "faults.hpp"

#include <charconv>

#include "http.hpp"

namespace weir::load {

static constexpr const char* share_names[] = {"fail", "stall", "close", "reset", "framing", "slow"};

void faults::command(std::string_view target, nanos now) {
  for (std::size_t i = 0; i < std::size(share_names); i++) {
    const std::string_view text = query(target, share_names[i]);
    std::from_chars(text.data(), text.data() + text.size(), shares_[i]);
  }
  if (const auto text = query(target, "stall_ms"); !text.empty())
    stall_ms_ = static_cast<nanos>(to_number(text));
  if (const auto text = query(target, "slow_bytes"); !text.empty())
    slow_bytes_ = std::max<std::uint64_t>(to_number(text), 1);
  if (const auto text = query(target, "refuse_ms"); !text.empty())
    refuse_until_ = now + static_cast<nanos>(to_number(text)) * millisecond;
}

fault faults::draw() {
  double sum = 0;
  for (const double share : shares_) sum += share;
  if (sum <= 0) return fault::none;
  double u = unit(random_);
  for (std::size_t i = 0; i < std::size(shares_); i++) {
    u -= shares_[i];
    if (u > 0) continue;
    drawn_++;
    return static_cast<fault>(i + 1);
  }
  return fault::none;
}

}  // namespace weir::load
