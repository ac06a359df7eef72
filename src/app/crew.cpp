#include "app/crew.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "admin/guard.hpp"
#include "base/check.hpp"

namespace weir::app {
namespace {

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  WEIR_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed) == 1);
  return seed;
}

bool same_machine(const config::worker& a, const config::worker& b) {
  return a.url == b.url && a.settings.backup == b.settings.backup;
}

bool same_settings(const core::worker_settings& a, const core::worker_settings& b) {
  return a.slots == b.slots && a.weight == b.weight && a.managed == b.managed;
}

std::string host_field(const config::url& u) {
  if (!u.unix_path.empty()) return "localhost";
  const bool v6 = u.host.find(':') != std::string::npos;
  std::string host = v6 ? "[" + u.host + "]" : u.host;
  if (u.port != (u.tls ? 443 : 80)) host += ":" + std::to_string(u.port);
  return host;
}

}  // namespace

crew::crew(crew_services services, std::uint64_t number, config::pool settings, tls_client tls)
    : s_(services), number_(number), settings_(std::move(settings)), tls_(std::move(tls)),
      alive_(std::make_shared<crew*>(this)) {
  proxy::gate_outlet outlet;
  outlet.settle = [&f = s_.front](std::span<const proxy::settlement> all) { f.settle(all); };
  outlet.control = [io = &s_.io, alive = alive_](core::effects&& out) {
    auto held = std::make_shared<core::effects>(std::move(out));
    boost::asio::post(*io, [alive, held] {
      if (*alive) (*alive)->take(std::move(*held));
    });
  };
  gate_ = std::make_shared<proxy::pool_gate>(settings_.settings, random_seed(),
                                             net::loop::read_clock(), std::move(outlet));
  if (s_.notes) {
    const scale_notes::numbers told = s_.notes->told(name());
    with([&](core::pool& p, instant) { p.scaled_before(told.episode, told.sequence); });
  }
  make_courier();
  for (const config::worker& w : settings_.workers) add_listed(w);
}

crew::~crew() { *alive_ = nullptr; }

bool crew::gone() const {
  return retiring_ && with([](core::pool& p, instant) { return p.running() + p.waiting() == 0; }) &&
         members_.empty();
}

// --- who is in it -------------------------------------------------------------------------------

crew::roster::iterator crew::find(std::string_view worker) {
  const auto m = std::as_const(*this).find(worker);
  return members_.erase(m, m);   // the same place, to be changed
}

crew::roster::const_iterator crew::find(std::string_view worker) const {
  return std::ranges::find_if(members_, [&](const auto& m) {
    return !m.second.leaving && m.second.settings.settings.name == worker;
  });
}

// Those that the configuration lists are within workers_max (the reader sees to it); whoever leaves
// or registered does not keep them out.
void crew::add_listed(const config::worker& w) {
  WEIR_CHECK(add(w, core::seat::reserved, {}));
}

core::worker_id crew::add(config::worker w, core::seat place,
                          std::function<bool(std::string_view)> allowed) {
  const core::worker_id id = with(
      [&](core::pool& p, instant now) { return p.add_worker(w.settings, now, place); });
  if (!id) return id;
  member& m = members_[id];
  m.settings = std::move(w);
  (void)ejections(m.settings.settings.name);   // 0 from the start, so that a rise can be seen
  follow(id, m, std::move(allowed));
  return id;
}

void crew::follow(core::worker_id id, member& m, std::function<bool(std::string_view)> allowed) {
  const config::url& url = m.settings.url;
  if (!url.unix_path.empty()) {
    const auto at = net::socket_address::unix_path(url.unix_path);
    return aim(id, m, at ? std::vector{*at} : std::vector<net::socket_address>{});
  }
  net::followed_name name;
  name.host = url.host;
  name.port = url.port;
  name.interval = settings_.resolve_interval;
  name.allowed = std::move(allowed);
  m.watch = s_.names.follow(std::move(name), [this, id](const net::name_news& news) {
    const auto found = members_.find(id);
    if (found == members_.end()) return;
    if (!news.error.empty())
      s_.journal.add(telemetry::level::warning, this->name(), "name_not_resolved",
                     found->second.settings.settings.name, std::string(news.error));
    if (!found->second.target || found->second.target->addresses != news.list)
      aim(id, found->second, news.list);
  });
  aim(id, m, m.watch.list());
}

