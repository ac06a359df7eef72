#include "modes.hpp"

#include <algorithm>
#include <cstdio>

namespace weir::load {

static constexpr std::uint64_t unready_max = 256;
static constexpr nanos look_every = second / 2;

static nanos end_of(const settings& s, nanos start) {
  return s.seconds > 0 ? start + static_cast<nanos>(s.seconds * 1e9) : never;
}

void closed_mode::begin(nanos now) {
  end_ = end_of(settings_, now);
  for (std::uint64_t i = 0; i < settings_.connections; i++) crowd_.open();
}

bool closed_mode::more(nanos now) const {
  return now < end_ && (settings_.count == 0 || begun_ < settings_.count);
}

void closed_mode::ready(connection& c) {
  const nanos now = monotonic_now();
  if (!more(now)) return;
  begun_++;
  crowd_.send(c, maker_.draw(now));
}

void closed_mode::refill() {
  if (more(monotonic_now())) crowd_.open();
}

bool closed_mode::over(nanos now) const {
  return crowd_.alive() == 0 || (crowd_.busy() == 0 && !more(now));
}

open_mode::open_mode(crowd& c, const settings& s) : crowd_(c), settings_(s), maker_(s) {
  if (!s.trace.empty()) trace_ = read_trace(s);
}

void open_mode::begin(nanos now) {
  end_ = end_of(settings_, now);
  next_ = now;
  schedule();
}

// When the next arrival is due, from the last one; never after the end.
void open_mode::schedule() {
  const bool traced = !trace_.empty();
  if (traced && traced_ == trace_.size()) {
    next_ = never;
    return;
  }
  next_ = traced ? crowd_.started() + trace_[traced_].at : next_ + maker_.gap();
  if (next_ >= end_) next_ = never;
}

request open_mode::arrive() {
  return trace_.empty() ? maker_.draw(next_) : maker_.make(trace_[traced_++], next_);
}

void open_mode::tick(nanos now) {
  while (next_ <= now) {
    queue_.push_back(arrive());
    schedule();
  }
  match();
}

void open_mode::match() {
  while (!queue_.empty() && !idle_.empty()) {
    connection* const c = idle_.back();
    idle_.pop_back();
    request r = std::move(queue_.front());
    queue_.pop_front();
    crowd_.send(*c, std::move(r));
  }
  while (queue_.size() > crowd_.unready() && crowd_.alive() < settings_.connections)
    if (!crowd_.open()) return;
}

void open_mode::ready(connection& c) {
  idle_.push_back(&c);
  match();
}

void open_mode::gone(connection& c) { std::erase(idle_, &c); }

bool open_mode::over(nanos) const {
  return next_ == never && queue_.empty() && crowd_.busy() == 0;
}

void idle_mode::begin(nanos now) {
  look_ = now + look_every;
  open_some();
}

void idle_mode::open_some() {
  while (crowd_.counted().opened < settings_.connections && crowd_.unready() < unready_max)
    if (!crowd_.open()) return;
}

void idle_mode::ready(connection& c) {
  open_some();
  if (c.sent() == 0) crowd_.send(c, maker_.draw(monotonic_now()));
}

bool idle_mode::settled() {
  if (crowd_.counted().opened < settings_.connections || crowd_.unready() > 0) return false;
  if (settings_.mode == "idle") return crowd_.busy() == 0;
  const std::uint64_t moved = crowd_.moved();
  return std::exchange(moved_, moved) == moved;
}

void idle_mode::tick(nanos now) {
  look_ = now + look_every;
  open_some();
  if (told_ || !settled()) return;
  told_ = true;
  look_ = never;
  crowd_.listen_to_input();
  std::puts("ready");
  std::fflush(stdout);
}

bool idle_mode::over(nanos) const { return told_ && released_; }

}  // namespace weir::load
