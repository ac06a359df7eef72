// The scaling of Knative, Kubernetes' HorizontalPodAutoscaler and KEDA, from their documented
// algorithms and defaults, to be compared with weir's on the same arrivals. Used by the scaling
// world; each looks at nothing but fleet_facts.
#pragma once

#include <deque>
#include <memory>

#include "sim/scaler.hpp"

namespace weir::sim {

// What was seen lately, for averages over a while. Looks go in as time passes.
class fleet_memory {
 public:
  explicit fleet_memory(double seconds) : seconds_(seconds) {}
  void add(const fleet_facts& facts);
  // Averages over the last `seconds`, or over what is remembered when that is less.
  double demand(double seconds) const;       // busy slots and waiting batches
  double utilization(double seconds) const;  // busy slots / ready slots

 private:
  const fleet_facts& since(double seconds) const;
  double seconds_;
  std::deque<fleet_facts> seen_;
};

// Kubernetes' stabilisation: the largest of what was recommended in the last while.
class largest_of_late {
 public:
  explicit largest_of_late(double seconds) : seconds_(seconds) {}
  std::uint32_t add(double now, std::uint32_t recommended);

 private:
  struct recommendation {
    double at = 0;
    std::uint32_t workers = 0;
  };
  double seconds_;
  std::deque<recommendation> late_;
};

// Knative Serving's KPA (docs: "Autoscaling concepts", and the defaults of config-autoscaler):
// every 2 s the average concurrency over 60 s, and over 6 s; a worker is meant to have 70 % of its
// slots taken. When the short average asks for twice the ready workers it panics: it obeys the
// larger of both, and never scales in, until 60 s without such. At most 1000 times the ready
// workers, at least half of them.
class knative_scaler : public scaler {
 public:
  double interval() const noexcept override { return 2; }
  std::uint32_t desired(const fleet_facts& facts) override;

 private:
  fleet_memory memory_{60};
  double panics_since_ = -1;  // or was asked to again; below 0: calm
  std::uint32_t panic_most_ = 0;
};

// autoscaling/v2 on average CPU, taken as the share of slots that are busy (docs: "Horizontal Pod
// Autoscaling", algorithm details): every 15 s, target 70 %, tolerance 0.1, workers that are not
// ready count as idle when more are wanted; out by at most 4 or 100 % in 15 s, in to the largest
// recommendation of 5 minutes.
class hpa_scaler : public scaler {
 public:
  double interval() const noexcept override { return 15; }
  std::uint32_t desired(const fleet_facts& facts) override;

 private:
  fleet_memory memory_{15};
  largest_of_late in_{300};
};

// KEDA on the length of a queue: a metric of type AverageValue for an HPA with its defaults. The
// queue is polled every 30 s (useCachedMetrics); 5 waiting batches are meant for a worker (the
// default of KEDA's queue scalers). None are kept only after 300 s without any batch.
class keda_scaler : public scaler {
 public:
  double interval() const noexcept override { return 15; }
  std::uint32_t desired(const fleet_facts& facts) override;

 private:
  largest_of_late in_{300};
  double polled_at_ = -1e9, active_at_ = 0;
  std::uint64_t length_ = 0;
};

// Null for weir: its scaling is the pool's own.
std::unique_ptr<scaler> make_scaler(scaling_policy policy);

}  // namespace weir::sim