void crew::aim(core::worker_id id, member& m, std::vector<net::socket_address> where) {
  proxy::worker_target t;
  t.pool = name();
  t.name = m.settings.settings.name;
  t.host = host_field(m.settings.url);
  t.addresses = std::move(where);
  if (m.settings.url.tls) t.tls = tls_;
  t.server_name = settings_.tls.server_name.empty() ? m.settings.url.host
                                                    : settings_.tls.server_name;
  t.idle_max = settings_.keepalive.idle;
  t.idle_connections_max = settings_.keepalive.max;
  for (std::size_t i = 0; i < t.attempts.size(); ++i)
    t.attempts[i] = s_.metrics.counter(
        telemetry::names::attempts,
        {{"pool", t.pool}, {"worker", t.name},
         {"outcome", std::string(core::name(static_cast<core::attempt_end>(i)))}});
  t.bad_load_reports = s_.metrics.counter(telemetry::names::bad_load_reports,
                                          {{"pool", t.pool}, {"worker", t.name}});
  m.target = std::make_shared<const proxy::worker_target>(std::move(t));
  s_.front.each_links(name(), [id, to = m.target](proxy::links& l) { l.set_target(id, to); });
}

void crew::leave(roster::iterator m, std::string_view why) {
  m->second.leaving = true;
  m->second.lease.reset();
  with([&](core::pool& p, instant now) { p.remove_worker(m->first, why, now); });
}

void crew::departed(core::worker_id id) {
  const auto m = members_.find(id);
  if (m == members_.end()) return;
  const std::string worker = m->second.settings.settings.name;
  members_.erase(m);
  s_.probes.cancel({number_, id});
  s_.front.each_links(name(), [id](proxy::links& l) { l.drop_target(id); });
  if (find(worker) == members_.end()) s_.metrics.retire({{"pool", name()}, {"worker", worker}});
}

// --- reload -------------------------------------------------------------------------------------

void crew::apply(config::pool settings, tls_client tls) {
  retiring_ = false;
  const bool aims = !(settings_.tls == settings.tls) || tls_ != tls ||
                    !(settings_.keepalive == settings.keepalive);
  std::vector<config::worker> wanted = settings.workers;
  settings_ = std::move(settings);
  tls_ = std::move(tls);
  with([&](core::pool& p, instant now) { p.configure(settings_.settings, now); });
  apply_workers(wanted);
  make_courier();   // hooks that had wanted no more are called again
  if (!aims) return;
  for (auto& [id, m] : members_) aim(id, m, m.target ? m.target->addresses : m.watch.list());
}

std::vector<config::change> crew::changes_to(const config::pool& wanted) const {
  if (retiring_) return {};   // the whole pool comes back
  std::vector<config::change> all = comes_again(wanted);
  for (const auto& [id, m] : members_) {
    const std::string_view why = m.registered && !m.leaving ? unwanted_by(wanted.workers, m) : "";
    if (!why.empty()) all.push_back(config::ended(name(), m.settings, std::string(why)));
  }
  return all;
}

std::vector<config::change> crew::comes_again(const config::pool& wanted) const {
  std::vector<config::change> all;
  for (const config::worker& w : settings_.workers) {
    const auto stays = [&](const config::worker& o) {
      return o.settings.name == w.settings.name && o.url == w.url;
    };
    const auto m = find(w.settings.name);
    if (std::ranges::none_of(wanted.workers, stays)) continue;
    if (m == members_.end())
      all.push_back(config::restored(name(), w.settings.name, "removed through the API"));
    else if (m->second.registered)
      all.push_back(config::restored(name(), w.settings.name,
                                     "removed through the API; the one that registered under its "
                                     "id drains"));
  }
  return all;
}

void crew::apply_workers(const std::vector<config::worker>& wanted) {
  for (const config::worker& w : wanted) {
    const auto m = find(w.settings.name);
    if (m == members_.end()) {
      add_listed(w);
      continue;
    }
    if (m->second.registered || !same_machine(m->second.settings, w)) {
      leave(m, m->second.registered ? unwanted_by(wanted, m->second)
                                    : "its url changed in the configuration");
      add_listed(w);
      continue;
    }
    const bool same = same_settings(m->second.settings.settings, w.settings);
    m->second.settings = w;
    if (same) continue;
    with([&](core::pool& p, instant now) { p.update_worker(m->first, w.settings, now); });
  }
  for (auto m = members_.begin(); m != members_.end(); ++m) {
    const std::string_view why = unwanted_by(wanted, m->second);
    if (!m->second.leaving && !why.empty()) leave(m, why);
  }
}

