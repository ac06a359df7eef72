#include "app/state_dir.hpp"

#include <chrono>
#include <utility>

#include "telemetry/log.hpp"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

constexpr base::duration sweep_interval = 10s;

store::unix_ms in_ms(base::duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace

base::result<std::unique_ptr<state_dir>, std::string> state_dir::open(
    const config::settings& s, app::front& f, net::offload& files,
    std::function<void()> callback_due) {
  store::local_settings wanted;
  wanted.folder = s.state_dir;
  wanted.now = wall_ms();
  auto opened = store::local_engine::open(wanted);
  if (!opened) return "state_dir " + s.state_dir + ": " + opened.error().detail;
  return std::unique_ptr<state_dir>(
      new state_dir(std::move(*opened), !s.state_dir.empty(), f, files, std::move(callback_due)));
}

state_dir::state_dir(std::unique_ptr<store::local_engine> engine, bool on_disk, app::front& f,
                     net::offload& files, std::function<void()> callback_due)
    : engine_(std::move(engine)) {
  if (!on_disk) return;
  proxy::backroom::outlets out;
  out.run = [&f](unsigned loop, proxy::run_order o) {
    f.post(loop, [o = std::move(o)](proxy::door& d) { d.durable().begin(o); });
  };
  out.interrupt = [&f](unsigned loop, std::uint64_t owner) {
    f.post(loop, [owner](proxy::door& d) { d.durable().interrupt(owner); });
  };
  out.callback_due = std::move(callback_due);
  room_ = std::make_unique<proxy::backroom>(*engine_, f.threads(), f.tenant_seed(),
                                            std::move(out));
  tools_.emplace(proxy::durable_tools{*engine_, &engine_->bodies(), files, *room_});
}

// The engine's last answers speak to the others.
state_dir::~state_dir() { engine_.reset(); }

void state_dir::publish(proxy::plan_ptr plan, const config::settings& s) {
  keep_ = {in_ms(s.retention.results), s.retention.results_bytes,
           in_ms(s.retention.dead_letters), in_ms(s.retention.keys)};
  if (room_) room_->publish(std::move(plan));
}

void state_dir::tick(base::instant now) {
  if (now < next_sweep_) return;
  next_sweep_ = base::after(now, sweep_interval);
  sweep(now);
}

void state_dir::sweep(base::instant) {
  engine_->sweep(keep_, wall_ms(), [](store::outcome<store::swept> done) {
    if (done || done.error().what == store::trouble::closed) return;
    telemetry::log(telemetry::level::warning, "retention could not be carried out",
                   {{"detail", done.error().detail}});
  });
}

void state_dir::stop() {
  if (room_) room_->stop();
}

}  // namespace weir::app
