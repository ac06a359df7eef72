// Makes the plan that a loop works by out of the configuration and the crews; called by the
// instance at start and after every reload, on the control thread. Each loop gets a plan of its
// own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "app/crew.hpp"
#include "proxy/plan.hpp"

namespace weir::app {

using crews = std::map<std::string, std::unique_ptr<crew>>;

struct plan_sources {
  const config::settings& settings;
  const app::crews& crews;               // retiring ones too: their clocks must go on
  app::front& front;
  telemetry::registry& metrics;
  std::shared_ptr<proxy::replay_budget> replay;
  proxy::durable_tools* durable;         // null: no state_dir
  store::engine& keys;
  std::string replay_folder;
  std::uint32_t connections_max;         // that the descriptors are enough for
};

proxy::plan_ptr make_plan(const plan_sources& from, unsigned loop);

proxy::limit_counters make_limit_counters(telemetry::registry& metrics);

}  // namespace weir::app