// Why a member goes, now that the configuration lists these; empty when it stays.
std::string_view crew::unwanted_by(const std::vector<config::worker>& wanted, const member& m) {
  const auto same_url = [&](const config::worker& w) { return w.url == m.settings.url; };
  const auto same_name = [&](const config::worker& w) {
    return w.settings.name == m.settings.settings.name;
  };
  const bool listed = std::ranges::any_of(wanted, same_name);
  if (!m.registered) return listed ? "" : "removed from the configuration";
  if (listed) return "the configuration lists its id";
  return std::ranges::any_of(wanted, same_url) ? "the configuration lists its url" : "";
}

void crew::retire() {
  retiring_ = true;
  tick(net::loop::read_clock());
}

void crew::tick(instant now) {
  for (auto m = members_.begin(); m != members_.end(); ++m) {
    if (!m->second.lease || !m->second.lease->expire(now)) continue;
    s_.journal.add(telemetry::level::warning, name(), "lease_lost",
                   m->second.settings.settings.name, "not renewed in time: draining and removing");
    leave(m, "its lease was not renewed in time");
  }
  if (!retiring_ || with([](core::pool& p, instant) { return p.waiting(); }) > 0) return;
  for (auto m = members_.begin(); m != members_.end(); ++m)
    if (!m->second.leaving) leave(m, "its pool was removed from the configuration");
}

// --- what the pool asks for ---------------------------------------------------------------------

void crew::take(core::effects out) {
  for (const core::event& e : out.events) {
    s_.journal.add(name(), e);
    count_event(e);
    if (e.what == core::event::kind::worker_removed) departed(e.worker);
  }
  for (const core::load_order& o : out.loads) s_.room->load(name(), o);
  for (const core::probe_order& o : out.probes) start_probe(o.worker);
  for (core::scale_decision& d : out.decisions) {
    last_decision_ = d;
    if (s_.notes) s_.notes->tell(name(), {d.episode, d.sequence});
    if (courier_) courier_->submit(d, wall_ms());
  }
}

void crew::count_event(const core::event& e) {
  // Who was down serves the rest of its ejection when its probes succeed again: no new one.
  const bool begins = e.what == core::event::kind::worker_state_changed &&
                      e.to == core::worker_state::ejected && e.from != core::worker_state::down;
  if (begins) ejections(e.worker_name)->add(s_.shard);
}

std::shared_ptr<telemetry::counter> crew::ejections(const std::string& worker) const {
  return s_.metrics.counter(telemetry::names::ejections, {{"pool", name()}, {"worker", worker}});
}

probe::target crew::probe_target(const member& m) const {
  probe::target t;
  t.kind = settings_.settings.health.kind;
  if (m.target) {
    t.peer.where = m.target->addresses;
    t.peer.tls = m.target->tls;
    t.peer.server_name = m.target->server_name;
    t.host = m.target->host;
  }
  if (!settings_.probe.host.empty()) t.host = settings_.probe.host;
  t.path = settings_.probe.path;
  t.statuses = settings_.probe.statuses;
  t.timeout = settings_.settings.health.timeout;
  return t;
}

void crew::start_probe(core::worker_id id) {
  const auto m = members_.find(id);
  if (m != members_.end()) s_.probes.start({number_, id}, probe_target(m->second));
}

void crew::probed(core::worker_id id, const probe::outcome& o) {
  const auto m = members_.find(id);
  if (m == members_.end()) return;
  // One that was not sent is ordered again, when core has waited for it long enough.
  if (o.sent()) with([&](core::pool& p, instant now) {
    p.probed(id, o.good(), o.detail, now);
    p.told(id, probe::word_of(o), now);
  });
  if (o.bad_load && m->second.target) m->second.target->bad_load_reports->add(s_.shard);
  s_.metrics.counter(telemetry::names::probes,
                     {{"pool", name()}, {"worker", m->second.settings.settings.name},
                      {"result", std::string(probe::name(o.what))}})
      ->add(s_.shard);
}

}  // namespace weir::app
