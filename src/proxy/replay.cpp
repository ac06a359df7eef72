#include "proxy/replay.hpp"

#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "proxy/hall.hpp"
#include "telemetry/log.hpp"

namespace weir::proxy {
namespace {

constexpr std::size_t block_bytes = 256 * 1024;   // of one write to disk
constexpr std::size_t kept_bytes_max = 4096;      // capacity that an idle exchange keeps

void let_go(std::string& s) noexcept {
  s.clear();
  if (s.capacity() > kept_bytes_max) s.shrink_to_fit();
}

}  // namespace

replay_copy::replay_copy(hall& in) : in_(in), room_(in.loop) {}

void replay_copy::start(const plan& p, std::uint64_t expected) {
  stop();
  budget_ = p.replay;
  plan_ = &p;
  expected_ = expected;
  keeping_ = true;
}

void replay_copy::cease() noexcept {
  keeping_ = false;
  room_.ring();
}

void replay_copy::stop() noexcept {
  keeping_ = writing_ = false;
  if (!budget_) return;
  give_memory_back();
  let_go(bytes_);
  let_go(tail_);
  let_go(spare_);
  if (file_) spill_file::leave(std::exchange(file_, nullptr));
  budget_.reset();
  room_.ring();
}

void replay_copy::give_memory_back() noexcept {
  budget_->used.fetch_sub(std::exchange(in_memory_, 0), std::memory_order_relaxed);
}

void replay_copy::hit(const counter_ptr& limit) noexcept { limit->add(in_.shard); }

void replay_copy::give_up(const counter_ptr& limit) noexcept {
  stop();
  hit(limit);
}

void replay_copy::give_up_disk() noexcept { give_up(plan_->hits.replay_folder); }

// --- in memory ----------------------------------------------------------------------------------

void replay_copy::keep(std::string_view bytes) {
  if (!keeping_ || bytes.empty()) return;
  if (!file_ && take_memory(bytes.size())) {
    bytes_.append(bytes);
    return;
  }
  if (!file_) move_to_disk(bytes.size());
  if (file_) keep_on_disk(bytes);
}

bool replay_copy::take_memory(std::size_t n) noexcept {
  if (bytes_.size() + n > budget_->batch_max) return false;
  const auto before = budget_->used.fetch_add(n, std::memory_order_relaxed);
  in_memory_ += n;
  if (before + n <= budget_->total_max) return true;
  budget_->used.fetch_sub(n, std::memory_order_relaxed);
  in_memory_ -= n;
  return false;
}

// --- on disk ------------------------------------------------------------------------------------

// A body that is known to be more than the disk may take is not begun there.
void replay_copy::move_to_disk(std::uint64_t more) {
  const limit_counters& hits = plan_->hits;
  const bool one = bytes_.size() + more > budget_->batch_max;
  hit(one ? hits.replay_batch : hits.replay_total);
  if (!in_.offload || plan_->replay_folder.empty()) return give_up(hits.replay_folder);
  spill_file::owner& told = *this;
  auto file = std::make_shared<spill_file>(in_.loop, *in_.offload, *plan_, told);
  const std::uint64_t used = budget_->on_disk.load(std::memory_order_relaxed);
  if (used + expected_ > budget_->disk_max || !file->reserve(bytes_.size()))
    return give_up(hits.replay_disk);
  file_ = std::move(file);
  tail_ = std::exchange(bytes_, {});
}

void replay_copy::keep_on_disk(std::string_view bytes) {
  if (!file_->reserve(bytes.size())) return give_up(plan_->hits.replay_disk);
  tail_.append(bytes);
  if (!writing_ && tail_.size() >= block_bytes) write_tail();
}

bool replay_copy::no_room() const noexcept {
  return keeping_ && writing_ && tail_.size() >= block_bytes;
}

net::signal* replay_copy::full() noexcept { return no_room() ? &room_ : nullptr; }

void replay_copy::write_tail() {
  writing_ = true;
  spill_file::write(file_, std::exchange(tail_, std::exchange(spare_, {})));
}

void replay_copy::written(int error, std::string block) {
  writing_ = false;
  room_.ring();
  if (error) {
    telemetry::log(telemetry::level::warning, "a body's copy could not be kept on disk",
                   {{"replay_dir", plan_->replay_folder}, {"error", std::strerror(error)}});
    return give_up_disk();
  }
  give_memory_back();   // the first block was what had been kept there
  block.clear();
  if (block.capacity() <= 2 * block_bytes) spare_ = std::move(block);
  if (keeping_ && tail_.size() >= block_bytes) write_tail();
}

net::body_source::file_part replay_copy::file() const noexcept {
  if (!file_) return {};
  WEIR_CHECK(settled());
  return {file_->descriptor(), 0, file_->size()};
}

net::task<void> replay_copy::settle() {
  settling_ = true;
  while (!settled()) {
    if (!writing_) write_tail();
    co_await room_;
  }
  settling_ = false;
}

}  // namespace weir::proxy
