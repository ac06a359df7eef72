// How the last few hundred batches ended, for `weir explain`: a ring, overwritten, of fixed size.
// Written by pool as a batch leaves; batches without a label are not kept.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/batch.hpp"
#include "core/views.hpp"

namespace weir::core {

struct ending {
  short_label label;
  worker_id worker;  // of the last attempt; null: it never ran
  std::uint32_t attempts = 0;
  attempt_end how{};            // of the last attempt
  refusal why = refusal::none;  // when it was given up on
  duration total{}, last_ran{};
};

class history {
 public:
  static constexpr std::size_t size = ended_kept;

  void add(const ending& e) noexcept {
    if (!e.label.view().empty()) next() = e;
  }
  // The place of the next one, to be filled in: saves the hot path a copy.
  ending& next() noexcept { return ring_[next_++ % size]; }
  // The latest of that label; null when it is not, or no longer, known.
  const ending* find(std::string_view label) const noexcept {
    for (std::size_t i = 0; i < size && i < next_; ++i) {
      const ending& e = ring_[(next_ - 1 - i) % size];
      if (e.label.view() == label) return &e;
    }
    return nullptr;
  }

 private:
  std::array<ending, size> ring_;
  std::size_t next_ = 0;
};

}  // namespace weir::core
