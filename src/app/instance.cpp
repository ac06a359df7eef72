#include "app/instance.hpp"

#include <boost/asio/post.hpp>
#include <thread>
#include <utility>

#include "app/descriptors.hpp"
#include "app/replay_folder.hpp"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

constexpr base::duration tick_interval = 500ms;   // leases, pools that leave

unsigned thread_count(const config::settings& s) {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  return s.threads ? s.threads : cores;
}

}  // namespace

instance::instance(boost::asio::io_context& io, std::string config_file, config::settings settings)
    : io_(io), config_file_(std::move(config_file)), settings_(std::move(settings)), names_(io),
      ticker_(io), drain_timer_(io) {}

instance::~instance() {
  if (front_ && !ended_) {
    front_->stop();
    front_->join();
  }
  files_.join();
}

crew_services instance::services() {
  return {io_, *front_, *metrics_, names_, *probes_, journal_, front_->threads(),
          state_->room(), hook_tls_, notes_.get()};
}

base::result<void, std::string> instance::start() {
  const unsigned threads = thread_count(settings_);
  auto hook_tls = net::tls_client_context::make({});
  if (!hook_tls) return hook_tls.error();
  hook_tls_ = *hook_tls;
  if (!settings_.access_log.file.empty()) {
    auto opened = telemetry::access_log::open(
        {settings_.access_log.file, threads, settings_.access_log.buffer_records});
    if (!opened)
      return "access_log.file " + settings_.access_log.file + ": " + opened.error().message();
    access_ = std::move(*opened);
  }
  const replay_folder copies = open_replay_folder(settings_);
  if (!copies.mistake.empty()) return copies.mistake;
  replay_folder_ = copies.path;
  metrics_ = std::make_unique<telemetry::registry>(threads + 1);
  const config::limits& l = settings_.limits;
  const proxy::relay_sizes relays{l.relay_buffer_bytes, l.relay_pipes_max / threads, &body_files_};
  front_ = std::make_unique<app::front>(threads, access_.get(), relays);
  if (auto opened = open_state(); !opened) return opened;
  probes_ =
      std::make_unique<probe::runner>(io_, probe::runner::limit_default,
                                      [this](const probe::subject& who, const probe::outcome& o) {
                                        for (auto& [pool_name, c] : crews_)
                                          if (c->number() == who.pool) c->probed(who.worker, o);
                                      });
  prepared p = prepare(settings_);
  if (!p.mistakes.empty()) {
    discard(p);
    return p.mistakes.front();
  }
  front_->start();
  apply_pools(settings_, p);
  if (notes_) notes_->forget_others(crews_);
  publish();
  apply_listeners(settings_, p);
  guard_ = std::move(p.guard);
  metrics_->add_collector([this](telemetry::sink& out) { collect(out); });
  tick();
  return open_surfaces();
}

base::result<void, std::string> instance::open_state() {
  auto state = state_dir::open(io_, settings_, *front_, body_files_, [this] {
    boost::asio::post(io_, [this] {
      if (callbacks_) callbacks_->look();
    });
  });
  if (!state) return state.error();
  state_ = std::move(*state);
  if (!state_->room()) return {};
  front_->serve_durable(*state_->room());
  notes_ = scale_notes::open(state_->engine());
  callbacks_ = std::make_unique<app::callbacks>(
      callback_services{.tools = {io_, names_, hook_tls_},
                        .engine = state_->engine(),
                        .metrics = *metrics_,
                        .shard = front_->threads(),
                        .clock = wall_ms,
                        .seed = front_->tenant_seed()});
  return {};
}

base::result<void, std::string> instance::open_surfaces() {
  admin::server_options o;
  o.bind = settings_.admin.bind;
  o.token = settings_.admin.token;
  auto opened = admin::server::open(io_, *this, o);
  if (!opened) return "admin.bind " + config::to_string(o.bind) + ": " + opened.error();
  admin_ = std::move(*opened);
  telemetry::log(telemetry::level::info, "listening",
                 {{"name", "admin"}, {"address", admin_->address()}});
  if (!settings_.registration) return {};
  const config::registration& r = *settings_.registration;
  o.surface = admin::surface::registration;
  o.bind = r.bind;
  o.token = r.token;
  o.allow = r.allow;
  o.ttl_max = r.ttl_max;
  auto second = admin::server::open(io_, *this, o);
  if (!second)
    return "registration.bind " + config::to_string(o.bind) + ": " + second.error();
  registration_ = std::move(*second);
  telemetry::log(telemetry::level::info, "listening",
                 {{"name", "registration"}, {"address", registration_->address()}});
  return {};
}

