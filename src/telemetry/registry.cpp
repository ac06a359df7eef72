// The registry and its export through prometheus-cpp's data model and text serializer.
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <type_traits>

#include "base/check.hpp"
#include "telemetry/metrics.hpp"

namespace weir::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::vector<ClientMetric::Label> exported(const labels& pairs) {
  std::vector<ClientMetric::Label> out;
  out.reserve(pairs.size());
  for (const auto& [name, value] : pairs) out.push_back({name, value});
  return out;
}

ClientMetric exported(const labels& l, const counter& c) {
  ClientMetric m;
  m.label = exported(l);
  m.counter.value = static_cast<double>(c.total());
  return m;
}

ClientMetric exported(const labels& l, const histogram& h) {
  const auto totals = h.total();
  ClientMetric m;
  m.label = exported(l);
  m.histogram.sample_count = totals.count;
  m.histogram.sample_sum = totals.sum_seconds;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram::buckets; ++i)
    m.histogram.bucket.push_back(
        {below += totals.counts[i], base::to_seconds(histogram::bounds()[i])});
  m.histogram.bucket.push_back({totals.count, std::numeric_limits<double>::infinity()});
  return m;
}

// Holds all of `match`, both sorted or not.
bool carries(const labels& all, const labels& match) {
  return std::all_of(match.begin(), match.end(), [&](const auto& pair) {
    return std::find(all.begin(), all.end(), pair) != all.end();
  });
}

// Families by name while a scrape is put together. A collector's series beyond `room` are left out,
// and so is one whose name has another kind already: one bad series must not break a whole scrape.
class gathering final : public sink {
 public:
  explicit gathering(std::size_t room) : room_(room) {}

  MetricFamily* family(std::string_view name, std::string_view help, MetricType type) {
    auto [it, made] = families_.try_emplace(std::string(name));
    if (made) it->second = {std::string(name), std::string(help), type, {}};
    return it->second.type == type ? &it->second : nullptr;
  }

  void gauge(metric_name name, const labels& l, double value) override {
    if (ClientMetric* m = add(name, l, MetricType::Gauge)) m->gauge.value = value;
  }
  void counter(metric_name name, const labels& l, double value) override {
    if (ClientMetric* m = add(name, l, MetricType::Counter)) m->counter.value = value;
  }

  std::uint64_t left_out() const noexcept { return left_out_; }
  std::vector<MetricFamily> take() {
    std::vector<MetricFamily> out;
    for (auto& [name, family] : families_) out.push_back(std::move(family));
    return out;
  }

 private:
  ClientMetric* add(metric_name name, const labels& l, MetricType type) {
    MetricFamily* to = room_ > 0 ? family(name.name, name.help, type) : nullptr;
    if (!to) return ++left_out_, nullptr;
    --room_;
    ClientMetric& m = to->metric.emplace_back();
    m.label = exported(l);
    return &m;
  }

  std::map<std::string, MetricFamily, std::less<>> families_;
  std::size_t room_;
  std::uint64_t left_out_ = 0;
};

}  // namespace

struct registry::state {
  template <class Series>
  struct family {
    std::string help;
    std::map<labels, std::shared_ptr<Series>> series;
  };
  template <class Series>
  using families = std::map<std::string, family<Series>, std::less<>>;

  state(unsigned n, std::size_t limit) : shards(n), series_max(limit) {}

  template <class Series>
  families<Series>& all() {
    if constexpr (std::is_same_v<Series, telemetry::counter>)
      return counters;
    else
      return histograms;
  }

  template <class Series>
  std::shared_ptr<Series> find_or_make(metric_name name, labels&& l) {
    std::sort(l.begin(), l.end());
    auto [it, made] = all<Series>().try_emplace(std::string(name.name));
    if (made) it->second.help = name.help;
    auto& series = it->second.series;
    if (const auto found = series.find(l); found != series.end()) return found->second;
    auto fresh = std::make_shared<Series>(shards);
    if (size >= series_max) return hits->add(0), fresh;
    ++size;
    return series.emplace(std::move(l), std::move(fresh)).first->second;
  }

  template <class Series>
  std::size_t retire(const labels& match) {
    std::size_t gone = 0;
    for (auto& [name, named] : all<Series>())
      gone += std::erase_if(named.series, [&](const auto& s) { return carries(s.first, match); });
    return gone;
  }

  template <class Series>
  void gather(gathering& into, MetricType type) {
    for (const auto& [name, named] : all<Series>()) {
      if (named.series.empty()) continue;
      MetricFamily* out = into.family(name, named.help, type);
      for (const auto& [l, series] : named.series) out->metric.push_back(exported(l, *series));
    }
  }

  const unsigned shards;
  const std::size_t series_max;
  mutable std::mutex mutex;
  families<telemetry::counter> counters;
  families<telemetry::histogram> histograms;
  std::vector<std::function<void(sink&)>> collectors;
  std::size_t size = 0;
  // limit="metric_series"; written under the mutex, so that its one shard has one writer at a time.
  std::shared_ptr<telemetry::counter> hits;
};

registry::registry(unsigned shards, std::size_t series_max)
    : s_(std::make_unique<state>(shards, series_max)) {
  WEIR_CHECK(shards > 0 && series_max > 0);
  s_->hits = std::make_shared<telemetry::counter>(1);
  s_->counters[std::string(names::limit_hits.name)] = {
      std::string(names::limit_hits.help), {{labels{{"limit", "metric_series"}}, s_->hits}}};
}

registry::~registry() = default;

std::shared_ptr<counter> registry::counter(metric_name name, labels l) {
  const std::lock_guard lock(s_->mutex);
  WEIR_CHECK(!s_->histograms.contains(name.name));
  return s_->find_or_make<telemetry::counter>(name, std::move(l));
}

std::shared_ptr<histogram> registry::histogram(metric_name name, labels l) {
  const std::lock_guard lock(s_->mutex);
  WEIR_CHECK(!s_->counters.contains(name.name));
  return s_->find_or_make<telemetry::histogram>(name, std::move(l));
}

std::size_t registry::retire(const labels& match) {
  if (match.empty()) return 0;
  const std::lock_guard lock(s_->mutex);
  const std::size_t gone =
      s_->retire<telemetry::counter>(match) + s_->retire<telemetry::histogram>(match);
  s_->size -= gone;
  return gone;
}

void registry::add_collector(std::function<void(sink&)> collector) {
  const std::lock_guard lock(s_->mutex);
  s_->collectors.push_back(std::move(collector));
}

std::string registry::text() const {
  gathering all(s_->series_max);
  std::vector<std::function<void(sink&)>> collectors;
  {
    const std::lock_guard lock(s_->mutex);
    s_->gather<telemetry::counter>(all, MetricType::Counter);
    s_->gather<telemetry::histogram>(all, MetricType::Histogram);
    collectors = s_->collectors;
  }
  for (const auto& collect : collectors) collect(all);
  if (all.left_out() > 0) {
    const std::lock_guard lock(s_->mutex);
    s_->hits->add(0, all.left_out());
  }
  return prometheus::TextSerializer{}.prometheus::Serializer::Serialize(all.take());
}

unsigned registry::shards() const noexcept { return s_->shards; }

std::size_t registry::series() const {
  const std::lock_guard lock(s_->mutex);
  return s_->size;
}

}  // namespace weir::telemetry
