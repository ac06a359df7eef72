// What the loops work with where a state_dir is set: the store, its spool files, the threads that
// may block on them, and the batches in memory. Owned by the instance, outlives the loops; part of
// every plan.
#pragma once

#include "net/offload.hpp"
#include "store/engine.hpp"
#include "store/spool.hpp"

namespace weir::proxy {

class backroom;

struct durable_tools {
  store::engine& engine;
  store::spool* bodies;
  net::offload& files;
  proxy::backroom& room;
};

}  // namespace weir::proxy
