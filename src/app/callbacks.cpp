#include "app/callbacks.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <utility>

#include "admin/guard.hpp"
#include "app/callback_body.hpp"
#include "config/addresses.hpp"
#include "telemetry/log.hpp"
#include "telemetry/names.hpp"

namespace weir::app {
namespace {

using outcome = callback_outcome;
using kind = scale::attempt_result::kind;
using telemetry::level;

using policy = decltype(config::route::callback);

// The store or the disk may do better later; anything else stays as it is.
bool passes(store::trouble what) {
  return what == store::trouble::io || what == store::trouble::full;
}

}  // namespace

std::string_view name(callback_outcome o) noexcept {
  switch (o) {
    case outcome::delivered: return "delivered";
    case outcome::failed: return "failed";
    case outcome::gone: return "gone";
    case outcome::expired: return "expired";
    case outcome::refused: return "refused";
  }
  return "";
}

// One message of the store, from its reading to the store's word that it is settled.
struct callbacks::delivery {
  store::message kept;
  store::batch of;
  std::string origin;
  std::unique_ptr<scale::attempt> under_way;
};

struct callbacks::state {
  using ptr = std::shared_ptr<state>;

  explicit state(callback_services s)
      : services(std::move(s)),
        queue(services.limits),
        pace(services.backoff, services.give_up, services.seed),
        timer(services.tools.context) {}

  // The engine's answer, on the control thread; nothing when all this is gone by then.
  template <class T, class Then>
  static store::done<T> then(const ptr& self, Then next) {
    return [weak = std::weak_ptr(self), io = &self->services.tools.context,
            next = std::move(next)](store::outcome<T> got) {
      boost::asio::post(*io, [weak, next, got = std::move(got)] {
        if (const auto alive = weak.lock()) next(alive, got);
      });
    };
  }

  static void pump(const ptr& self);
  static void await(const ptr& self);
  static void loaded(const ptr& self, const store::outcome<store::message_page>& got);
  static void begin(const ptr& self, store::message m);
  static void found(const ptr& self, const std::string& key, const store::outcome<store::batch>& b);
  static void consider(const ptr& self, delivery& d);
  static void answered(const ptr& self, const std::string& key,
                       const store::outcome<store::response>& a);
  static void send(const ptr& self, delivery& d, std::optional<std::uint16_t> status);
  static void ended(const ptr& self, const std::string& key, const scale::attempt_result& how);
  static void forget(const ptr& self, const delivery& d);
  static void put_off(const ptr& self, delivery& d, unsigned tries, store::unix_ms due);
  static void settled(const ptr& self, const std::string& key, const store::outcome<void>& how);
  static void leave(const ptr& self, const std::string& key);
  void end_as(outcome what, const delivery& d, std::string_view detail);
  void count(outcome what, const std::string& route) const;
  const policy* policy_of(const store::batch& b) const;
  store::unix_ms now() const { return services.clock(); }

