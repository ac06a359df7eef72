// The state directory as the instance keeps it: the store, the batches in memory, and what has to
// be done for both from time to time (retention, backups). Without a state_dir there is a store in
// memory for Idempotency-Keys alone. The control thread's, save what durable() and keys() lead to.
// Lives longer than the loops' work, and ends before the loops themselves.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/front.hpp"
#include "app/journal.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "proxy/backroom.hpp"
#include "proxy/durable.hpp"
#include "store/local_engine.hpp"

namespace weir::app {

class state_dir {
 public:
  // Error: the folder cannot be made or read, or another weir has it. `callback_due` is called on
  // any thread when a batch that has a callback ended.
  static base::result<std::unique_ptr<state_dir>, std::string> open(
      const config::settings& s, app::front& f, net::offload& files,
      std::function<void()> callback_due);
  state_dir(const state_dir&) = delete;
  state_dir& operator=(const state_dir&) = delete;
  ~state_dir();

  store::engine& engine() noexcept { return *engine_; }
  // Null without a state_dir.
  proxy::durable_tools* durable() noexcept { return tools_ ? &*tools_ : nullptr; }
  proxy::backroom* room() noexcept { return room_.get(); }

  // At the start and after a reload.
  void publish(proxy::plan_ptr plan, const config::settings& s);
  // Retention and backups that are due.
  void tick(base::instant now);
  // No batch begins an attempt any more.
  void stop();

 private:
  state_dir(std::unique_ptr<store::local_engine> engine, bool on_disk, app::front& f,
            net::offload& files, std::function<void()> callback_due);
  void sweep(base::instant now);

  std::unique_ptr<store::local_engine> engine_;
  std::unique_ptr<proxy::backroom> room_;
  std::optional<proxy::durable_tools> tools_;
  store::retention keep_;
  base::instant next_sweep_{};
};

}  // namespace weir::app
