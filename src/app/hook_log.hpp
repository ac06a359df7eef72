// How the deliveries to a pool's scale hooks went lately, for `weir status`: what the courier
// reports goes in, one line a hook comes out. Owned by a crew, on the control thread.
// Invariant: it knows exactly the configured hooks, in their order.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "admin/backend.hpp"
#include "base/time.hpp"
#include "scale/courier.hpp"

namespace weir::app {

class hook_log {
 public:
  // After a reload: hooks that stay keep what is known of them, save that they had stopped.
  void keep(std::span<const config::hook> hooks, base::instant now);
  // True: worth an event. A decision sent again, or tried again, is one only when that went
  // otherwise than before.
  bool add(const scale::hook_report& r, base::instant now);
  std::vector<admin::hook_status> view(base::instant now) const;

 private:
  using state = admin::hook_status::state;
  struct entry {
    admin::hook_status last;
    base::instant since{};
  };
  static void move(entry& e, state to, base::instant now);

  std::vector<entry> entries_;
};

}  // namespace weir::app
