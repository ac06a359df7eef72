#include "app/callback_queue.hpp"

#include <algorithm>
#include <utility>

namespace weir::app {

unsigned callback_queue::load(store::unix_ms now) {
  next_ = std::min(next_, now + limits_.poll);   // the clock may have been set back
  paused_until_ = std::min(paused_until_, now + limits_.pause);
  const bool room = ready_.empty() && under_way_.size() < limits_.at_once;
  if (loading_ || !room || now < next_load()) return 0;
  loading_ = true;
  look_ = false;
  asked_ = limits_.held + static_cast<unsigned>(under_way_.size());
  return asked_;
}

// Those under way are in the store yet, and among the first. A whole page has others behind it; if
// nothing of it is due, they are not either.
void callback_queue::loaded(std::vector<store::message> first, store::unix_ms now) {
  loading_ = false;
  next_ = now + limits_.poll;
  const bool whole = first.size() == asked_;
  for (store::message& m : first) {
    if (under_way_.contains(m.name)) continue;
    if (due(m, now)) ready_.push_back(std::move(m));
    else next_ = std::min(next_, m.due);
  }
  look_ = look_ || (whole && !ready_.empty());
}

void callback_queue::store_failed(store::unix_ms now) {
  loading_ = false;
  look_ = true;
  paused_until_ = now + limits_.pause;
}

std::optional<store::message> callback_queue::begin() {
  if (ready_.empty() || under_way_.size() >= limits_.at_once) return std::nullopt;
  store::message m = std::move(ready_.front());
  ready_.pop_front();
  under_way_.insert(m.name);
  return m;
}

// Another of its name may have been left meanwhile, which loaded() passed over.
void callback_queue::ended(const std::string& name) {
  under_way_.erase(name);
  look_ = true;
}

store::unix_ms callback_queue::next_load() const noexcept {
  return look_ ? paused_until_ : std::max(next_, paused_until_);
}

}  // namespace weir::app
