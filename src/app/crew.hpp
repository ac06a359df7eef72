// A pool as the control thread keeps it: the gate that the loops share, who its workers are, where
// their names lead, their leases, and the hooks of its scale decisions. The control thread only.
// Invariant: every loop hears of a worker's target by a post before anything else is said of it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/backend.hpp"
#include "app/front.hpp"
#include "app/hook_log.hpp"
#include "app/journal.hpp"
#include "app/scale_notes.hpp"
#include "config/diff.hpp"
#include "core/lease.hpp"
#include "net/resolve.hpp"
#include "net/tls_client_context.hpp"
#include "probe/runner.hpp"
#include "scale/courier.hpp"

namespace weir::app {

using base::instant;

// What crews share; owned by the instance.
struct crew_services {
  boost::asio::io_context& io;
  app::front& front;
  telemetry::registry& metrics;
  net::resolver& names;
  probe::runner& probes;
  app::journal& journal;
  unsigned shard;                       // the control thread's, of counters
  proxy::backroom* room;              // null: no state_dir
  std::shared_ptr<const net::tls_client_context> hook_tls;   // for https:// hooks: the system's CAs
  scale_notes* notes = nullptr;       // null: no state_dir
};

using tls_client = std::shared_ptr<const net::tls_client_context>;

class crew {
 public:
  crew(crew_services services, std::uint64_t number, config::pool settings, tls_client tls);
  ~crew();
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;

  const std::string& name() const noexcept { return settings_.settings.name; }
  std::uint64_t number() const noexcept { return number_; }
  const config::pool& settings() const noexcept { return settings_; }
  const std::shared_ptr<proxy::pool_gate>& gate() const noexcept { return gate_; }

  // What a reload to `wanted` does beyond what the two configurations differ in: workers that were
  // taken out by other means come again, and registrations that it lists end.
  std::vector<config::change> changes_to(const config::pool& wanted) const;
  // A reload: what did not change keeps its state; registered workers stay.
  void apply(config::pool settings, tls_client tls);
  // The pool left the configuration: it serves what waits, then its workers go.
  void retire();
  bool retiring() const noexcept { return retiring_; }
  bool gone() const;                    // retired and empty

  void probed(core::worker_id worker, const probe::outcome& o);
  void tick(instant now);               // leases; once a second or so

  // --- what the admin API asks -------------------------------------------------------------------
  core::pool_view view() const;
  std::vector<admin::worker_status> workers() const;
  admin::answer<admin::lease> enroll(const admin::register_request& r,
                                     std::function<bool(std::string_view)> address_allowed,
                                     base::duration ttl_max);
  admin::answer<admin::lease> renew(std::string_view worker, std::string_view secret);
  admin::answer<void> end_lease(std::string_view worker, std::string_view secret);
  admin::answer<void> drain(std::string_view worker, std::string_view why);
  admin::answer<void> undrain(std::string_view worker);
  admin::answer<void> remove(std::string_view worker);
  admin::scale_view scale() const;
  void test_hooks(admin::done<admin::change_report> told);
  void collect(telemetry::sink& out) const;

 private:
  struct member {
    config::worker settings;
    net::name_watch watch;
    proxy::target_ptr target;
    bool leaving = false;
    bool registered = false;
    std::string secret;                 // of the lease
    std::optional<core::lease> lease;
  };
  using roster = std::map<core::worker_id, member>;

  roster::iterator find(std::string_view worker);
  roster::const_iterator find(std::string_view worker) const;
  void add_listed(const config::worker& w);
  core::worker_id add(config::worker w, core::seat place,
                      std::function<bool(std::string_view)> allowed);
  void follow(core::worker_id id, member& m, std::function<bool(std::string_view)> allowed);
  void aim(core::worker_id id, member& m, std::vector<net::socket_address> where);
  void leave(roster::iterator m, std::string_view why);
  void departed(core::worker_id id);
  std::vector<config::change> comes_again(const config::pool& wanted) const;
  void apply_workers(const std::vector<config::worker>& wanted);
  static std::string_view unwanted_by(const std::vector<config::worker>& wanted, const member& m);
  void make_courier();
  std::vector<std::string> claim_removal(std::span<const std::string> names);
  void hook_reported(const scale::hook_report& r);
  void take(core::effects out);
  void start_probe(core::worker_id id);
  probe::target probe_target(const member& m) const;
  void count_event(const core::event& e);
  std::shared_ptr<telemetry::counter> ejections(const std::string& worker) const;
  std::shared_ptr<telemetry::counter> hook_calls(core::scale_decision::direction way,
                                                 scale::hook_outcome what) const;
  template <class Use>
  auto with(Use use) const {
    return gate_->with(net::loop::read_clock(), std::move(use));
  }

  crew_services s_;
  std::uint64_t number_;
  config::pool settings_;
  tls_client tls_;
  std::shared_ptr<proxy::pool_gate> gate_;
  roster members_;
  std::unique_ptr<scale::courier> courier_;
  hook_log hooks_;
  std::optional<core::scale_decision> last_decision_;
  bool retiring_ = false;
  std::shared_ptr<crew*> alive_;        // posts to a crew that is gone find null
};

}  // namespace weir::app
