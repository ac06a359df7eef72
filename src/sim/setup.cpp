#include "sim/setup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "config/nearest.hpp"
#include "config/reader.hpp"

namespace weir::sim {
namespace {

constexpr std::uint64_t usual_batches = 200'000;

// What one configuration says of a pool.
struct configured {
  std::string label;
  weir_settings weir = unlimited_weir();
  std::vector<worker_group> workers;
  std::optional<core::autoscale_settings> autoscale;
};

std::vector<worker_group> groups_of(const config::pool& p) {
  std::vector<worker_group> groups;
  for (const config::worker& w : p.workers) {
    worker_group g;
    g.name = w.settings.name;
    g.numbered = false;
    g.count = 1;
    g.slots = w.settings.slots;
    g.weight = w.settings.weight;
    g.backup = w.settings.backup;
    groups.push_back(g);
  }
  return groups;
}

// Retries and wait limit of the first route that leads to it.
void take_route(const config::settings& s, const std::string& pool, weir_settings& to) {
  const auto leads = [&](const config::route& r) { return r.pool == pool; };
  const auto route = std::find_if(s.routes.begin(), s.routes.end(), leads);
  if (route == s.routes.end()) return;
  to.retry = route->retry;
  to.wait_max = route->timeout.queue;
}

std::string pool_wanted(const config::settings& s, const std::string& asked) {
  return asked.empty() && s.pools.size() == 1 ? s.pools.front().settings.name : asked;
}

// Fills `to`, or says why not.
std::string read_configured(const std::string& file, const std::string& asked, configured& to) {
  const config::outcome read = config::read_file(file);
  if (!read.ok()) return read.text();
  const std::string pool = pool_wanted(read.settings, asked);
  std::vector<std::string_view> names;
  for (const config::pool& p : read.settings.pools) names.push_back(p.settings.name);
  const auto found = std::find(names.begin(), names.end(), pool);
  if (found == names.end()) {
    const auto close = config::nearest(pool, names);
    return fmt::format("{}: no pool `{}`, expected one of {}{}{}\n", file, pool,
                       fmt::join(names, ", "), close.empty() ? "" : "; did you mean ", close);
  }
  const config::pool& p = read.settings.pools[static_cast<std::size_t>(found - names.begin())];
  to.label = std::filesystem::path(file).filename().string();
  to.weir.pool = p.settings;
  to.autoscale = std::exchange(to.weir.pool.autoscale, std::nullopt);  // of another world
  to.workers = groups_of(p);
  take_route(read.settings, pool, to.weir);
  return {};
}

std::string read_trace(const trace_source& from, workload& to, std::size_t& skipped) {
  const trace read = from.kind == trace_kind::access_log
                         ? read_access_log_file(from.file, from.pool)
                         : read_table_file(from.file, from.format);
  std::string mistakes;
  for (const trace_error& e : read.errors)
    mistakes += e.line == 0 ? fmt::format("{}: {}\n", from.file, e.what)
                            : fmt::format("{}:{}: {}\n", from.file, e.line, e.what);
  if (read.good() && read.load.arrivals.empty()) {
    const bool others = !from.pool.empty() && !read.pools.empty();
    mistakes = others ? fmt::format("{}: no finished batch of pool `{}`, expected one of {}\n",
                                    from.file, from.pool, fmt::join(read.pools, ", "))
                      : fmt::format("{}: no finished batch in it\n", from.file);
  }
  skipped += read.skipped;
  to = to.arrivals.empty() ? read.load : merge(to, read.load);
  return mistakes;
}

class maker {
 public:
  explicit maker(const request& asked) : asked_(asked) {}

  setup make() {
    read_scenario();
    read_configurations();
    read_traces();
    choose_workers();
    if (!out_.ok()) return std::move(out_);
    asked_.scaling ? scale() : name_contenders();
    out_.run.load = workload_maker();
    out_.run.overhead = scenario_.overhead;
    out_.run.seeds = asked_.seeds.value_or(scenario_.seeds);
    out_.title = scenario_.name;
    out_.facts = facts();
    return std::move(out_);
  }

