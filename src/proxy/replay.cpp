#include "proxy/replay.hpp"

namespace weir::proxy {

void replay_copy::start(const plan& p) {
  stop();
  budget_ = p.replay;
  hits_ = &p.hits;
  limit_hit_ = nullptr;
  keeping_ = true;
}

void replay_copy::stop() noexcept {
  keeping_ = false;
  if (!budget_) return;
  budget_->used.fetch_sub(bytes_.size(), std::memory_order_relaxed);
  budget_.reset();
  bytes_.clear();
  if (bytes_.capacity() > 4096) bytes_.shrink_to_fit();
}

void replay_copy::give_up(const counter_ptr& limit) noexcept {
  stop();
  limit_hit_ = limit.get();
}

void replay_copy::keep(std::string_view bytes) {
  if (!keeping_) return;
  if (bytes_.size() + bytes.size() > budget_->batch_max) return give_up(hits_->replay_batch);
  const auto used = budget_->used.fetch_add(bytes.size(), std::memory_order_relaxed);
  bytes_.append(bytes);
  if (used + bytes.size() > budget_->total_max) give_up(hits_->replay_total);
}

}  // namespace weir::proxy
