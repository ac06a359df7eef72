#include "sim/peers.hpp"

#include <algorithm>

#include "sim/generators.hpp"

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

constexpr duration probe_interval = 2s;
constexpr std::uint32_t fall = 3, rise = 2;

}  // namespace

peer_policy::peer_policy(peer how, std::size_t batches, std::uint32_t attempts_max,
                         std::uint64_t seed)
    : how_(how),
      attempts_max_(attempts_max),
      random_(stream_of(seed, stream::policy)),
      tries_(batches) {}

void peer_policy::joined(std::uint32_t worker, const fleet_worker& facts, instant now) {
  if (facts.backup) return;
  if (member_of_.size() <= worker) member_of_.resize(worker + 1);
  member_of_[worker] = static_cast<std::uint32_t>(members_.size());
  member& m = members_.emplace_back();
  m.number = worker;
  m.slots = facts.slots;
  ++up_;
  if (next_probe_ == base::never) next_probe_ = now + probe_interval;
  serve_all();
}

void peer_policy::arrived(std::uint32_t batch, const arrival&, instant) {
  dispatch(batch);
}

void peer_policy::dispatch(std::uint32_t batch) {
  member* m = chosen();
  if (m) return give(*m, batch);
  central_.push_back(batch);
}

peer_policy::member* peer_policy::chosen() noexcept {
  if (members_.empty()) return nullptr;
  switch (how_) {
    case peer::round_robin:
      return turn();
    case peer::two_choices:
      return less_of_two();
    case peer::least_connections:
      return least(false);
    case peer::first_come:
      break;
  }
  return least(true);
}

peer_policy::member* peer_policy::turn() noexcept {
  for (;;) {
    member& m = members_[next_++ % members_.size()];
    if (usable(m)) return &m;
  }
}

peer_policy::member* peer_policy::less_of_two() noexcept {
  const auto draw = [&]() -> member* {
    for (;;) {
      member& m = members_[random_.below(members_.size())];
      if (usable(m)) return &m;
    }
  };
  member *a = draw(), *b = draw();
  return b->outstanding() < a->outstanding() ? b : a;
}

// Of equals the one whose turn it is.
peer_policy::member* peer_policy::least(bool free_only) noexcept {
  member* best = nullptr;
  std::size_t after = next_;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    member& m = members_[(next_ + i) % members_.size()];
    if (!usable(m) || (free_only && m.running >= m.slots)) continue;
    if (best && m.outstanding() >= best->outstanding()) continue;
    best = &m;
    after = next_ + i + 1;
  }
  next_ = after % members_.size();
  return best;
}

void peer_policy::give(member& m, std::uint32_t batch) {
  if (m.running < m.slots) return run(m, batch);
  m.queue.push_back(batch);
}

void peer_policy::run(member& m, std::uint32_t batch) {
  ++m.running;
  out.starts.push_back({batch, m.number, ++tries_[batch] > 1});
}

void peer_policy::ended(std::uint32_t batch, std::uint32_t worker, ending how, instant) {
  member& m = members_[member_of_[worker]];
  --m.running;
  serve(m);
  if (how == ending::good) return;
  if (tries_[batch] < attempts_max_) return dispatch(batch);
  out.lost.push_back(batch);
}

void peer_policy::serve(member& m) {
  std::deque<std::uint32_t>& queue = how_ == peer::first_come ? central_ : m.queue;
  while (m.running < m.slots && !queue.empty() && usable(m)) {
    const std::uint32_t batch = queue.front();
    queue.pop_front();
    run(m, batch);
  }
}

// What waits in front finds a worker that is free, or was the first to come.
void peer_policy::serve_all() {
  std::deque<std::uint32_t> waiting;
  waiting.swap(central_);
  for (const std::uint32_t batch : waiting) dispatch(batch);
  for (member& m : members_) serve(m);
}

void peer_policy::probed(std::uint32_t worker, bool good, instant) {
  member& m = members_[member_of_[worker]];
  m.falls = good ? 0 : m.falls + 1;
  m.rises = good ? m.rises + 1 : 0;
  const bool up = m.up ? m.falls < fall : m.rises >= rise;
  if (up == m.up) return;
  m.up = up;
  up_ += up ? 1 : std::size_t(-1);
  if (!up) evacuate(m);
  serve_all();
}

// What waits at a worker that is down is given to others (HAProxy's redispatch).
void peer_policy::evacuate(member& m) {
  std::deque<std::uint32_t> waiting;
  waiting.swap(m.queue);
  for (const std::uint32_t batch : waiting) dispatch(batch);
}

void peer_policy::expire(instant now) {
  for (const member& m : members_) out.probes.push_back(m.number);
  next_probe_ = now + probe_interval;
}

}  // namespace weir::sim
