#include "sim/spec_scenario.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/nearest.hpp"
#include "config/reading.hpp"
#include "config/spec_bind.hpp"
#include "sim/contest.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {
namespace {

using namespace config::bind;
using namespace std::chrono_literals;
using config::key;
using config::kind;
using config::section;

// A row for seconds that are held as a double.
template <auto... Path>
key seconds(std::string_view name, base::duration min, base::duration max, std::string_view doc) {
  using owner = owner_of<std::get<0>(std::tuple(Path...))>;
  key k = leaf<Path...>(name, span(min, max), doc);
  k.fallback = base::from_seconds(std::get<double>(k.fallback));
  k.store = [](void* o, config::value v) {
    follow<Path...>(*static_cast<owner*>(o)) = config::exact_seconds(std::get<base::duration>(v));
  };
  k.load = [](const void* o) -> config::value {
    return base::from_seconds(follow<Path...>(*static_cast<const owner*>(o)));
  };
  return k;
}

// A row for the load, which also tells that there was one.
key load_key() {
  key k = leaf<&scenario::load>("load", share(0.01, 10),
                                "Work that arrives over what the workers could do. Not given: a "
                                "recorded trace keeps its own.");
  k.store = [](void* o, config::value v) {
    auto& s = *static_cast<scenario*>(o);
    s.load = std::get<double>(v);
    s.load_given = true;
  };
  return k;
}

void in_order(double low, double high, std::string_view low_key, std::string_view high_key,
              const config::node& at, config::reading& r) {
  const config::node* given = r.sound(at, high_key);
  if (high >= low) return;
  r.error(given ? *given : at, fmt::format("below `{}`, expected at least as much", low_key));
}

void check_sizes(void* object, const config::node& at, config::reading& r) {
  const auto& s = *static_cast<const sizes*>(object);
  if (s.what != sizes::kind::fixed) in_order(s.low, s.high, "low", "high", at, r);
}

void check_source(void* object, const config::node& at, config::reading& r) {
  const auto& s = *static_cast<const source*>(object);
  if (s.arrivals == pattern::step) in_order(s.from, s.to, "from", "to", at, r);
}

void check_trouble(void* object, const config::node& at, config::reading& r) {
  const auto& a = *static_cast<const affliction*>(object);
  in_order(a.from, a.to, "from", "to", at, r);
  if (a.what == trouble::flapping) in_order(a.down, a.period, "down", "period", at, r);
}

void check_policies(const scenario& s, const config::node& at, config::reading& r) {
  const config::node* given = r.sound(at, "policies");
  const auto& known = policy_names();
  for (std::size_t i = 0; given && i < s.policies.size(); ++i) {
    if (std::find(known.begin(), known.end(), s.policies[i]) != known.end()) continue;
    const auto close = config::nearest(s.policies[i], known);
    const config::node& here =
        given->what == config::node::kind::list ? *given->items[i] : *given;
    r.error(here, fmt::format("policies: {}, expected one of {}{}{}",
                              config::quoted(s.policies[i]), fmt::join(known, ", "),
                              close.empty() ? "" : "; did you mean ", close));
  }
}

void check_scenario(void* object, const config::node& at, config::reading& r) {
  const auto& s = *static_cast<const scenario*>(object);
  check_policies(s, at, r);
  if (!s.traces.empty() && !s.sources.empty())
    r.error(*at.find("traces"), "traces and sources, expected only one of them");
  if (s.workers.empty() && s.config.empty() && !at.find("workers"))
    r.error_at(at.at, "no workers, expected `workers`, or a `config` that lists them");
  if (!s.config.empty() && s.pool.empty() && !at.find("pool"))
    r.error_at(at.at, "missing key `pool`, expected the name of a pool of `config`");
}

const section& sizes_section() {
  static const section s{
      "sources.sizes",
      "How much work a batch is, as time on a slot of speed 1.",
      {
          leaf<&sizes::what>("type", choice({"pareto", "uniform", "fixed"}),
                             "Bounded Pareto, uniform between `low` and `high`, or always `low`."),
          leaf<&sizes::alpha>("alpha", number(0.1, 10), "The Pareto's exponent."),
          seconds<&sizes::low>("low", 1us, 24h, "The smallest."),
          seconds<&sizes::high>("high", 1us, 24h, "The largest."),
      },
      check_sizes};
  return s;
}

const section& source_section() {
  static const section s{
      "sources",
      "Where batches come from.",
      {
          leaf<&source::tenant>("tenant", of(kind::name), "Whose they are; none: nobody's."),
          leaf<&source::route>("route", of(kind::name), "Their route: its cost model is its own."),
          leaf<&source::group>("group", of(kind::name),
                               "Weir-Group of all its batches: it matters when the last ends."),
          leaf<&source::share>("share", share(0.0001, 1),
                               "Of the whole work, relative to the other sources'."),
          nested<&source::sizes>("sizes", sizes_section()),
          leaf<&source::arrivals>("arrivals", choice({"poisson", "step", "cron", "dump"}),
                                  "Poisson; Poisson with a higher rate for a while; spikes; all at "
                                  "once."),
          leaf<&source::from>("from", share(0, 1), "When a step begins, or a dump comes."),
          leaf<&source::to>("to", share(0, 1), "When a step ends."),
          leaf<&source::factor>("factor", number(0.01, 1000), "The rate within a step."),
          seconds<&source::period>("period", 1s, 24h, "Between the spikes of cron."),
          seconds<&source::offset>("offset", 0s, 24h, "The first spike."),
          seconds<&source::spread>("spread", 0s, 24h, "Over how long a spike's batches come."),
      },
      check_source};
  return s;
}

const section& estimates_section() {
  static const section s{
      "estimates",
      "What batches declare of their size.",
      {
          leaf<&estimates::known>("known", boolean(), "false: they declare nothing."),
          leaf<&estimates::sigma>("sigma", number(0, 10),
                                  "They are off by e^(sigma N(0,1)); 0: exact."),
      },
      {}};
  return s;
}

const section& trouble_section() {
  using A = affliction;
  static const section s{
      "workers.troubles",
      "What befalls each worker of the group.",
      {
          required(leaf<&A::what>(
              "type", choice({"antagonists", "brownout", "black_hole", "flapping"}),
              "Slow and fast phases in turn; slow for a while; fails each attempt at once for a "
              "while; down again and again.")),
          leaf<&A::from>("from", share(0, 1), "When it begins; antagonists: always."),
          leaf<&A::to>("to", share(0, 1), "When it ends."),
          leaf<&A::factor>("factor", number(0.001, 10), "Of its speed, when it is slow."),
          seconds<&A::slow_mean>("slow", 1ms, 24h, "Mean of an antagonist's exponential phases."),
          seconds<&A::fast_mean>("fast", 1ms, 24h, "Mean of the phases without one."),
          seconds<&A::down>("down", 1ms, 24h, "How long a flapping worker is down,"),
          seconds<&A::period>("period", 1ms, 24h, "of this time each."),
      },
      check_trouble};
  return s;
}

const section& group_section() {
  using G = worker_group;
  static const section s{
      "workers",
      "Workers that are alike.",
      {
          leaf<&G::name>("name", of(kind::name), "Their names, with a number each."),
          leaf<&G::count>("count", count(1, 100'000), "How many."),
          leaf<&G::slots>("slots", count(1, 10'000), "Of each."),
          leaf<&G::speed>("speed", number(0.001, 1000), "Work of a second a second, on each slot."),
          leaf<&G::weight>("weight", number(0.001, 1000), "As weir is told."),
          leaf<&G::joins>("joins", share(0, 1), "When they join, as a share of the run."),
          list_of<&G::afflictions>("troubles", trouble_section(), "type", 0, 16),
      },
      {}};
  return s;
}

const section& term_section() {
  using T = trace_term;
  static const section s{
      "traces.work",
      "Terms of a sum over columns.",
      {
          required(leaf<&T::column>("column", of(kind::text), "Its name, or its number from 1.")),
          leaf<&T::factor>("factor", number(0, 1e18), "What it is multiplied with."),
      },
      {}};
  return s;
}

// Rows of the format, which is a member of the source.
template <auto Member>
key terms(std::string_view name, std::string_view doc) {
  key k = list_of<Member>(name, term_section(), "column", 0, 64);
  k.doc = doc;
  k.append = [](void* o, const std::string&) -> void* {
    return &(static_cast<trace_source*>(o)->format.*Member).emplace_back();
  };
  k.items = [](const void* o) {
    std::vector<const void*> out;
    for (const auto& t : static_cast<const trace_source*>(o)->format.*Member) out.push_back(&t);
    return out;
  };
  return k;
}

void check_trace(void* object, const config::node& at, config::reading& r) {
  const auto& t = *static_cast<const trace_source*>(object);
  in_order(t.format.work_min, t.format.work_max, "work_min", "work_max", at, r);
  if (t.kind == trace_kind::access_log) return;
  if (t.format.time.empty() && !at.find("time"))
    r.error(at, "missing key `time`, expected the column of a batch's arrival");
  if (!at.find("work") && !at.find("work_constant"))
    r.error(at, "no work, expected the columns of `work` or a `work_constant`");
}

const section& trace_section() {
  using T = trace_source;
  using F = trace_format;
  static const section s{
      "traces",
      "Recorded arrivals: a table with named columns, or weir's own access log.",
      {
          required(leaf<&T::file>("file", of(kind::path), "Its path, from this file's folder.")),
          leaf<&T::kind>("type", choice({"table", "access_log"}), "What it is."),
          leaf<&T::pool>("pool", of(kind::name), "Of an access log: this pool's batches only."),
          leaf<&T::separator>("separator", choice({"comma", "tab", "semicolon"}),
                              "Between a table's columns."),
          leaf<&T::format, &F::header>("header", boolean(), "Its first line names the columns."),
          leaf<&T::format, &F::time>("time", of(kind::text),
                                     "Column of arrival: seconds, or a date and time."),
          leaf<&T::format, &F::from_first>("from_first", boolean(),
                                           "The first row is at 0; always so for dates."),
          seconds<&T::format, &F::work_constant>("work_constant", 0s, 24h, "Work of every batch,"),
          terms<&F::work>("work", "and what its columns add to it, in seconds;"),
          seconds<&T::format, &F::work_min>("work_min", 0s, 24h, "at least this."),
          seconds<&T::format, &F::work_max>("work_max", 0s, 240h, "and at most this."),
          terms<&F::units>("units", "What is declared, a sum over columns; none: nothing."),
          leaf<&T::format, &F::tenant>("tenant", of(kind::text), "Column of the tenant."),
          leaf<&T::format, &F::route>("route", of(kind::text), "Column of the route."),
      },
      check_trace};
  return s;
}

}  // namespace

const section& scenario_section() {
  using S = scenario;
  static const section s{
      "",
      "A scenario of weir simulate.",
      {
          leaf<&S::name>("name", of(kind::text), "Its name; not given: the file's."),
          load_key(),
          leaf<&S::batches>("batches", or_word(count(1, 50'000'000), "auto"),
                            "How many arrive; auto: 200000, or as many as were recorded."),
          list_of<&S::sources>("sources", source_section(), "tenant", 1, 64),
          nested<&S::estimates>("estimates", estimates_section()),
          list_of<&S::traces>("traces", trace_section(), "file", 1, 16),
          leaf<&S::times>("times", choice({"recorded", "poisson"}),
                          "When a trace's batches come: as recorded, or its sizes at the times of "
                          "a Poisson process."),
          list_of<&S::workers>("workers", group_section(), "name", 1, 1000),
          leaf<&S::config>("config", of(kind::path),
                           "A weir configuration; its settings are used,"),
          leaf<&S::pool>("pool", of(kind::name),
                         "those of this pool, and its workers when none stand here."),
          seconds<&S::overhead>("overhead", 0s, 1h,
                                "What every attempt takes beside its work: to get to a worker and "
                                "back. The slot is taken meanwhile."),
          leaf<&S::attempts>("attempts", count(1, 100), "Of a batch, the first one included."),
          leaf<&S::seeds>("seeds", count(1, 1000), "Runs; what is shown are medians."),
          leaf<&S::policies>("policies", one_or_list(of(kind::text), 16),
                             "Who is compared, the first with each other."),
      },
      check_scenario};
  return s;
}

}  // namespace weir::sim
