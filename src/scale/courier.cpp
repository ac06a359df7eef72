#include "scale/courier.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <utility>

#include "base/result.hpp"
#include "scale/record.hpp"

namespace weir::scale {
namespace {

constexpr hook_report by_newer{.what = hook_outcome::superseded, .detail = "by a newer decision"};

using kind = attempt_result::kind;
using base::error_code;

instant now() {
  return instant(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

// One hook: its outbox, the attempt under way, the timer of the next.
struct courier::lane {
  lane(boost::asio::io_context& context, config::hook what, outbox_settings backoff,
       std::uint64_t seed)
      : hook(std::move(what)), shown(label(hook)), box(backoff, seed), timer(context) {}

  config::hook hook;
  std::string shown;
  outbox box;
  boost::asio::steady_timer timer;
  std::unique_ptr<attempt> under_way;
  bool leaving = false;  // removed by a reload: no further attempt
  std::string key;       // what it is known by across restarts
  std::string kept;      // id of the message that is kept; empty: none
};

struct courier::state {
  using ptr = std::shared_ptr<state>;
  using lane_ptr = std::shared_ptr<lane>;
  struct test_run;

  state(attempt_tools t, courier_options o) : tools(std::move(t)), options(std::move(o)) {}

  static void pump(const ptr& self, const lane_ptr& l);
  static void await(const ptr& self, const lane_ptr& l);
  static void perform(const ptr& self, const lane_ptr& l, const outbox::message_ptr& m);
  static void ended(const ptr& self, const lane_ptr& l, const attempt_result& how);
  bool complete(message& m) const;
  void tell(const lane_ptr& l, const message& m, hook_report r) const;
  lane_ptr take(std::vector<lane_ptr>& from, const config::hook& hook);
  void keep(const lane_ptr& l) const;
  void rename(const std::vector<config::hook>& hooks);
  void send_on(const lane_ptr& l);

  attempt_tools tools;
  courier_options options;
  std::vector<lane_ptr> lanes, leaving;
  std::list<std::unique_ptr<attempt>> tests;
};

std::string_view name(hook_outcome o) noexcept {
  switch (o) {
    case hook_outcome::delivered:
      return "delivered";
    case hook_outcome::failed:
      return "failed";
    case hook_outcome::superseded:
      return "superseded";
  }
  return "";
}

// Says whose and about which decision, and passes it on.
void courier::state::tell(const lane_ptr& l, const message& m, hook_report r) const {
  if (!options.report) return;
  r.hook = l->shown;
  const auto at = std::find(lanes.begin(), lanes.end(), l);
  if (at != lanes.end()) r.place = static_cast<std::size_t>(at - lanes.begin());
  r.way = m.decision.way;
  r.sequence = m.decision.sequence;
  r.resent = m.decision.resent;
  options.report(r);
}

// The first hook to send a decision claims its names for all of them, and fixes its text. False: it
// must not be sent.
bool courier::state::complete(message& m) const {
  if (m.withdrawn || !m.body.empty()) return !m.withdrawn;
  if (!m.decision.remove.empty() && options.claim_removal) {
    m.decision.remove = options.claim_removal(m.decision.remove);
    m.withdrawn = m.decision.remove.empty();
  }
  m.body = make_body(type_scale, options.pool, m.decision, m.decided_unix_ms);
  return !m.withdrawn;
}

// Says what this hook has still to be told, when that has changed.
void courier::state::keep(const lane_ptr& l) const {
  outbox::message_ptr m = l->box.newer() ? l->box.newer() : l->box.current();
  if (l->leaving || (m && m->withdrawn)) m = nullptr;
  const std::string id = m ? m->id : std::string();
  if (!options.keep || id == l->kept) return;
  l->kept = id;
  options.keep(l->key, m.get());
}

// Among hooks that look the same one may have gone: names are given back before they are taken.
void courier::state::rename(const std::vector<config::hook>& hooks) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    std::string key = hook_key(hooks, i);
    if (key == lanes[i]->key) continue;
    if (!lanes[i]->kept.empty()) options.keep(lanes[i]->key, nullptr);
    lanes[i]->kept.clear();
    lanes[i]->key = std::move(key);
  }
  for (const auto& l : lanes) keep(l);
}

// What an earlier process did not get delivered.
void courier::state::send_on(const lane_ptr& l) {
  const auto found = options.kept.extract(l->key);
  if (!found) return;
  l->kept = found.mapped().id;
  (void)l->box.submit(std::make_shared<message>(std::move(found.mapped())), now());
}

void courier::state::pump(const ptr& self, const lane_ptr& l) {
  self->keep(l);
  if (l->leaving) return;
  const auto m = l->box.begin(now());
  if (!m) return await(self, l);
  if (self->complete(*m)) return perform(self, l, m);
  l->box.withdraw(now());
  self->tell(l, *m, {.what = hook_outcome::superseded, .detail = "its workers were taken back",
                     .taken_back = true});
  pump(self, l);
}

void courier::state::await(const ptr& self, const lane_ptr& l) {
  const instant at = l->box.next_try();
  if (at == base::never) return;
  l->timer.expires_at(std::chrono::steady_clock::time_point(at.time_since_epoch()));
  l->timer.async_wait([weak = std::weak_ptr(self), l](error_code ec) {
    const auto alive = weak.lock();
    if (alive && !ec) pump(alive, l);
  });
}

void courier::state::perform(const ptr& self, const lane_ptr& l, const outbox::message_ptr& m) {
  l->under_way = begin_attempt(self->tools, l->hook, *m,
                               [weak = std::weak_ptr(self), l_ = l](attempt_result how) {
                                 if (const auto alive = weak.lock()) ended(alive, l_, how);
                               });
}

void courier::state::ended(const ptr& self, const lane_ptr& l, const attempt_result& how) {
  const auto sent = l->box.current();
  const unsigned attempts = l->box.attempts();
  l->under_way.reset();
  const auto superseded = l->box.finish(how, now());
  const bool good = how.what == kind::delivered, gone = how.what == kind::gone;
  std::erase(self->leaving, l);
  self->keep(l);
  self->tell(l, *sent, {.what = good ? hook_outcome::delivered : hook_outcome::failed,
                        .attempts = attempts, .detail = how.detail, .stopped = gone});
  if (superseded) self->tell(l, *superseded, by_newer);
  pump(self, l);
}

courier::state::lane_ptr courier::state::take(std::vector<lane_ptr>& from,
                                              const config::hook& hook) {
  const auto at =
      std::find_if(from.begin(), from.end(), [&](const auto& l) { return l && l->hook == hook; });
  if (at != from.end() && (*at)->box.now_in() != outbox::state::stopped) return std::move(*at);
  return std::make_shared<lane>(tools.context, hook, options.backoff, ++options.seed);
}

courier::courier(attempt_tools tools, courier_options options, std::vector<config::hook> hooks)
    : state_(std::make_shared<state>(std::move(tools), std::move(options))) {
  configure(std::move(hooks), state_->tools.tls);
  for (const auto& l : state_->lanes) {
    state_->send_on(l);
    state::pump(state_, l);
  }
  state_->options.kept.clear();
}

courier::~courier() {
  state_->options.keep = nullptr;   // what is not delivered stays kept
  for (const auto& group : {state_->lanes, state_->leaving}) {
    for (const auto& l : group) l->leaving = true, l->timer.cancel(), l->under_way.reset();
  }
  state_->tests.clear();
}

void courier::submit(const core::scale_decision& decision, std::int64_t unix_ms) {
  const auto m = std::make_shared<message>(message{new_message_id(), decision, unix_ms, {}});
  const auto self = state_;
  for (const auto& l : std::vector(self->lanes)) {
    const auto superseded = l->box.submit(m, now());
    if (superseded && superseded != m)
      self->tell(l, *superseded, by_newer);
    state::pump(self, l);
  }
}

void courier::configure(std::vector<config::hook> hooks,
                        std::shared_ptr<const net::tls_client_context> tls) {
  state& s = *state_;
  s.tools.tls = std::move(tls);
  std::vector<state::lane_ptr> before = std::exchange(s.lanes, {});
  for (const auto& hook : hooks) s.lanes.push_back(s.take(before, hook));
  for (auto& l : before) {
    if (!l) continue;
    l->leaving = true;
    s.keep(l);
    l->timer.cancel();
    if (l->under_way) s.leaving.push_back(std::move(l));
  }
  s.rename(hooks);
}

struct courier::state::test_run {
  std::vector<hook_test> hooks;
  std::size_t left = 0;
  std::function<void(std::vector<hook_test>)> done;
  void one_ended() {
    if (--left == 0) done(std::move(hooks));
  }
};

void courier::test(const core::scale_decision& standing, std::int64_t unix_ms,
                   std::function<void(std::vector<hook_test>)> done) {
  state& s = *state_;
  auto run = std::make_shared<state::test_run>();
  run->done = std::move(done);
  run->hooks.resize(s.lanes.size());
  run->left = s.lanes.size() + 1;
  core::scale_decision decision = standing;
  decision.remove.clear();
  message m{new_message_id(), decision, unix_ms, {}};
  m.body = make_body(type_test, s.options.pool, decision, unix_ms);
  for (std::size_t i = 0; i < s.lanes.size(); ++i) {
    const auto place = s.tests.insert(s.tests.end(), nullptr);
    *place = begin_attempt(s.tools, s.lanes[i]->hook, m,
                           [weak = std::weak_ptr(state_), run, i, place,
                            shown = s.lanes[i]->shown](const attempt_result& how) {
                             const auto alive = weak.lock();
                             if (!alive) return;
                             const bool took = how.what == attempt_result::kind::delivered;
                             run->hooks[i] = {shown, took, how.detail};
                             alive->tests.erase(place);
                             run->one_ended();
                           });
  }
  boost::asio::post(s.tools.context, [run] { run->one_ended(); });
}

std::size_t courier::undelivered() const noexcept {
  std::size_t n = 0;
  for (const auto& l : state_->lanes)
    n += (l->box.current() != nullptr) + (l->box.newer() != nullptr);
  return n;
}

}  // namespace weir::scale
