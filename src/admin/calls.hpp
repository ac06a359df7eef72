// The calls of the admin API, one function a route: each gets what the route's pattern matched and
// answers through `reply`. Listed in routes.cpp, found by the api. Control thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/access.hpp"
#include "admin/message.hpp"
#include "admin/registration.hpp"

namespace weir::admin {

struct call {
  backend& back;
  const api_request& request;
  std::vector<std::string> names;      // what the pattern's stars stand for, in order
  registration_rules registration;
  bool through_registration = false;
  std::function<void(api_response)> reply;

  const std::string& pool() const { return names.at(0); }
  const std::string& worker() const { return names.at(1); }
};

struct route {
  std::string_view method, pattern;    // such as "/v1/pools/*/pause"
  need needed;
  bool in_registration;                // served there too
  void (*run)(const call&);
};
std::span<const route> routes();

// --- reads (reads.cpp) -----------------------------------------------------------------------
void read_live(const call&);
void read_ready(const call&);
void read_metrics(const call&);
void read_page(const call&);
void read_index(const call&);
void read_status(const call&);
void read_pools(const call&);
void read_pool(const call&);
void read_workers(const call&);
void read_pool_workers(const call&);
void read_queue(const call&);
void read_explain(const call&);
void read_config(const call&);
void read_events(const call&);
void read_scale(const call&);

// --- changes (changes.cpp) -------------------------------------------------------------------
void reload(const call&);
void plan(const call&);
void register_worker(const call&);
void renew_lease(const call&);
void remove_worker(const call&);
void drain_worker(const call&);
void undrain_worker(const call&);
void pause_pool(const call&);
void resume_pool(const call&);
void test_scale(const call&);

// --- asynchronous batches (batches.cpp) --------------------------------------------------------
void read_batches(const call&);
void read_batch(const call&);
void cancel_batch(const call&);
void requeue_batch(const call&);
void drop_batch(const call&);
void requeue_batches(const call&);
void drop_batches(const call&);
void cancel_batches(const call&);
void back_up(const call&);

// What a backend's failure becomes.
api_response to_response(const failure&);

}  // namespace weir::admin
