#include "app/state_dir.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/log.hpp"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

constexpr base::duration sweep_interval = 10s;
constexpr std::string_view copy_prefix = "weir-";   // and the time, of a scheduled copy

store::unix_ms in_ms(base::duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

// In memory less is bearable than on a disk. 0: not limited.
std::uint64_t keys_bytes(const config::settings& s) {
  const std::uint64_t all = s.retention.keys_bytes, here = s.limits.keys_memory_bytes_max;
  if (!s.state_dir.empty() || here == 0) return all;
  return all == 0 ? here : std::min(all, here);
}

// Made on the schedule, and whole: its note is written last.
bool is_copy(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  if (!name.starts_with(copy_prefix) || name.size() == copy_prefix.size()) return false;
  const bool timed = name.find_first_not_of("0123456789", copy_prefix.size()) == name.npos;
  std::error_code failed;
  return timed && std::filesystem::exists(folder / "backup.json", failed);
}

}  // namespace

base::result<std::unique_ptr<state_dir>, std::string> state_dir::open(
    boost::asio::io_context& io, const config::settings& s, app::front& f, net::offload& files,
    std::function<void()> callback_due) {
  store::local_settings wanted;
  wanted.folder = s.state_dir;
  wanted.now = wall_ms();
  wanted.keys_bytes = keys_bytes(s);
  wanted.reserve_bytes = s.limits.disk_reserve_bytes;
  auto opened = store::local_engine::open(wanted);
  if (!opened) return "state_dir " + s.state_dir + ": " + opened.error().detail;
  return std::unique_ptr<state_dir>(
      new state_dir(io, std::move(*opened), !s.state_dir.empty(), f, files,
                    std::move(callback_due)));
}

state_dir::state_dir(boost::asio::io_context& io, std::unique_ptr<store::local_engine> engine,
                     bool on_disk, app::front& f, net::offload& files,
                     std::function<void()> callback_due)
    : io_(io), files_(files), engine_(std::move(engine)) {
  if (!on_disk) return;
  proxy::backroom::outlets out;
  out.wall_ms = wall_ms;
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
           in_ms(s.retention.dead_letters), in_ms(s.retention.keys), keys_bytes(s)};
  if (backup_ != s.backup) next_copy_ = base::never;
  backup_ = s.backup;
  if (room_) room_->publish(std::move(plan));
}

void state_dir::tick(base::instant now) {
  if (now >= next_sweep_) {
    next_sweep_ = base::after(now, sweep_interval);
    if (room_) room_->tick();
    sweep();
    count();
    tell_troubles();
  }
  copy_on_schedule(now);
}

// As long as a round finds all that it may take, the next one follows.
void state_dir::sweep() {
  if (std::exchange(sweeping_, true)) return;
  engine_->sweep(keep_, wall_ms(), home<store::swept>([this](store::outcome<store::swept> done) {
    sweeping_ = false;
    if (done && done->batches + done->keys > 0) return sweep();
    if (done || done.error().what == store::trouble::closed) return;
    telemetry::log(telemetry::level::warning, "retention could not be carried out",
                   {{"detail", done.error().detail}});
  }));
}

// One line for all of an interval: a disk that fails, fails often.
void state_dir::tell_troubles() {
  const auto had = engine_->take_troubles();
  if (had.count > 0)
    telemetry::log(telemetry::level::error, "the store in state_dir failed",
                   {{"times", std::to_string(had.count)}, {"last", had.last}});
  const std::uint64_t damaged = engine_->damaged();
  if (damaged == damaged_told_) return;
  telemetry::log(telemetry::level::error, "records of the store are damaged and were set aside",
                 {{"records", std::to_string(damaged - damaged_told_)},
                  {"see", "weir batches ls --state damaged"}});
  damaged_told_ = damaged;
}

void state_dir::count() {
  engine_->count(home<store::store_counts>([this](store::outcome<store::store_counts> n) {
    if (n) counts_ = *n;
  }));
}

// The first one an interval after the start: a weir that is started again and again makes none.
void state_dir::copy_on_schedule(base::instant now) {
  if (!backup_ || !room_) return;
  if (next_copy_ == base::never) next_copy_ = base::after(now, backup_->interval);
  if (now < next_copy_ || copying_) return;
  next_copy_ = base::after(now, backup_->interval);
  copying_ = true;
  const std::string dir = backup_->dir;
  const std::string folder = dir + "/" + std::string(copy_prefix) + std::to_string(wall_ms());
  std::error_code failed;
  std::filesystem::create_directories(dir, failed);   // what fails here fails below, with a reason
  engine_->back_up(folder, home<void>([this, dir, folder, keep = backup_->keep](
                                          store::outcome<void> done) {
    copying_ = false;
    if (done) {
      last_copy_unix_ms_ = wall_ms();
      telemetry::log(telemetry::level::info, "backup made", {{"folder", folder}});
      return remove_old_copies(dir, keep);
    }
    ++copies_failed_;
    telemetry::log(telemetry::level::error, "backup failed",
                   {{"folder", folder}, {"detail", done.error().detail}});
  }));
}

// What else lies there is somebody's, and a copy that broke off does not count as one. Names are
// times of one length: their order is that of the copies.
void state_dir::remove_old_copies(const std::string& dir, std::size_t keep) {
  files_.post([dir, keep] {
    std::error_code failed;
    std::vector<std::filesystem::path> copies;
    for (const auto& one : std::filesystem::directory_iterator(dir, failed))
      if (is_copy(one.path())) copies.push_back(one.path());
    std::ranges::sort(copies);
    if (copies.size() <= keep) return;
    for (const auto& old : std::span(copies).first(copies.size() - keep))
      std::filesystem::remove_all(old, failed);
  });
}

void state_dir::stop() {
  if (room_) room_->stop();
}

}  // namespace weir::app