 private:
  void read_scenario() {
    if (!asked_.scenario.empty()) {
      scenario_outcome read = read_scenario_file(asked_.scenario);
      out_.mistakes += read.text();
      scenario_ = std::move(read.what);
    } else {
      scenario_.name = "usual";
    }
    if (!asked_.config.empty()) scenario_.config = asked_.config;
    if (!asked_.pool.empty()) scenario_.pool = asked_.pool;
    if (asked_.load) scenario_.load = *asked_.load, scenario_.load_given = true;
    if (asked_.batches) scenario_.batches = *asked_.batches;
    if (asked_.sigma) scenario_.estimates.sigma = *asked_.sigma;
    if (asked_.unknown_sizes) scenario_.estimates.known = false;
    if (!asked_.policies.empty()) scenario_.policies = asked_.policies;
    for (const std::string& name : asked_.policies) check_policy(name);
  }

  void check_policy(const std::string& name) {
    const auto& known = policy_names();
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    const auto close = config::nearest(name, known);
    out_.mistakes += fmt::format("unknown policy `{}`, expected some of {}{}{}\n", name,
                                 fmt::join(known, ", "),
                                 close.empty() ? "" : "; did you mean ", close);
  }

  void read_configurations() {
    own_.weir.retry.attempts = scenario_.attempts;
    if (!scenario_.config.empty())
      out_.mistakes += read_configured(scenario_.config, scenario_.pool, own_);
    if (!asked_.against.empty() && scenario_.config.empty())
      out_.mistakes += "another configuration to compare with, expected --config for the first\n";
    if (!asked_.against.empty() && !scenario_.config.empty())
      out_.mistakes += read_configured(asked_.against, scenario_.pool, other_.emplace());
  }

  void read_traces() {
    for (const trace_source& t : scenario_.traces)
      out_.mistakes += read_trace(t, recorded_, skipped_);
    if (scenario_.batches == 0)
      scenario_.batches = scenario_.traces.empty() ? usual_batches : recorded_.arrivals.size();
  }

  // The scenario's, which its troubles belong to; else each configuration's own.
  void choose_workers() {
    if (!scenario_.workers.empty()) {
      own_.workers = scenario_.workers;
      if (other_) other_->workers = scenario_.workers;
    }
    check_scaling();
    const bool comes_from_none = asked_.scaling && own_.autoscale && own_.workers.empty();
    if (comes_from_none) own_.workers.push_back(first_to_come());
    if (own_.workers.empty() && scenario_.config.empty()) own_.workers.emplace_back();
    const bool works = capacity_of(own_.workers) > 0 &&
                       (!other_ || capacity_of(other_->workers) > 0);
    if (!works && out_.ok()) out_.mistakes = "no worker, expected one at least\n";
  }

  // Recorded or generated, a batch declares what the workload says.
  void scale() {
    const worker_group& first = own_.workers.front();
    scaling_run& run = out_.scaling.emplace();
    run.trial.workload = scenario_.name;
    run.trial.slots = first.slots;
    run.trial.workers = 0;
    for (const worker_group& g : own_.workers)
      if (!g.backup) run.trial.workers += g.count;
    run.trial.estimates = false;
    run.trial.seeds = asked_.seeds.value_or(scenario_.seeds);
    run.contenders = with_peers(*own_.autoscale, own_.weir.pool.queue.order);
    if (!other_) return;
    run.contenders.front().name = own_.label;
    run.contenders.push_back({other_->label + (own_.label == other_->label ? " (2)" : ""),
                              scaling_policy::weir, *other_->autoscale,
                              other_->weir.pool.queue.order});
  }

