// The clocks of one exchange: which limits run now and which one passed. Fed by the session that
// owns it as the exchange moves on; the session arms its one timer to next().
// A progress limit runs only while body bytes are due in that direction; waiting for a response
// head has its own, long limit, which starts when the request was sent whole.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.hpp"

namespace weir::core {

using base::duration;
using base::instant;

enum class deadline : std::uint8_t { none, connect, upload, response, download, total };

struct time_limits {
  duration connect, progress, response, total;
};

class deadlines {
 public:
  // The exchange begins; total runs from here on.
  void begin(const time_limits& limits, instant now) noexcept;

  void connecting(instant now) noexcept {
    set(deadline::connect, base::after(now, limits_.connect));
  }
  void connected() noexcept { set(deadline::connect, base::never); }
  // Body bytes are due from the client (or nothing is any more).
  void upload_due(bool due) noexcept { upload_ = due; }
  void request_sent(instant now) noexcept {
    set(deadline::response, base::after(now, limits_.response));
  }
  void response_begun() noexcept { set(deadline::response, base::never); }
  void download_due(bool due) noexcept { download_ = due; }
  // The attempt is over: only total runs.
  void attempt_ended() noexcept;

  // When bytes last moved in each direction.
  struct moved {
    instant upload, download;
  };
  instant next(const moved& m) const noexcept;
  // The limit that passed first; none when none did.
  deadline expired(const moved& m, instant now) const noexcept;

 private:
  static constexpr std::size_t kinds = 6;
  void set(deadline d, instant at) noexcept { at_[static_cast<std::size_t>(d)] = at; }
  std::array<instant, kinds> all(const moved& m) const noexcept;

  time_limits limits_{};
  std::array<instant, kinds> at_{};
  bool upload_ = false, download_ = false;
};

}  // namespace weir::core
