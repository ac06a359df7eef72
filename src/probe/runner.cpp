#include "probe/runner.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <map>
#include <utility>

#include "base/check.hpp"

namespace weir::probe {

struct runner::state {
  struct probe {
    std::uint64_t serial = 0;
    target what;
    net::fetch_stop stop;
  };
  using ptr = std::shared_ptr<state>;
  using probes = std::map<subject, probe>;

  state(boost::asio::io_context& context_, std::size_t limit_, finished tell_)
      : context(context_), limit(limit_), tell(std::move(tell_)) {}

  static void pump(const ptr& self);
  static void perform(const ptr& self, const subject& who, probe& p);
  static void ended(const ptr& self, const subject& who, std::uint64_t serial,
                    const net::fetch_result& answer);
  probe* find(const subject& who, std::uint64_t serial);
  probes::iterator drop(probes::iterator at);

  boost::asio::io_context& context;
  const std::size_t limit;
  finished tell;
  probes all;                                           // running or waiting
  std::deque<std::pair<subject, std::uint64_t>> order;  // waiting ones, and cancelled ones
  std::size_t running = 0;
  std::uint64_t serials = 0, limit_hits = 0;
};

runner::state::probe* runner::state::find(const subject& who, std::uint64_t serial) {
  const auto at = all.find(who);
  return at != all.end() && at->second.serial == serial ? &at->second : nullptr;
}

runner::state::probes::iterator runner::state::drop(probes::iterator at) {
  at->second.stop.stop();
  std::erase(order, std::pair(at->first, at->second.serial));
  return all.erase(at);
}

void runner::state::pump(const ptr& self) {
  while (self->running < self->limit && !self->order.empty()) {
    const auto [who, serial] = self->order.front();
    self->order.pop_front();
    perform(self, who, *self->find(who, serial));
  }
}

void runner::state::perform(const ptr& self, const subject& who, probe& p) {
  ++self->running;
  auto tell = [weak = std::weak_ptr(self), who, serial = p.serial](net::fetch_result answer) {
    if (const auto alive = weak.lock()) ended(alive, who, serial, answer);
  };
  if (p.what.kind == core::probe_kind::tcp)
    return try_connect_then(self->context, p.what.peer, p.what.timeout, p.stop, std::move(tell));
  net::fetch_limits limits;
  limits.timeout = p.what.timeout;
  fetch_then(self->context, p.what.peer, make_request(p.what), limits, p.stop, std::move(tell));
}

void runner::state::ended(const ptr& self, const subject& who, std::uint64_t serial,
                          const net::fetch_result& answer) {
  --self->running;
  pump(self);
  const probe* p = self->find(who, serial);
  if (!p) return;  // cancelled
  const outcome found = judge(p->what, answer);
  self->all.erase(who);
  self->tell(who, found);
}

runner::runner(boost::asio::io_context& context, std::size_t limit, finished tell)
    : state_(std::make_shared<state>(context, limit, std::move(tell))) {
  WEIR_CHECK(limit > 0);
}

runner::~runner() {
  cancel_all();
}

bool runner::start(const subject& who, target what) {
  state& s = *state_;
  const auto [at, fresh] = s.all.try_emplace(who);
  if (!fresh) return false;
  at->second.serial = ++s.serials;
  at->second.what = std::move(what);
  s.order.emplace_back(who, s.serials);
  if (s.running >= s.limit) ++s.limit_hits;
  state::pump(state_);
  return true;
}

void runner::cancel(const subject& who) {
  const auto at = state_->all.find(who);
  if (at != state_->all.end()) state_->drop(at);
}

void runner::cancel_pool(std::uint64_t pool) {
  auto at = state_->all.lower_bound(subject{pool, {0, 0}});
  while (at != state_->all.end() && at->first.pool == pool) at = state_->drop(at);
}

void runner::cancel_all() {
  for (auto at = state_->all.begin(); at != state_->all.end();) at = state_->drop(at);
}

std::size_t runner::running() const noexcept {
  return state_->running;
}
std::size_t runner::waiting() const noexcept {
  return state_->order.size();
}
std::uint64_t runner::limit_hits() const noexcept {
  return state_->limit_hits;
}

}  // namespace weir::probe
