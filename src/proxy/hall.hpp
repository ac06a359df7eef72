// What all sessions of one loop share: the loop, its buffers, the waiting room, the current plan
// and the telemetry shard. One per loop, owned by its door; used by the loop's thread only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/relay.hpp"
#include "net/loop.hpp"
#include "net/offload.hpp"
#include "proxy/plan.hpp"
#include "proxy/waiting_room.hpp"

namespace weir::proxy {

class exchange;

// Of one loop, save the threads for files: those are all loops'.
struct relay_sizes {
  std::size_t buffer_bytes = 64 * 1024;
  std::size_t pipes_max = 0;
  net::offload* offload = nullptr;
};

struct hall {
  hall(net::loop& l, telemetry::access_log* access, std::uint64_t tenant_seed,
       const relay_sizes& sizes);
  ~hall();

  net::loop& loop;
  unsigned shard;
  telemetry::access_log* log;             // null: off
  net::offload* offload;                  // for work on files; null: none is done
  std::uint64_t seed;                     // of tenant hashes: the same on every loop
  plan_ptr plan;
  waiting_room waiting;
  net::buffer_pool heads{4 * 1024, 1024};
  net::relay_stock relays;
  bool draining = false;                  // no new work on kept-alive connections
  std::string scratch;                    // of the router

  std::unique_ptr<exchange> take_exchange();
  void give_back(std::unique_ptr<exchange> x);
  // Once a second: lets go of what nobody needed since, so that a burst's memory does not stay.
  void trim();

  using batch_id = std::array<char, 32>;
  batch_id random_id();                   // hex digits of unguessable randomness
  std::int64_t wall_ms() const noexcept;  // Unix time of this turn
  std::string_view http_date() noexcept;  // for Date; made anew once a second

 private:
  std::array<std::uint32_t, 256> random_{};
  std::size_t random_used_ = random_.size();
  std::int64_t dated_second_ = -1;
  std::string date_;
  net::reserve<std::unique_ptr<exchange>> exchanges_;
};

}  // namespace weir::proxy
