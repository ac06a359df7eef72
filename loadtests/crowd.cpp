#include "crowd.hpp"

#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace weir::load {

static constexpr std::uint64_t input_token = UINT64_MAX;
static constexpr unsigned sources = 250;

std::uint64_t tally::failures() const {
  return std::accumulate(std::begin(errors), std::end(errors), std::uint64_t{0});
}

crowd::crowd(const settings& s) : settings_(s), to_(loopback(s.port)) {
  if (s.tls) tls_ = std::make_unique<tls_client>();
}

void crowd::listen_to_input() {
  if (!poller_.watch_readable(STDIN_FILENO, input_token)) mode_->released();  // /dev/null, a file
}

bool crowd::open() {
  descriptor socket = begin_connect(to_, 1 + static_cast<unsigned>(tally_.opened % sources));
  tally_.opened++;
  if (!socket) {
    tally_.errors[static_cast<std::size_t>(trouble::connect)]++;
    return false;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(places_.size()));
    places_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  const auto number = static_cast<std::size_t>(socket.number());
  place_of_.resize(std::max(place_of_.size(), number + 1));
  place_of_[number] = index;
  place& p = places_[index];
  const std::uint64_t hold = settings_.hold_after > 0 ? settings_.hold_after : UINT64_MAX;
  p.here = std::make_unique<connection>(std::move(socket), tls_.get(), hold);
  poller_.watch(p.here->number(), std::uint64_t{p.turn} << 32 | index);
  alive_++;
  unready_++;
  return true;
}

void crowd::send(connection& c, request r) {
  busy_++;
  settle(c, c.send(std::move(r)));
}

connection* crowd::find(std::uint64_t token) {
  const place& p = places_[static_cast<std::uint32_t>(token)];
  return p.turn == token >> 32 ? p.here.get() : nullptr;
}

void crowd::handle(const epoll_event& e) {
  if (e.data.u64 == input_token) {
    char some[64];
    if (read(STDIN_FILENO, some, sizeof some) <= 0) mode_->released();
    return;
  }
  connection* const c = find(e.data.u64);
  if (c != nullptr) settle(*c, c->handle(e.events));
}

void crowd::settle(connection& c, event what) {
  switch (what) {
    case event::none:
    case event::held:
      return;
    case event::ready:
      unready_--;
      return mode_->ready(c);
    case event::answered:
      return answer(c);
    case event::failed:
      tally_.errors[static_cast<std::size_t>(c.why())]++;
      break;
    case event::ended:
      break;
  }
  mode_->gone(c);
  remove(c);
  mode_->refill();
}

void crowd::answer(connection& c) {
  busy_--;
  tally_.requests++;
  tally_.last_answer = monotonic_now();
  const nanos due = c.current().due;
  if (due >= measured_from_) tally_.latency.add(tally_.last_answer - due);
  if (!c.closing()) return mode_->ready(c);
  settle(c, c.handle(EPOLLIN));  // its end may have come with the answer and raise no new event
}

void crowd::remove(connection& c) {
  if (c.unready()) unready_--;
  if (c.asked()) busy_--;
  tally_.sent += c.sent();
  tally_.received += c.received();
  const std::uint32_t index = place_of_[static_cast<std::size_t>(c.number())];
  places_[index].turn++;
  places_[index].here.reset();
  free_.push_back(index);
  alive_--;
}

std::uint64_t crowd::moved() const {
  std::uint64_t bytes = 0;
  for (const place& p : places_)
    if (p.here) bytes += p.here->sent() + p.here->received();
  return bytes;
}

void crowd::run(mode& m) {
  mode_ = &m;
  started_ = std::max(monotonic_now(), settings_.start);
  measured_from_ = started_ + static_cast<nanos>(settings_.warmup * 1e9);
  const nanos end = started_ + static_cast<nanos>(settings_.limit * 1e9);
  m.begin(started_);
  nanos now = monotonic_now();
  while (!m.over(now) && now < end) {
    for (const epoll_event& e : poller_.wait(std::min(m.due(), end) - now)) handle(e);
    now = monotonic_now();
    if (now >= m.due()) m.tick(now);
  }
  const std::uint64_t unanswered = m.over(now) ? 0 : busy_ + m.waiting();
  tally_.errors[static_cast<std::size_t>(trouble::timeout)] += unanswered;
  for (place& p : places_) {
    if (!p.here) continue;
    if (p.here->asked()) close_hard(p.here->number());  // else a full buffer would outlive it
    remove(*p.here);
  }
}

}  // namespace weir::load
