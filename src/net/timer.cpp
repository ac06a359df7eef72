#include "net/timer.hpp"

#include <algorithm>
#include <bit>

namespace weir::net {
namespace {

// The first slot that ends at or after `t`, so that firing it is never early.
std::int64_t slot_of(instant t) noexcept {
  const std::int64_t n = t.time_since_epoch().count(), s = timer_wheel::slot.count();
  return n / s + (n % s != 0);
}

}  // namespace

void timer::unlink() noexcept {
  if (!link_) return;
  *link_ = next_;
  if (next_) next_->link_ = link_;
  link_ = nullptr;
  next_ = nullptr;
}

timer_wheel::timer_wheel(instant now) noexcept
    : turned_(now.time_since_epoch().count() / slot.count()) {}

void timer_wheel::arm(timer& t, instant at) noexcept {
  t.at_ = at;
  if (at == base::never) return;
  const std::int64_t want = std::max(slot_of(at), turned_ + 1);
  if (t.link_ && t.slot_time_ <= want) return;
  link(t, want);
}

void timer_wheel::link(timer& t, std::int64_t slot_time) noexcept {
  t.unlink();
  // Beyond one turn a timer rests in the farthest slot and moves on from there.
  t.slot_time_ = std::min(slot_time, turned_ + static_cast<std::int64_t>(slots) - 1);
  const std::size_t i = static_cast<std::size_t>(t.slot_time_) % slots;
  t.next_ = heads_[i];
  if (t.next_) t.next_->link_ = &t.next_;
  heads_[i] = &t;
  t.link_ = &heads_[i];
  used_[i / 64] |= std::uint64_t{1} << (i % 64);
}

void timer_wheel::advance(instant now) noexcept {
  const std::int64_t until = now.time_since_epoch().count() / slot.count();
  if (until - turned_ > static_cast<std::int64_t>(slots)) turned_ = until - slots;
  while (turned_ < until) fire_slot(++turned_, now);
}

void timer_wheel::fire_slot(std::int64_t slot_time, instant now) noexcept {
  const std::size_t i = static_cast<std::size_t>(slot_time) % slots;
  used_[i / 64] &= ~(std::uint64_t{1} << (i % 64));
  timer* due = heads_[i];
  heads_[i] = nullptr;
  if (due) due->link_ = &due;
  while (timer* t = due) {
    t->unlink();
    if (t->at_ == base::never) continue;
    if (t->at_ > now) {
      arm(*t, t->at_);
      continue;
    }
    t->at_ = base::never;
    t->fire_(t->context_);
  }
}

instant timer_wheel::next() const noexcept {
  const std::size_t start = static_cast<std::size_t>(turned_ + 1) % slots;
  for (std::size_t step = 0; step <= used_.size(); ++step) {
    const std::size_t word = (start / 64 + step) % used_.size();
    std::uint64_t bits = used_[word];
    if (step == 0) bits &= ~std::uint64_t{0} << (start % 64);
    if (!bits) continue;
    const std::size_t i = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
    const std::int64_t ahead = static_cast<std::int64_t>((i + slots - start) % slots);
    return instant{(turned_ + 1 + ahead) * slot};
  }
  return base::never;
}

}  // namespace weir::net
