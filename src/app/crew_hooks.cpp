// A pool's scale hooks: what core decides goes to the courier, what became of it to log and
// metrics.
#include <algorithm>

#include "app/crew.hpp"

namespace weir::app {

void crew::make_courier() {
  hooks_.keep(settings_.hooks, net::loop::read_clock());
  if (!settings_.settings.autoscale || settings_.hooks.empty()) {
    courier_.reset();
    if (s_.notes) s_.notes->forget(name());
    return;
  }
  using way = core::scale_decision::direction;
  using outcome = scale::hook_outcome;
  for (const way w : {way::out, way::in})   // 0 from the start, so that a rise can be seen
    for (const outcome o : {outcome::delivered, outcome::failed, outcome::superseded})
      (void)hook_calls(w, o);
  if (courier_) return courier_->configure(settings_.hooks, s_.hook_tls);
  scale::courier_options o;
  o.pool = name();
  o.seed = number_ + 1;
  o.claim_removal = [this](std::span<const std::string> names) { return claim_removal(names); };
  o.report = [this](const scale::hook_report& r) { hook_reported(r); };
  if (s_.notes) {
    o.kept = s_.notes->send_on(name(), settings_.hooks, wall_ms());
    o.keep = [this](const std::string& key, const scale::message* m) {
      s_.notes->keep(name(), key, m);
    };
  }
  courier_ = std::make_unique<scale::courier>(
      scale::attempt_tools{s_.io, s_.names, s_.hook_tls}, std::move(o), settings_.hooks);
}

// All or nothing: a decision that names a worker which was taken back must not be sent.
std::vector<std::string> crew::claim_removal(std::span<const std::string> names) {
  const bool may =
      with([&](core::pool& p, instant now) { return p.removal_sent(names, now); });
  return may ? std::vector<std::string>(names.begin(), names.end()) : std::vector<std::string>{};
}

std::shared_ptr<telemetry::counter> crew::hook_calls(core::scale_decision::direction way,
                                                     scale::hook_outcome what) const {
  return s_.metrics.counter(telemetry::names::autoscale_hooks,
                            {{"pool", name()}, {"direction", std::string(scale::name(way))},
                             {"outcome", std::string(scale::name(what))}});
}

void crew::hook_reported(const scale::hook_report& r) {
  hook_calls(r.way, r.what)->add(s_.shard);
  if (!hooks_.add(r, net::loop::read_clock())) return;
  const bool bad = r.what == scale::hook_outcome::failed;
  s_.journal.add(bad ? telemetry::level::warning : telemetry::level::info, name(),
                 "hook_" + std::string(scale::name(r.what)), {},
                 std::string(r.hook) + ", decision " + std::to_string(r.sequence) + ": " +
                     std::string(r.detail));
}

void crew::test_hooks(admin::done<admin::change_report> told) {
  if (!courier_)
    return told(admin::failure{admin::failure::kind::conflict,
                               "pool '" + name() + "' has no autoscale.hooks", {}});
  core::scale_decision standing = last_decision_.value_or(core::scale_decision{});
  if (!last_decision_) {
    const core::pool_view v = view();
    standing.desired = standing.current = v.scaled;
    standing.reason = "a test";
  }
  courier_->test(standing, wall_ms(), [told](const std::vector<scale::hook_test>& hooks) {
    std::vector<std::string> lines;
    for (const scale::hook_test& h : hooks)
      lines.push_back(h.hook + (h.delivered ? ": delivered, " : ": failed, ") + h.detail);
    const auto took = std::ranges::count(hooks, true, &scale::hook_test::delivered);
    std::string summary =
        std::to_string(took) + " of " + std::to_string(hooks.size()) + " hooks took the test";
    if (static_cast<std::size_t>(took) == hooks.size())
      return told(admin::change_report{std::move(summary), std::move(lines)});
    told(admin::failure{admin::failure::kind::bad_gateway, std::move(summary), std::move(lines)});
  });
}

}  // namespace weir::app
