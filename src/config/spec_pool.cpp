#include "config/rules.hpp"
#include "config/spec_bind.hpp"

namespace weir::config {
namespace {

using namespace bind;
using P = core::pool_settings;

// Workers and backup workers share a vector; the row shows one kind of them.
key workers_key(std::string_view name, bool backup) {
  key k;
  k.name = name;
  k.what = key::form::list;
  k.doc = backup ? "Used only when no other worker is left; keys as of `workers`."
                 : worker_section().doc;
  k.inside = &worker_section();
  k.item_key = "id";
  k.type.items_max = 65536;
  k.append = [backup](void* o, const std::string&) -> void* {
    auto& added = static_cast<pool*>(o)->workers.emplace_back();
    added.settings.backup = backup;
    return &added;
  };
  k.items = [backup](const void* o) {
    std::vector<const void*> out;
    for (const auto& w : static_cast<const pool*>(o)->workers)
      if (w.settings.backup == backup) out.push_back(&w);
    return out;
  };
  return k;
}

const section& health_section() {
  using H = core::health_settings;
  using R = decltype(pool::probe);
  constexpr auto health = &P::health;
  static const section s{
      "pools.NAME.health_check",
      "Active probes of every worker.",
      {
          leaf<&pool::settings, health, &H::kind>("type", choice({"none", "http", "tcp"}),
                                                  "A GET, a connection, or no probes at all."),
          leaf<&pool::probe, &R::path>("path", of(kind::http_path), "Target of the GET."),
          leaf<&pool::probe, &R::host>("host", of(kind::host),
                                       "Host of the GET; none: the worker's."),
          leaf<&pool::probe, &R::statuses>("statuses", statuses(200, 599),
                                           "Answers that count as good; none given: 200 to 399."),
          leaf<&pool::settings, health, &H::interval>(
              "interval", span(10ms, 1h), "Between probes of a worker that is settled and up."),
          leaf<&pool::settings, health, &H::fast_interval>(
              "fast_interval", span(10ms, 1h),
              "The same while it is in transition. Not given: at most `interval`."),
          leaf<&pool::settings, health, &H::down_interval_max>(
              "down_interval_max", span(10ms, 24h),
              "A down worker's probes back off by doubling up to this. Not given: at least "
              "`interval`."),
          leaf<&pool::settings, health, &H::timeout>(
              "timeout", span(10ms, 10min), "How long one probe may take.", "The probe failed."),
          leaf<&pool::settings, health, &H::fall>("fall", count(1, 100), "Failed probes in a row.",
                                                  "The worker is down: no new batches."),
          leaf<&pool::settings, health, &H::rise>(
              "rise", count(1, 100), "Good probes in a row that bring a down worker back.",
              "The worker is up, in slow start."),
          leaf<&pool::settings, health, &H::jitter>(
              "jitter", share(0, 0.9), "Each interval is drawn from itself ± this share."),
      },
      check_health};
  return s;
}

const section& ejection_section() {
  using E = core::ejection_settings;
  constexpr auto ejection = &P::ejection;
  static const section s{
      "pools.NAME.ejection",
      "Passive checks: a worker whose attempts fail is left out for a time.",
      {
          leaf<&pool::settings, ejection, &E::consecutive_failures>(
              "consecutive_failures", count(0, 10000), "Failed attempts in a row; 0 never ejects.",
              "The worker is ejected."),
          leaf<&pool::settings, ejection, &E::failure_share>(
              "failure_share", share(0, 1),
              "Share of the last 20 attempts that failed or hang (`learning.stuck`): surely above "
              "this (Wilson, 95 %), above that of the other workers, and as many as "
              "consecutive_failures. Attempts that fail far too fast (`learning.overdue`) are not "
              "counted among the 20. 100% never ejects.",
              "The worker is ejected."),
          leaf<&pool::settings, ejection, &E::base_time>(
              "base_time", span(100ms, 24h), "The n-th ejection in a row lasts n times this."),
          leaf<&pool::settings, ejection, &E::time_max>("max_time", span(100ms, 24h),
                                                        "The longest ejection."),
          leaf<&pool::settings, ejection, &E::ejected_max>(
              "max_ejected", share(0, 1),
              "Share of the pool that may be ejected at once; never its last worker.",
              "Further workers stay in use."),
          leaf<&pool::settings, ejection, &E::outage_share>(
              "outage_share", share(0.01, 1),
              "When this share of the workers fails at once it is a shared outage.",
              "Nobody is ejected and nothing is scaled."),
      },
      check_ejection};
  return s;
}

const section& learning_section() {
  using L = core::learning_settings;
  constexpr auto learning = &P::learning;
  static const section s{
      "pools.NAME.learning",
      "How the speed of workers is learned from the batches that they did, and what follows.",
      {
          leaf<&pool::settings, learning, &L::memory>(
              "memory", span(1s, 24h),
              "An attempt's weight in its worker's rate is 1/e after this."),
          leaf<&pool::settings, learning, &L::prior_attempts>(
              "prior_attempts", number(0.1, 1000),
              "A worker counts as if it had done so many attempts at the pool's mean rate before."),
          leaf<&pool::settings, learning, &L::equal_within>(
              "equal_within", share(0, 0.4),
              "With `balance: least_loaded`: among workers whose rates are within this of the best "
              "the one with the fewest attempts is chosen."),
          leaf<&pool::settings, learning, &L::overdue>(
              "overdue", number(1, 1000),
              "Times its expectation: how long an attempt of known size may take, and 1 s.",
              "Its worker counts as so much slower until it ends. A failure in less than the "
              "expectation divided by this is far too fast."),
          leaf<&pool::settings, learning, &L::stuck>(
              "stuck", number(1, 100000),
              "Times its expectation: how long an attempt of known size may take, and 1 s.",
              "It counts as a failure in `ejection.failure_share`."),
          leaf<&pool::settings, learning, &L::joining_share>(
              "joining_share", share(0, 1),
              "Of its slots and rate, with which `slow_start` begins; at least one slot."),
          leaf<&pool::settings, learning, &L::load_free>(
              "load_free", share(0, 0.99), "Load that a worker may report without consequence."),
          leaf<&pool::settings, learning, &L::load_full_share>(
              "load_full_share", share(0.01, 1),
              "Of its rate, what a worker that reports 100 % is chosen by."),
          leaf<&pool::settings, learning, &L::load_memory>(
              "load_memory", span(100ms, 1h), "A report's weight is 1/e after this."),
      },
      {}};
  return s;
}

const section& adaptive_slots_section() {
  using A = core::adaptive_slots_settings;
  static const section s{
      "pools.NAME.adaptive_slots",
      "For workers that do not know how much they can do at once: their open slots follow from how "
      "much longer batches take when many run, up to `slots`. Absent: all are open.",
      {
          leaf<&A::min>("min", count(1, 65536), "Slots of a worker that are open at least."),
          leaf<&A::tolerance>("tolerance", share(1.05, 10),
                              "How long a batch may take, against what it takes with half of the "
                              "slots.",
                              "Slots close, one cut a round."),
      },
      {}};
  return s;
}

const section& keepalive_section() {
  using K = decltype(pool::keepalive);
  static const section s{
      "pools.NAME.keepalive",
      "Idle connections to workers, kept for the next attempt.",
      {
          leaf<&K::idle>("idle", span(0s, 1h),
                         "How long one is kept, unless the worker's Keep-Alive allows more; 0s: "
                         "none is kept.",
                         "It is closed."),
          leaf<&K::max>("max", count(0, 100000), "How many, a worker and thread.",
                        "One more is closed after its attempt."),
      },
      {}};
  return s;
}

const section& durable_section() {
  using D = core::durable_settings;
  static const section s{
      "pools.NAME.queue.durable",
      "Room for asynchronous batches on disk, waiting or running.",
      {
          leaf<&D::batches_max>("max_batches", count(1, 1e9), "Batches.",
                                "One more gets 429 with Retry-After."),
          leaf<&D::bytes_max>("max_bytes", bytes(1 * mib, 1024 * tib), "Bytes of their bodies.",
                              "One more gets 429 with Retry-After."),
          leaf<&D::window>("window", count(16, 1'000'000),
                           "Batches that are in memory and take part in the order; the rest waits "
                           "on disk, each tenant's in order of arrival.",
                           "The next are loaded as these are done, in turn from each tenant."),
      },
      {}};
  return s;
}

std::vector<key> tenant_keys() {
  using T = core::tenant_settings;
  const auto within = [](auto... keys) { return std::vector<key>{std::move(keys)...}; };
  return within(
      leaf<&T::weight>("weight", number(0.01, 1000),
                       "Of its turns: with twice the weight it is served twice the work while "
                       "others wait too."),
      leaf<&T::running_max>("max_running", count(0, 1'000'000),
                            "Attempts of it that run at once in this pool; 0: not limited.",
                            "Its further batches wait, others pass them."),
      leaf<&T::batches_max>("max_batches", count(0, 10'000'000),
                            "Batches of it that may wait, asynchronous ones not counted; 0: not "
                            "limited.",
                            "One more gets 429 with Retry-After; others are not affected."));
}

const section& tenant_defaults_section() {
  static const section s{
      "pools.NAME.queue.tenant_defaults",
      "Weight and limits of each tenant that `tenants` does not name. Those beyond `max_tenants` "
      "and batches without a tenant share an account of that weight, without limits.",
      tenant_keys(),
      {}};
  return s;
}

const section& tenant_section() {
  static const section s{
      "pools.NAME.queue.tenants.NAME",
      "Weight and limits of single tenants, by the name that the route's `tenant` yields. A key "
      "that is not given is as of `tenant_defaults`.",
      tenant_keys(),
      {}};
  return s;
}

key tenants_key() {
  const auto all = [](const void* o) { return &static_cast<const pool*>(o)->settings.queue; };
  key k;
  k.name = "tenants";
  k.what = key::form::map;
  k.doc = tenant_section().doc;
  k.inside = &tenant_section();
  k.type.what = kind::field_value;
  k.type.items_max = 10000;
  k.append = [](void* o, const std::string& name) -> void* {
    auto& added = static_cast<pool*>(o)->settings.queue.tenants.emplace_back();
    added.name = name;
    return &added;
  };
  k.items = [all](const void* o) {
    std::vector<const void*> out;
    for (const auto& t : all(o)->tenants) out.push_back(&t);
    return out;
  };
  k.item_name = [](const void* item) -> const std::string& {
    return static_cast<const core::tenant_settings*>(item)->name;
  };
  return k;
}

const section& queue_section() {
  using Q = core::queue_settings;
  constexpr auto queue = &P::queue;
  static const section s{
      "pools.NAME.queue",
      "The backlog: batches that wait for a slot.",
      {
          leaf<&pool::settings, queue, &Q::order>(
              "order", choice({"cost_aware", "fifo"}),
              "cost_aware lets short batches pass long ones, within bounds."),
          leaf<&pool::settings, queue, &Q::batches_max>("max_batches", count(0, 10'000'000),
                                                        "Batches that may wait.",
                                                        "One more gets 429 with Retry-After."),
          leaf<&pool::settings, queue, &Q::bytes_max>(
              "max_bytes", bytes(0, 64 * tib), "Bytes of waiting bodies that weir itself holds.",
              "One more gets 429 with Retry-After."),
          leaf<&pool::settings, queue, &Q::wait_max>(
              "max_wait", span(0s, 7 * 24h),
              "The longest wait; the smaller of this and the route's `timeout.queue`.",
              "429 when the pool has workers, else 503, with Retry-After."),
          leaf<&pool::settings, queue, &Q::priority_step>(
              "priority_step", span(0s, 24h),
              "How much earlier one step of `Priority: u=` counts a batch; 0s ignores it."),
          leaf<&pool::settings, queue, &Q::cost_weight>(
              "cost_weight", number(0, 1000),
              "A batch is overtaken only by those that arrive within this times its own size; "
              "where `autoscale` can bring more workers, within half of its `objective` at most."),
          leaf<&pool::settings, queue, &Q::critical_share>(
              "critical_share", share(0.01, 1),
              "A `Weir-Group`'s largest batch goes first when it takes this share of the time that "
              "the pool needs for what waits of the group."),
          leaf<&pool::settings, queue, &Q::tenants_max>("max_tenants", count(1, 1'000'000),
                                                        "Tenants accounted for at once.",
                                                        "Further ones share one account."),
          nested<&pool::settings, &P::queue, &Q::tenant_defaults>("tenant_defaults",
                                                                  tenant_defaults_section()),
          tenants_key(),
          nested<&pool::settings, &P::durable>("durable", durable_section()),
      },
      check_queue};
  return s;
}

const section& retry_budget_section() {
  using B = core::retry_budget_settings;
  constexpr auto budget = &P::retry_budget;
  static const section s{
      "pools.NAME.retry_budget",
      "Keeps retries from making an outage worse.",
      {
          leaf<&pool::settings, budget, &B::ratio>("ratio", share(0, 1),
                                                   "Retries for each batch admitted lately.",
                                                   "No retry: the client gets 502 or 504."),
          leaf<&pool::settings, budget, &B::min>("min", count(0, 100000),
                                                 "Retries in 10 s that are always allowed."),
      },
      {}};
  return s;
}

const section& worker_tls_section() {
  using T = tls_client;
  static const section s{
      "pools.NAME.tls",
      "For workers with https:// urls. The files are read again on every reload.",
      {
          leaf<&T::ca>("ca", of(kind::pem_file),
                       "PEM file with the authorities to believe; none: the system's."),
          leaf<&T::certificate>("certificate", of(kind::pem_file),
                                "PEM file with a certificate to show to workers that ask."),
          leaf<&T::private_key>("private_key", of(kind::pem_file), "PEM file with its key."),
          leaf<&T::server_name>("server_name", of(kind::host),
                                "Name to ask for (SNI) and to verify; none: the url's host."),
          leaf<&T::verify>("verify", boolean(), "Whether workers' certificates are checked."),
      },
      check_worker_tls};
  return s;
}

std::vector<key> pool_keys() {
  const auto within = [](auto... keys) { return std::vector<key>{std::move(keys)...}; };
  return within(
      leaf<&pool::settings, &P::balance>(
          "balance",
          choice({"least_loaded", "power_of_two", "round_robin", "random", "hash", "first"}),
          "Which free worker takes a batch; least_loaded goes by cost and learned rate."),
      leaf<&pool::settings, &P::hash_balance_factor>(
          "hash_balance_factor", share(1, 10),
          "With `balance: hash`: times its slots' share of all that runs, a worker takes no more.",
          "The next worker on the ring takes the batch."),
      workers_key("workers", false), workers_key("backup_workers", true),
      same_object("health_check", health_section()), same_object("ejection", ejection_section()),
      leaf<&pool::settings, &P::slow_start>(
          "slow_start", span(0s, 24h),
          "How long the slots and rate of a worker ramp up after it (re)joined; while no worker "
          "has a free slot, each of its successes opens one more, until one fails; 0s: at once."),
      same_object("learning", learning_section()),
      nested<&pool::settings, &P::adaptive_slots>("adaptive_slots", adaptive_slots_section()),
      nested<&pool::keepalive>("keepalive", keepalive_section()),
      same_object("queue", queue_section()), same_object("retry_budget", retry_budget_section()),
      leaf<&pool::settings, &P::abandoned_hold>(
          "abandoned_hold", span(0s, 24h),
          "How long an abandoned attempt's slot counts as taken, unless the worker closes first.",
          "The slot is free again."),
      leaf<&pool::settings, &P::busy_rest_min>(
          "busy_rest_min", span(0s, 1h),
          "A busy worker gets nothing for its Retry-After, and at least for this."),
      leaf<&pool::settings, &P::busy_rest_max>(
          "busy_rest_max", span(1s, 24h),
          "The longest that a busy worker gets nothing, whatever its Retry-After says.",
          "It gets batches again after this."),
      leaf<&pool::settings, &P::workers_max>("workers_max", count(1, 65536),
                                             "Workers, those that registered included.",
                                             "A registration gets 503."),
      leaf<&pool::resolve_interval>("resolve_interval", span(1s, 24h),
                                    "Workers' names are looked up again this often; the last good "
                                    "answer is kept."),
      nested<&pool::tls>("tls", worker_tls_section()), autoscale_key());
}

}  // namespace

const section& worker_section() {
  using W = core::worker_settings;
  static const section s{
      "pools.NAME.workers[]",
      "The workers known from the start; others may register.",
      {
          required(leaf<&worker::settings, &W::name>("id", of(kind::name),
                                                     "Names it in metrics, logs and the API; "
                                                     "unique in the pool.")),
          required(leaf<&worker::url>("url", of(kind::worker_url), "Where it takes batches.")),
          leaf<&worker::settings, &W::slots>("slots", count(1, 65536),
                                             "Attempts it may run at once.",
                                             "Further batches go elsewhere or wait."),
          leaf<&worker::settings, &W::weight>("weight", number(0.001, 1000),
                                              "Multiplies its learned rate."),
          leaf<&worker::settings, &W::managed>("managed", boolean(),
                                               "Whether a scale-in may remove it."),
      },
      {}};
  return s;
}

const section& pool_section() {
  static const section s{"pools.NAME", "Workers that do the same job, by name.", pool_keys(),
                         check_pool};
  return s;
}

}  // namespace weir::config