  callback_services services;
  std::map<std::string, policy> policies;       // by route
  callback_queue queue;
  callback_pace pace;
  std::map<std::string, delivery> deliveries;   // by the message's name
  boost::asio::steady_timer timer;
};

// --- from the store -----------------------------------------------------------------------------

void callbacks::state::pump(const ptr& self) {
  while (auto m = self->queue.begin()) begin(self, std::move(*m));
  const unsigned wanted = self->queue.load(self->now());
  if (wanted > 0)
    self->services.engine.due_messages(std::string(callback_prefix), wanted,
                                       then<store::message_page>(self, &loaded));
  await(self);
}

void callbacks::state::await(const ptr& self) {
  const auto left = std::max<store::unix_ms>(self->queue.next_load() - self->now(), 1);
  self->timer.expires_after(std::chrono::milliseconds(std::min(left, self->services.limits.poll)));
  self->timer.async_wait([weak = std::weak_ptr(self)](boost::system::error_code e) {
    const auto alive = weak.lock();
    if (alive && !e) pump(alive);
  });
}

void callbacks::state::loaded(const ptr& self, const store::outcome<store::message_page>& got) {
  if (!got) {
    self->queue.store_failed(self->now());
    return await(self);
  }
  if (got->damaged > 0)
    telemetry::log(level::error, "callbacks could not be read and are dropped",
                   {{"count", got->damaged}});
  self->queue.loaded(got->list, self->now());
  pump(self);
}

void callbacks::state::begin(const ptr& self, store::message m) {
  const std::string key = m.name;
  const auto id = batch_of(m);
  delivery& d = self->deliveries[key];
  d.kept = std::move(m);
  if (!id) {
    telemetry::log(level::error, "a callback could not be read and is dropped", {{"name", key}});
    return forget(self, d);
  }
  self->services.engine.find(*id, false, then<store::batch>(self, [key](const ptr& s, auto& got) {
    found(s, key, got);
  }));
}

void callbacks::state::found(const ptr& self, const std::string& key,
                             const store::outcome<store::batch>& b) {
  delivery& d = self->deliveries.at(key);
  if (b) {
    d.of = *b;
    return consider(self, d);
  }
  if (passes(b.error().what)) {
    self->queue.store_failed(self->now());
    return leave(self, key);
  }
  if (b.error().what == store::trouble::closed) return;
  telemetry::log(level::warning, "a callback is dropped, its batch is no longer kept",
                 {{"batch", key.substr(callback_prefix.size())}, {"detail", b.error().detail}});
  forget(self, d);
}

// --- to the receiver ----------------------------------------------------------------------------

const policy* callbacks::state::policy_of(const store::batch& b) const {
  const auto p = policies.find(b.route);
  const bool may = p != policies.end() && config::has_origin(b.callback, p->second.allow);
  return may ? &p->second : nullptr;
}

void callbacks::state::consider(const ptr& self, delivery& d) {
  // Put back into the queue meanwhile: its next end leaves another message.
  if (store::is_open(d.of.state) || d.of.callback.empty()) return forget(self, d);
  if (!self->policy_of(d.of)) {
    self->end_as(outcome::refused, d, "its route is gone, or does not allow this origin any more");
    return forget(self, d);
  }
  d.origin = config::hook_origin(d.of.callback);
  if (const auto due = self->pace.postponed(d.origin, d.of.changed, self->now()))
    return put_off(self, d, tries_of(d.kept), *due);
  const bool may_have_one = d.of.state == store::batch_state::succeeded ||
                            d.of.state == store::batch_state::failed;
  if (!may_have_one) return send(self, d, {});
  self->services.engine.response_of(
      d.of.id, then<store::response>(self, [key = d.kept.name](const ptr& s, auto& got) {
        answered(s, key, got);
      }));
}

void callbacks::state::answered(const ptr& self, const std::string& key,
                                const store::outcome<store::response>& a) {
  delivery& d = self->deliveries.at(key);
  if (a) return send(self, d, a->status);
  if (a.error().what == store::trouble::closed) return;
  if (!passes(a.error().what)) return send(self, d, {});
  self->queue.store_failed(self->now());
  leave(self, key);
}

void callbacks::state::send(const ptr& self, delivery& d, std::optional<std::uint16_t> status) {
  const policy* const p = self->policy_of(d.of);   // a reload may have come between
  if (!p) return consider(self, d);
  config::webhook hook;
  hook.url = d.of.callback;
  hook.secret = p->secret;
  d.under_way = scale::begin_webhook(
      self->services.tools, hook, callback_message(d.of, status),
      [weak = std::weak_ptr(self), key = d.kept.name](const scale::attempt_result& how) {
        if (const auto alive = weak.lock()) ended(alive, key, how);
      });
}

void callbacks::state::ended(const ptr& self, const std::string& key,
                             const scale::attempt_result& how) {
  delivery& d = self->deliveries.at(key);
  d.under_way.reset();
  if (how.what != kind::failed) {
    self->pace.delivered(d.origin);
    self->end_as(how.what == kind::gone ? outcome::gone : outcome::delivered, d, how.detail);
    return forget(self, d);
  }
  self->count(outcome::failed, d.of.route);
  const unsigned tries = tries_of(d.kept) + 1;
  const auto again = self->pace.failed(d.origin, tries, d.of.changed, how, self->now());
  if (!again) {
    self->end_as(outcome::expired, d, how.detail);
    return forget(self, d);
  }
  if (tries == 1)
    telemetry::log(level::warning, "a callback failed and is tried again",
                   {{"batch", key.substr(callback_prefix.size())},
                    {"origin", d.origin},
                    {"detail", how.detail}});
  put_off(self, d, tries, *again);
}

// --- back to the store --------------------------------------------------------------------------

void callbacks::state::forget(const ptr& self, const delivery& d) {
  self->services.engine.forget_message(
      d.kept, then<void>(self, [key = d.kept.name](const ptr& s, auto& how) {
        settled(s, key, how);
      }));
}

void callbacks::state::put_off(const ptr& self, delivery& d, unsigned tries, store::unix_ms due) {
  self->services.engine.keep_message(
      {d.kept.name, tries_text(tries), due},
      then<void>(self, [key = d.kept.name](const ptr& s, auto& how) { settled(s, key, how); }));
}

// What could not be written down is delivered once more after a while: the id tells it apart.
void callbacks::state::settled(const ptr& self, const std::string& key,
                               const store::outcome<void>& how) {
  if (!how) self->queue.store_failed(self->now());
  leave(self, key);
}

void callbacks::state::leave(const ptr& self, const std::string& key) {
  self->deliveries.erase(key);
  self->queue.ended(key);
  pump(self);
}

// --- what is said of it -------------------------------------------------------------------------

void callbacks::state::count(outcome what, const std::string& route) const {
  services.metrics
      .counter(telemetry::names::callbacks,
               {{"route", route}, {"outcome", std::string(name(what))}})
      ->add(services.shard);
}

void callbacks::state::end_as(outcome what, const delivery& d, std::string_view detail) {
  count(what, d.of.route);
  if (what == outcome::delivered) return;
  telemetry::log(level::warning, "a callback is given up",
                 {{"batch", d.kept.name.substr(callback_prefix.size())},
                  {"route", d.of.route},
                  {"origin", config::hook_origin(d.of.callback)},
                  {"outcome", name(what)},
                  {"detail", detail}});
}

callbacks::callbacks(callback_services services) {
  services.tools.may_call = [](std::string_view address) {
    return !admin::is_refused_address(address);
  };
  state_ = std::make_shared<state>(std::move(services));
}

callbacks::~callbacks() {
  state_->timer.cancel();
  state_->deliveries.clear();
}

void callbacks::configure(const config::settings& s) {
  state_->policies.clear();
  for (const config::route& r : s.routes) {
    if (r.callback.allow.empty()) continue;
    state_->policies[r.name] = r.callback;
    for (const outcome o : {outcome::delivered, outcome::failed, outcome::gone, outcome::expired,
                            outcome::refused})   // 0 from the start, so that a rise can be seen
      (void)state_->services.metrics.counter(
          telemetry::names::callbacks, {{"route", r.name}, {"outcome", std::string(name(o))}});
  }
  state::pump(state_);
}

void callbacks::look() {
  state_->queue.look();
  state::pump(state_);
}

}  // namespace weir::app
