// A running weir: the composition root. Owns the control thread's parts (crews, probes, admin
// surfaces, journal) and the front with its loops; starts them, reloads them, drains them. All of
// it on the control thread, which runs `io`.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "admin/backend.hpp"
#include "admin/guard.hpp"
#include "admin/server.hpp"
#include "app/callbacks.hpp"
#include "app/crew.hpp"
#include "app/front.hpp"
#include "app/journal.hpp"
#include "app/plans.hpp"
#include "app/scale_notes.hpp"
#include "app/state_dir.hpp"
#include "config/reader.hpp"
#include "net/offload.hpp"

namespace weir::app {

// What works and is probably not meant, into the log: at the start and after a reload.
void log_warnings(const config::outcome& read);

class instance final : public admin::backend {
 public:
  instance(boost::asio::io_context& io, std::string config_file, config::settings settings);
  ~instance() override;

  // Error: what could not be opened or bound.
  base::result<void, std::string> start();
  // Drains (readiness fails, listeners close after drain_delay, batches finish within
  // drain_timeout) and calls back when everything has ended. A second call makes it end at once.
  void shut_down(std::function<void()> ended);
  void reopen_logs();
  void reload_from_file(std::string_view why);

  // --- admin::backend ----------------------------------------------------------------------------
  admin::readiness ready() override;
  std::string metrics() override;
  admin::process_status status() override;
  std::vector<core::pool_view> pools() override;
  admin::answer<std::vector<admin::worker_status>> workers(std::string_view pool) override;
  admin::answer<core::queue_page> queue(std::string_view pool, std::size_t offset,
                                        std::size_t limit) override;
  admin::answer<std::string> explain(std::string_view batch) override;
  admin::answer<admin::scale_view> scale(std::string_view pool) override;
  std::string config_json() override;
  admin::event_page events(std::uint64_t since, std::size_t limit) override;
  void reload(admin::done<admin::change_report> told) override;
  void plan(admin::plan_request wanted, admin::done<admin::change_report> told) override;
  admin::answer<admin::lease> register_worker(const admin::register_request& r) override;
  admin::answer<admin::lease> renew_lease(std::string_view pool, std::string_view worker,
                                          std::string_view secret) override;
  admin::answer<void> end_lease(std::string_view pool, std::string_view worker,
                                std::string_view secret) override;
  admin::answer<void> drain(std::string_view pool, std::string_view worker) override;
  admin::answer<void> undrain(std::string_view pool, std::string_view worker) override;
  admin::answer<void> remove_worker(std::string_view pool, std::string_view worker) override;
  admin::answer<void> pause(std::string_view pool) override;
  admin::answer<void> resume(std::string_view pool) override;
  void test_scale(std::string_view pool, admin::done<admin::change_report> told) override;
  void batches(admin::batch_filter filter, admin::done<std::string> told) override {
    state_->batches(filter, std::move(told));
  }
  void batch(std::string id, admin::done<std::string> told) override {
    state_->batch(id, std::move(told));
  }
  void change_batch(admin::batch_change what, std::string id,
                    admin::done<admin::change_report> told) override {
    state_->change(what, id, std::move(told));
  }
  void change_batches(admin::batch_change what, admin::batch_filter filter,
                      admin::done<admin::change_report> told) override {
    state_->change_all(what, std::move(filter), std::move(told));
  }
  void back_up(std::string folder, admin::done<admin::change_report> told) override {
    state_->back_up(std::move(folder), std::move(told));
  }

 private:
  struct open_listener {
    proxy::listener_ptr plan;
    net::socket_address at;
  };
  // Everything of a new configuration that can fail, made before anything is changed.
  struct prepared {
    std::map<std::string, net::tls_context> listener_tls;
    std::map<std::string, tls_client> pool_tls;
    std::map<std::string, front::binding> bindings;   // of new listeners
    std::map<std::string, std::string> renamed;       // unix listeners with a new name: the old one
    std::optional<admin::address_guard> guard;        // of the registration surface
    std::vector<std::string> mistakes;
  };

  base::result<void, std::string> open_surfaces();
  prepared prepare(const config::settings& wanted);
  void prepare_listener(const config::listener& l, const config::settings& wanted, prepared& p);
  std::vector<net::socket_address> listens_at(const prepared& p) const;
  void prepare_pool(const config::pool& c, prepared& p);
  static void discard(prepared& p);
  std::vector<config::change> changes_to(const config::settings& wanted) const;
  admin::answer<admin::change_report> apply(config::settings wanted);
  void apply_pools(const config::settings& wanted, prepared& p);
  void apply_listeners(const config::settings& wanted, prepared& p);
  void apply_surfaces(const config::settings& wanted);
  void open(const config::listener& l, prepared& p);
  const std::string* name_at(const config::address& unix_bind,
                             const config::settings& wanted) const;
  proxy::listener_ptr listener_plan(const config::listener& l, prepared& p,
                                    std::shared_ptr<std::atomic<std::uint64_t>> connections) const;
  void publish();
  base::result<void, std::string> open_state();
  std::uint32_t connections_max();
  void tell_reload(const admin::answer<admin::change_report>& how, std::string_view why);
  void read_then(admin::plan_request wanted, std::function<void(config::outcome)> then);
  void finish_reload(config::outcome read, std::string_view why,
                     const admin::done<admin::change_report>& told);
  void tell_when_taken(admin::answer<admin::change_report> how, std::string why,
                       admin::done<admin::change_report> told);

  void tick();
  void collect(telemetry::sink& out);
  crew* find(std::string_view pool);
  crew_services services();
  static admin::failure no_pool(std::string_view pool);

  void close_doors();
  void tell_when_empty(proxy::door& d);   // on the door's loop
  void abort_all();
  void end_loops();

  boost::asio::io_context& io_;
  std::string config_file_;
  config::settings settings_;
  instant started_ = net::loop::read_clock();
  std::int64_t started_unix_ms_ = wall_ms();

  std::unique_ptr<telemetry::access_log> access_;
  std::unique_ptr<telemetry::registry> metrics_;
  app::journal journal_;
  net::offload body_files_{2};           // outlives the loops that await its work
  std::string replay_folder_;
  std::unique_ptr<app::front> front_;
  std::unique_ptr<app::state_dir> state_;
  net::resolver names_;
  tls_client hook_tls_;
  std::unique_ptr<app::callbacks> callbacks_;   // null: no state_dir, as the next
  std::unique_ptr<app::scale_notes> notes_;
  std::unique_ptr<probe::runner> probes_;
  app::crews crews_;
  std::uint64_t next_crew_ = 0;
  std::shared_ptr<proxy::replay_budget> replay_ = std::make_shared<proxy::replay_budget>();
  std::map<std::string, open_listener> listeners_;
  std::optional<admin::address_guard> guard_;
  std::unique_ptr<admin::server> admin_, registration_;
  boost::asio::steady_timer ticker_, drain_timer_;
  boost::asio::thread_pool files_{1};    // what may block: configuration and certificates

  std::uint64_t generation_ = 1;
  std::optional<bool> last_reload_ok_;
  std::int64_t last_reload_unix_ms_ = 0;
  std::string last_reload_error_;

  std::uint32_t cut_connections_max_ = 0;   // that was told of as more than descriptors allow

  bool draining_ = false, aborting_ = false, ended_ = false;
  std::set<unsigned> empty_doors_;       // without a session since their listeners closed
  std::function<void()> on_end_;
};

}  // namespace weir::app