void instance::tick() {
  const instant now = net::loop::read_clock();
  telemetry::flush_log();   // a pipe that was full may be read again
  state_->tick(now);
  bool left = false;
  for (auto c = crews_.begin(); c != crews_.end();) {
    c->second->tick(now);
    const bool gone = c->second->gone();
    left |= gone;
    if (gone) {
      probes_->cancel_pool(c->second->number());
      front_->retire_links(c->first);
    }
    c = gone ? crews_.erase(c) : std::next(c);
  }
  if (left) publish();
  ticker_.expires_after(tick_interval);
  ticker_.async_wait([this](boost::system::error_code e) {
    if (!e) tick();
  });
}

void instance::publish() {
  replay_->batch_max = settings_.limits.replay_batch_bytes_max;
  replay_->total_max = settings_.limits.replay_total_bytes_max;
  auto plans = std::make_shared<std::vector<proxy::plan_ptr>>();
  replay_->disk_max = settings_.limits.replay_disk_bytes_max;
  const plan_sources from{settings_,         crews_,          *front_,
                          *metrics_,         replay_,         state_->durable(),
                          state_->engine(),  replay_folder_,  connections_max()};
  for (unsigned i = 0; i < front_->threads(); ++i) plans->push_back(make_plan(from, i));
  state_->publish(plans->front(), settings_);
  if (callbacks_) callbacks_->configure(settings_);
  front_->each([plans](proxy::door& d) { d.publish(std::move((*plans)[d.loop().index()])); });
}

// Said once for each setting that is too high.
std::uint32_t instance::connections_max() {
  const std::uint32_t wanted = settings_.limits.connections_max;
  const std::uint64_t descriptors = descriptor_limit();
  const std::uint32_t taken = connections_within(wanted, descriptors);
  if (taken < wanted && std::exchange(cut_connections_max_, wanted) != wanted)
    telemetry::log(telemetry::level::warning,
                   "limits.connections_max is more than this process has descriptors for",
                   {{"connections_max", wanted}, {"descriptors", descriptors}, {"taken", taken}});
  return taken;
}

void instance::reopen_logs() {
  if (access_) access_->reopen();
  telemetry::log(telemetry::level::info, "log files reopened");
}

// --- the end ------------------------------------------------------------------------------------

void instance::shut_down(std::function<void()> ended) {
  if (draining_) return abort_all();
  draining_ = true;
  on_end_ = std::move(ended);
  telemetry::log(telemetry::level::info, "draining",
                 {{"drain_delay_s", base::to_seconds(settings_.drain_delay)},
                  {"drain_timeout_s", base::to_seconds(settings_.drain_timeout)}});
  drain_timer_.expires_after(settings_.drain_delay);
  drain_timer_.async_wait([this](boost::system::error_code e) {
    if (!e) close_doors();
  });
}

void instance::close_doors() {
  state_->stop();
  for (auto& [pool_name, c] : crews_)
    c->gate()->with(net::loop::read_clock(), [](core::pool& p, instant now) { p.wind_down(now); });
  front_->each([this](proxy::door& d) {
    d.close_listeners();
    // After the loop's next turns have taken what the kernel had queued.
    d.loop().post([this, &d] {
      d.drain();
      tell_when_empty(d);
    });
  });
  drain_timer_.expires_after(settings_.drain_timeout);
  drain_timer_.async_wait([this](boost::system::error_code e) {
    if (!e) abort_all();
  });
}

void instance::tell_when_empty(proxy::door& d) {
  d.when_empty([this, loop = d.loop().index()] {
    boost::asio::post(io_, [this, loop] {
      empty_doors_.insert(loop);
      if (empty_doors_.size() == front_->threads()) end_loops();
    });
  });
}

// drain_timeout passed, or a second signal: what waits is refused, what runs is broken off.
void instance::abort_all() {
  if (std::exchange(aborting_, true)) return end_loops();
  telemetry::log(telemetry::level::warning, "draining ends now: what is still open is broken off");
  for (auto& [pool_name, c] : crews_)
    c->gate()->with(net::loop::read_clock(), [](core::pool& p, instant now) { p.close(now); });
  front_->each([this](proxy::door& d) {
    d.close_listeners();
    d.loop().post([this, &d] {
      d.drain();
      d.abort_sessions();
      tell_when_empty(d);
    });
  });
  drain_timer_.expires_after(1s);
  drain_timer_.async_wait([this](boost::system::error_code e) {
    if (e) return;
    telemetry::log(telemetry::level::warning, "connections that do not end are cut");
    end_loops();
  });
}

void instance::end_loops() {
  if (std::exchange(ended_, true)) return;
  drain_timer_.cancel();
  ticker_.cancel();
  admin_.reset();
  registration_.reset();
  probes_->cancel_all();
  for (const auto& [pool_name, c] : crews_)
    front_->each_links(pool_name, [](proxy::links& l) { l.close_all(); });
  front_->stop();
  front_->join();
  callbacks_.reset();
  state_.reset();
  crews_.clear();
  if (on_end_) on_end_();
}

}  // namespace weir::app
