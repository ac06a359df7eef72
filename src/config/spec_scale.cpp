// The keys of pools.NAME.autoscale and its hooks.
#include "config/rules.hpp"
#include "config/spec_bind.hpp"

namespace weir::config {
namespace {

using namespace bind;
using P = core::pool_settings;

const section& webhook_section() {
  using T = webhook;
  static const section s{
      "pools.NAME.autoscale.hooks[].webhook",
      "A signed POST (Standard Webhooks).",
      {
          discreet(required(leaf<&T::url>("url", of(kind::hook_url), "Where it goes."))),
          secret_file<T>("secret_file", kind::signing_file, &T::secret, &T::secret_file,
                         "File with the signing key, `whsec_` and base64; none: unsigned."),
          leaf<&T::timeout>("timeout", span(100ms, 10min), "How long one delivery may take.",
                            "It is tried again with back-off."),
      },
      {}};
  return s;
}

const section& exec_section() {
  using T = exec_hook;
  static const section s{
      "pools.NAME.autoscale.hooks[].exec",
      "A program that gets the decision as JSON on standard input.",
      {
          discreet(required(leaf<&T::command>("command", list(of(kind::text), 1, 64),
                                              "Program, as an absolute path, and its arguments."))),
          leaf<&T::timeout>("timeout", span(100ms, 1h), "How long it may run.",
                            "It is killed and tried again with back-off."),
      },
      check_exec};
  return s;
}

const section& hook_section() {
  static const section s{"pools.NAME.autoscale.hooks[]",
                         "Who is told of every decision; each is either a webhook or an exec.",
                         {
                             nested<&hook::webhook>("webhook", webhook_section()),
                             nested<&hook::exec>("exec", exec_section()),
                         },
                         {},
                         1,
                         1};
  return s;
}

const section& autoscale_section() {
  using A = core::autoscale_settings;
  constexpr auto scale = &P::autoscale;
  static const section s{
      "pools.NAME.autoscale",
      "How many workers the backlog needs, told to hooks. Absent: nothing is decided.",
      {
          leaf<&pool::settings, scale, &A::min>("min", count(0, 65536),
                                                "The fewest workers asked "
                                                "for."),
          leaf<&pool::settings, scale, &A::max>("max", count(1, 65536),
                                                "The most workers asked for.",
                                                "The backlog waits, up to the queue's bounds."),
          leaf<&pool::settings, scale, &A::objective>("objective", span(1s, 7 * 24h),
                                                      "The longest that a batch should wait; new "
                                                      "workers keep no less than startup_time + "
                                                      "sustain + 10 s."),
          leaf<&pool::settings, scale, &A::sustain>(
              "sustain", span(0s, 24h),
              "How long backlog must last before more than the base is asked for."),
          leaf<&pool::settings, scale, &A::startup_time>(
              "startup_time", span(0s, 24h),
              "Until a worker that was asked for takes work; learned once seen."),
          leaf<&pool::settings, scale, &A::target_utilization>("target_utilization", share(0.05, 1),
                                                               "Share of slots meant to be busy."),
          leaf<&pool::settings, scale, &A::scale_in_window>(
              "scale_in_window", span(0s, 24h),
              "Workers go only when they were not needed for this long."),
          leaf<&pool::settings, scale, &A::resend>("resend", span(1s, 24h),
                                                   "The standing decision is sent again this "
                                                   "often, in steps of 5 s."),
          leaf<&pool::settings, scale, &A::slots_per_worker>(
              "slots_per_worker", or_word(count(1, 65536), "auto"),
              "Slots of workers still to come; auto: as of those known."),
          list_of<&pool::hooks>("hooks", hook_section(), "", 0, 16),
      },
      check_autoscale};
  return s;
}

}  // namespace

// The keys of autoscale belong to two members of pool, so the pool itself is what is opened.
key autoscale_key() {
  auto k = same_object("autoscale", autoscale_section());
  k.optional = true;
  k.open = [](void* o) {
    static_cast<pool*>(o)->settings.autoscale.emplace();
    return o;
  };
  k.peek = [](const void* o) {
    return static_cast<const pool*>(o)->settings.autoscale ? o : nullptr;
  };
  return k;
}

}  // namespace weir::config
