// Taking a configuration, at start and at a reload: everything that can fail is made first, then
// nothing fails any more. What did not change keeps its state.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

#include "app/instance.hpp"
#include "config/diff.hpp"
#include "config/fixed.hpp"

namespace weir::app {
namespace {

net::client_certificates ask_of(config::client_auth a) {
  switch (a) {
    case config::client_auth::none: return net::client_certificates::none;
    case config::client_auth::request: return net::client_certificates::request;
    case config::client_auth::require: return net::client_certificates::require;
  }
  return net::client_certificates::none;
}

bool needs_tls(const config::pool& c) {
  return std::ranges::any_of(c.workers, [](const config::worker& w) { return w.url.tls; }) ||
         !(c.tls == config::tls_client{});
}

}  // namespace

void log_warnings(const config::outcome& read) {
  for (const config::diagnostic& d : read.warnings)
    telemetry::log(telemetry::level::warning, "configuration",
                   {{"detail", config::to_string(d, read.file_name)}});
}

// --- what can fail ------------------------------------------------------------------------------

// Where this process listens, now or as far as it was prepared.
std::vector<net::socket_address> instance::listens_at(const prepared& p) const {
  std::vector<net::socket_address> all;
  for (const auto& [listener, o] : listeners_) all.push_back(o.at);
  for (const auto& [listener, b] : p.bindings) all.push_back(b.at);
  return all;
}

// A listener on that path whose name is wanted no more. A path is one socket's: with a new name it
// has to be the same one.
const std::string* instance::name_at(const config::address& unix_bind,
                                     const config::settings& wanted) const {
  if (unix_bind.unix_path.empty()) return nullptr;
  const auto stays = [&](const std::string& name) {
    return std::ranges::any_of(wanted.listeners, [&](const auto& l) { return l.name == name; });
  };
  for (const auto& [listener, o] : listeners_)
    if (o.plan->settings.bind == unix_bind && !stays(listener)) return &listener;
  return nullptr;
}

void instance::prepare_listener(const config::listener& l, const config::settings& wanted,
                                prepared& p) {
  if (l.tls) {
    auto made = net::make_tls_server({l.tls->certificate, l.tls->private_key, l.tls->client_ca,
                                      ask_of(l.tls->client_auth)});
    if (!made) p.mistakes.push_back("listener '" + l.name + "': " + made.error());
    else p.listener_tls[l.name] = *made;
  }
  const auto open = listeners_.find(l.name);
  if (open != listeners_.end() && open->second.plan->settings.bind == l.bind) return;
  if (const std::string* old = name_at(l.bind, wanted)) {
    p.renamed[l.name] = *old;
    return;
  }
  auto bound = front_->bind(l.bind, listens_at(p));
  if (!bound) p.mistakes.push_back("listener '" + l.name + "': " + bound.error());
  else p.bindings.emplace(l.name, std::move(*bound));
}

void instance::prepare_pool(const config::pool& c, prepared& p) {
  if (!needs_tls(c)) return;
  auto made = net::tls_client_context::make({c.tls.ca, c.tls.certificate, c.tls.private_key,
                                             c.tls.verify});
  if (!made) p.mistakes.push_back("pool '" + c.settings.name + "': " + made.error());
  else p.pool_tls[c.settings.name] = *made;
}

instance::prepared instance::prepare(const config::settings& wanted) {
  prepared p;
  for (const config::listener& l : wanted.listeners) prepare_listener(l, wanted, p);
  for (const config::pool& c : wanted.pools) prepare_pool(c, p);
  if (!wanted.registration) return p;
  auto guard = admin::address_guard::make(wanted.registration->allow);
  if (!guard) p.mistakes.push_back("registration.allow: " + guard.error().message());
  else p.guard = std::move(*guard);
  return p;
}

void instance::discard(prepared& p) {
  for (auto& [listener, b] : p.bindings) b.discard();
  p.bindings.clear();
}

// --- what cannot --------------------------------------------------------------------------------

// What a reload would do: to the configuration, and to workers that are not as the file has them.
std::vector<config::change> instance::changes_to(const config::settings& wanted) const {
  std::vector<config::change> all = config::diff(settings_, wanted);
  for (const config::pool& p : wanted.pools) {
    const auto c = crews_.find(p.settings.name);
    if (c == crews_.end()) continue;
    for (config::change& one : c->second->changes_to(p)) all.push_back(std::move(one));
  }
  return all;
}

admin::answer<admin::change_report> instance::apply(config::settings wanted) {
  const std::vector<config::change> changes = changes_to(wanted);
  config::keep_fixed(settings_, wanted);
  prepared p = prepare(wanted);
  if (!p.mistakes.empty()) {
    discard(p);
    return admin::failure{admin::failure::kind::invalid, "nothing was changed", p.mistakes};
  }
  apply_pools(wanted, p);
  settings_ = std::move(wanted);
  publish();
  apply_listeners(settings_, p);
  apply_surfaces(settings_);
  guard_ = std::move(p.guard);
  admin::change_report report;
  for (const config::change& c : changes) report.lines.push_back(config::to_line(c));
  report.summary = changes.empty() ? "nothing changed"
                                   : std::to_string(changes.size()) + " changes taken";
  if (config::needs_restart(changes)) report.summary += "; some need a restart, see the lines";
  return report;
}

void instance::apply_pools(const config::settings& wanted, prepared& p) {
  for (const config::pool& c : wanted.pools) {
    const auto known = crews_.find(c.settings.name);
    const tls_client tls = p.pool_tls[c.settings.name];
    if (known != crews_.end()) known->second->apply(c, tls);
    else crews_[c.settings.name] = std::make_unique<crew>(services(), next_crew_++, c, tls);
  }
  for (auto& [pool_name, c] : crews_) {
    const auto same = [&](const config::pool& w) { return w.settings.name == pool_name; };
    if (std::ranges::none_of(wanted.pools, same)) c->retire();
  }
}

proxy::listener_ptr instance::listener_plan(
    const config::listener& l, prepared& p,
    std::shared_ptr<std::atomic<std::uint64_t>> connections) const {
  auto plan = std::make_shared<proxy::listener_plan>();
  plan->settings = l;
  if (l.tls) plan->tls = p.listener_tls[l.name];
  for (const std::string& range : l.trusted)
    if (const auto c = base::cidr::parse_masked(range)) plan->trusted.push_back(*c);
  plan->connections = std::move(connections);
  return plan;
}

void instance::open(const config::listener& l, prepared& p) {
  front::binding b = std::move(p.bindings.at(l.name));
  const std::string address = net::to_string(b.at);
  const auto connections = std::make_shared<std::atomic<std::uint64_t>>(0);
  open_listener o{listener_plan(l, p, connections), b.at};
  front_->serve(std::move(b), o.plan);
  listeners_[l.name] = std::move(o);
  telemetry::log(telemetry::level::info, "listening", {{"name", l.name}, {"address", address}});
}

// New sockets are served before old ones close, so that no moment is without a listener.
void instance::apply_listeners(const config::settings& wanted, prepared& p) {
  const auto close = [this](const std::string& listener) {
    front_->each([listener](proxy::door& d) { d.close_listener(listener); });
  };
  for (const auto& [fresh, old] : p.renamed) {
    if (listeners_.erase(fresh) > 0) close(fresh);   // it leaves the address that it had
    auto moved = listeners_.extract(old);
    moved.key() = fresh;
    listeners_.insert(std::move(moved));
  }
  for (auto o = listeners_.begin(); o != listeners_.end();) {
    const auto same = [&](const config::listener& l) { return l.name == o->first; };
    const bool keep = std::ranges::any_of(wanted.listeners, same);
    if (!keep) close(o->first);
    o = keep ? std::next(o) : listeners_.erase(o);
  }
  for (const config::listener& l : wanted.listeners) {
    const auto known = listeners_.find(l.name);
    if (p.bindings.contains(l.name)) {
      if (known != listeners_.end()) close(l.name);
      open(l, p);
      continue;
    }
    auto& plan = known->second.plan;
    const std::string before = plan->settings.name;
    plan = listener_plan(l, p, plan->connections);
    front_->each([before, plan](proxy::door& d) { d.update_listener(before, plan); });
  }
}

void instance::apply_surfaces(const config::settings& wanted) {
  if (admin_) admin_->update(wanted.admin.token);
  if (!registration_ || !wanted.registration) return;
  (void)registration_->update(wanted.registration->token, wanted.registration->allow,
                              wanted.registration->ttl_max);
}

// --- from file or text --------------------------------------------------------------------------

void instance::read_then(admin::plan_request wanted, std::function<void(config::outcome)> then) {
  boost::asio::post(files_, [this, w = std::move(wanted), then = std::move(then)] {
    auto read = std::make_shared<config::outcome>(
        w.yaml ? config::read(*w.yaml, w.file.empty() ? config_file_ : w.file,
                              config::process_variable, config::load_file)
               : config::read_file(config_file_));
    boost::asio::post(io_, [read, then] { then(std::move(*read)); });
  });
}

void instance::tell_reload(const admin::answer<admin::change_report>& how, std::string_view why) {
  last_reload_ok_ = how.has_value();
  last_reload_error_.clear();
  if (how) {
    ++generation_;
    last_reload_unix_ms_ = wall_ms();
    journal_.add(telemetry::level::info, {}, "reloaded", {},
                 std::string(why) + ": " + how->summary);
    return;
  }
  last_reload_error_ = how.error().detail;
  for (const std::string& line : how.error().lines) last_reload_error_ += "\n" + line;
  journal_.add(telemetry::level::error, {}, "reload_refused", {},
               std::string(why) + ": " + last_reload_error_);
}

void instance::finish_reload(config::outcome read, std::string_view why,
                             const admin::done<admin::change_report>& told) {
  if (draining_) {
    told(admin::failure{admin::failure::kind::unavailable, "weir is shutting down", {}});
    return;
  }
  admin::answer<admin::change_report> how = admin::failure{};
  if (read.ok()) {
    log_warnings(read);
    how = apply(std::move(read.settings));
  } else {
    admin::failure f{admin::failure::kind::invalid, "nothing was changed", {}};
    for (const config::diagnostic& d : read.mistakes)
      f.lines.push_back(config::to_string(d, read.file_name));
    how = std::move(f);
  }
  if (how) return tell_when_taken(std::move(how), std::string(why), told);
  tell_reload(how, why);
  told(std::move(how));
}

// Not before every loop has it: a listener that went accepts nobody any more.
void instance::tell_when_taken(admin::answer<admin::change_report> how, std::string why,
                               admin::done<admin::change_report> told) {
  struct report {
    std::atomic<std::size_t> loops_left;
    admin::answer<admin::change_report> how;
    std::string why;
    admin::done<admin::change_report> told;   // its last copy goes on the control thread
  };
  const auto r = std::make_shared<report>(front_->threads(), std::move(how), std::move(why),
                                          std::move(told));
  front_->each([this, r](proxy::door& d) {
    d.when_closed([this, r] {
      if (r->loops_left.fetch_sub(1) > 1) return;
      boost::asio::post(io_, [this, r] {
        tell_reload(r->how, r->why);
        std::exchange(r->told, nullptr)(std::move(r->how));
      });
    });
  });
}

void instance::reload(admin::done<admin::change_report> told) {
  read_then({}, [this, told = std::move(told)](config::outcome read) {
    finish_reload(std::move(read), "asked for through the admin API", told);
  });
}

void instance::reload_from_file(std::string_view why) {
  read_then({}, [this, reason = std::string(why)](config::outcome read) {
    finish_reload(std::move(read), reason, [](const admin::answer<admin::change_report>&) {});
  });
}

void instance::plan(admin::plan_request wanted, admin::done<admin::change_report> told) {
  read_then(std::move(wanted), [this, told = std::move(told)](config::outcome read) {
    if (!read.ok()) {
      admin::failure f{admin::failure::kind::invalid, "this configuration would be refused", {}};
      for (const config::diagnostic& d : read.mistakes)
        f.lines.push_back(config::to_string(d, read.file_name));
      return told(std::move(f));
    }
    const auto changes = changes_to(read.settings);
    admin::change_report report;
    for (const config::change& c : changes) report.lines.push_back(config::to_line(c));
    report.summary = changes.empty() ? "nothing would change"
                                     : std::to_string(changes.size()) + " changes";
    told(std::move(report));
  });
}

}  // namespace weir::app