  void check_scaling() {
    if (!asked_.scaling || !out_.ok()) return;
    const bool scales = own_.autoscale && (!other_ || other_->autoscale);
    if (!scales)
      out_.mistakes = "nothing to scale, expected a configuration (--config) whose pool has "
                      "`autoscale`\n";
    if (!scenario_.policies.empty() && !asked_.policies.empty())
      out_.mistakes += "--policy has no meaning with --scaling, expected one of them\n";
  }

  // Of a pool that begins without a worker.
  worker_group first_to_come() const {
    worker_group g;
    g.count = 1;
    g.slots = std::max(1u, own_.autoscale->slots_per_worker);
    return g;
  }

  void name_contenders() {
    for (const std::string& name : scenario_.policies) {
      out_.run.contenders.push_back(contender_named(name, own_.weir, own_.workers));
      if (other_ && name == "weir") add_other();
    }
    if (other_ && out_.run.contenders.size() == scenario_.policies.size()) add_other();
  }

  void add_other() {
    auto& all = out_.run.contenders;
    const auto first = std::find_if(all.begin(), all.end(), [](auto& c) { return !c.peer; });
    contender c = contender_named("weir", other_->weir, other_->workers);
    c.name = other_->label;
    if (first != all.end()) {
      first->name = own_.label;
      if (own_.label == other_->label) c.name += " (2)";
    }
    all.push_back(std::move(c));
  }

  std::function<workload(std::uint64_t)> workload_maker() const {
    const double capacity = capacity_of(own_.workers);
    if (!scenario_.traces.empty()) return trace_player(capacity);
    demand d;
    d.batches = scenario_.batches;
    d.load = scenario_.load;
    d.estimates = scenario_.estimates;
    if (!scenario_.sources.empty()) d.sources = scenario_.sources;
    return [d, capacity](std::uint64_t seed) { return generate(d, capacity, seed); };
  }

  std::function<workload(std::uint64_t)> trace_player(double capacity) const {
    auto recorded = std::make_shared<const workload>(recorded_);
    return [recorded, capacity, s = scenario_](std::uint64_t seed) {
      workload w = s.times == trace_times::poisson
                       ? redraw(*recorded, s.batches, s.load, capacity, seed) : *recorded;
      w.arrivals.resize(std::min<std::uint64_t>(w.arrivals.size(), s.batches));
      if (s.times == trace_times::recorded && s.load_given) stretch(w, s.load, capacity);
      blur(w, s.estimates, seed);
      return w;
    };
  }

  std::string facts() const {
    std::uint64_t count = 0, slots = 0;
    for (const worker_group& g : own_.workers) count += g.count, slots += g.count * g.slots;
    const estimates& e = scenario_.estimates;
    const bool declared =
        scenario_.traces.empty() ||
        std::ranges::any_of(recorded_.arrivals, [](const arrival& a) { return a.units > 0; });
    const std::string sizes = !e.known || !declared ? "sizes unknown"
                              : e.sigma > 0 ? fmt::format("sizes known to e^({} N(0,1))", e.sigma)
                                            : "sizes known";
    const bool own_load = !scenario_.traces.empty() && !scenario_.load_given &&
                          scenario_.times == trace_times::recorded;
    const std::string load =
        own_load ? "load as recorded" : fmt::format("load {:g} %", scenario_.load * 100);
    const std::string skipped =
        skipped_ > 0 ? fmt::format(", {} lines of other ends left out", skipped_) : "";
    return fmt::format("{} workers, {} slots, {}, {} batches{}, {}, {} seed{}", count, slots, load,
                       scenario_.batches, skipped, sizes, out_.run.seeds,
                       out_.run.seeds == 1 ? "" : "s");
  }

  const request& asked_;
  setup out_;
  scenario scenario_;
  configured own_;
  std::optional<configured> other_;
  workload recorded_;
  std::size_t skipped_ = 0;   // lines of access logs
};

}  // namespace

setup prepare(const request& asked) {
  return maker(asked).make();
}

}  // namespace weir::sim
