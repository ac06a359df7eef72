// Tells a pool's hooks what core decided: one outbox a hook, newest decision first and only, each
// hook at its own pace. One courier per pool with autoscale, on the control thread's io_context;
// the app hands it every core::scale_decision in order. Invariants: names in `remove` are claimed
// before any byte that holds them leaves, once per decision and not again for its retries or its
// other hooks; every submitted decision ends per hook as delivered or superseded, unless its hook
// is removed or wants no more; callbacks run from the loop, and superseded also inside submit().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "core/types.hpp"
#include "scale/attempt.hpp"
#include "scale/outbox.hpp"

namespace weir::scale {

// The values of weir_autoscale_hooks_total's label `outcome`: failed counts attempts, the others
// decisions.
enum class hook_outcome : std::uint8_t { delivered, failed, superseded };
std::string_view name(hook_outcome) noexcept;

struct hook_report {
  std::string_view hook{};   // scale::label: two hooks may look the same
  std::size_t place = SIZE_MAX;   // among the configured hooks; of a removed one: past all
  core::scale_decision::direction way{};
  hook_outcome what{};
  std::uint64_t sequence = 0;
  bool resent = false;       // the decision says what the one before it said
  unsigned attempts = 0;     // begun so far for this decision; 0 when superseded
  std::string_view detail{};   // for the log
  bool stopped = false;      // the hook answered that it wants no more until a reload
  bool taken_back = false;   // not sent, since its workers work again
};

// How one hook took a test.
struct hook_test {
  std::string hook;  // scale::label
  bool delivered = false;
  std::string detail;
};

struct courier_options {
  std::string pool;
  outbox_settings backoff;
  std::uint64_t seed = 1;  // of the jitter
  // core::pool::removal_sent: gets the names that are about to be sent and returns those that may
  // be. None of them: they were taken back, a newer decision is on its way, and this one is not
  // sent at all. Empty: all may.
  std::function<std::vector<std::string>(std::span<const std::string>)> claim_removal;
  std::function<void(const hook_report&)> report;
  // What the hook of that key (record.hpp) has not been told yet: the newest such decision in place
  // of the one before, null when there is none any more. For who keeps it across restarts.
  std::function<void(const std::string& key, const message*)> keep;
  // What was kept, by key, and is to be sent on. The first hooks take them, a newer decision
  // supersedes them.
  std::map<std::string, message> kept;
};

class courier {
 public:
  courier(attempt_tools tools, courier_options options, std::vector<config::hook> hooks);
  courier(const courier&) = delete;
  courier& operator=(const courier&) = delete;
  ~courier();  // drops what is under way: connections are closed, programs killed

  void submit(const core::scale_decision& decision, std::int64_t unix_ms);

  // After a reload: hooks that are still there keep their outbox, removed ones finish the attempt
  // that is under way, and those that had wanted no more are called again. `tls` as in tools.
  void configure(std::vector<config::hook> hooks,
                 std::shared_ptr<const net::tls_client_context> tls);

  // Sends each hook one message of type weir.scale.test, without retries and without touching what
  // waits; `remove` is left empty. Calls back once, with the hooks in their order, unless the
  // courier goes before.
  void test(const core::scale_decision& standing, std::int64_t unix_ms,
            std::function<void(std::vector<hook_test>)> done);

  // Decisions not yet delivered, over all hooks.
  std::size_t undelivered() const noexcept;

 private:
  struct lane;
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace weir::scale
