// The state directory as the instance keeps it: the store, the batches in memory, and what has to
// be done for both from time to time (retention, backups). Without a state_dir there is a store in
// memory for Idempotency-Keys alone. The control thread's, save what durable() and keys() lead to.
// Lives longer than the loops' work, and ends before the loops themselves.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "admin/backend.hpp"
#include "app/front.hpp"
#include "app/journal.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "proxy/backroom.hpp"
#include "proxy/durable.hpp"
#include "store/local_engine.hpp"
#include "telemetry/metrics.hpp"

namespace weir::app {

class state_dir {
 public:
  // Error: the folder cannot be made or read, or another weir has it. `callback_due` is called on
  // any thread when a batch that has a callback ended.
  static base::result<std::unique_ptr<state_dir>, std::string> open(
      boost::asio::io_context& io, const config::settings& s, app::front& f, net::offload& files,
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
  bool ready() const noexcept { return !room_ || room_->restored(); }
  // Retention and backups that are due.
  void tick(base::instant now);
  // No batch begins an attempt any more.
  void stop();

  // --- what the admin API asks (state_admin.cpp) -------------------------------------------------
  void batches(const admin::batch_filter& filter, admin::done<std::string> told);
  void batch(std::string_view id, admin::done<std::string> told);
  void change(admin::batch_change what, std::string_view id,
              admin::done<admin::change_report> told);
  void change_all(admin::batch_change what, admin::batch_filter filter,
                  admin::done<admin::change_report> told);
  void back_up(std::string folder, admin::done<admin::change_report> told);
  void collect(telemetry::sink& out) const;

 private:
  state_dir(boost::asio::io_context& io, std::unique_ptr<store::local_engine> engine,
            bool on_disk, app::front& f, net::offload& files, std::function<void()> callback_due);
  void sweep();
  void count();
  void tell_troubles();
  void copy_on_schedule(base::instant now);
  void remove_old_copies(const std::string& dir, std::size_t keep);
  struct bulk;
  void next_page(std::shared_ptr<bulk> all);
  void change_one(admin::batch_change what, const store::batch_id& id, store::done<void> told);
  // Runs what the engine's thread has to tell on the control thread.
  template <class T>
  store::done<T> home(std::function<void(store::outcome<T>)> told) {
    return [this, told = std::move(told)](store::outcome<T> got) {
      auto held = std::make_shared<store::outcome<T>>(std::move(got));
      boost::asio::post(io_, [told, held] { told(std::move(*held)); });
    };
  }

  boost::asio::io_context& io_;
  net::offload& files_;
  std::unique_ptr<store::local_engine> engine_;
  std::unique_ptr<proxy::backroom> room_;
  std::optional<proxy::durable_tools> tools_;
  store::retention keep_;
  base::instant next_sweep_{}, next_copy_ = base::never;
  std::optional<config::backup> backup_;
  bool sweeping_ = false, copying_ = false;
  store::store_counts counts_;          // as of the last look
  std::int64_t last_copy_unix_ms_ = 0;
  std::uint64_t copies_failed_ = 0;
  std::uint64_t damaged_told_ = 0;
};

}  // namespace weir::app
