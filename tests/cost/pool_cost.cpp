// What core::pool costs for one batch, admit and finish, in instructions: run under callgrind with
// --toggle-collect=measured_round (pool_cost_test.py does). Arguments: workers, tenants, waiting.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "core/pool.hpp"

using namespace weir;
using namespace std::chrono_literals;

namespace {

constexpr int rounds = 2000;
constexpr std::uint32_t slots = 4;

struct fleet {
  core::pool p;
  std::vector<std::string> tenants;
  std::vector<core::batch_id> running;
  base::random random{7};
  base::instant now;
  std::uint64_t owner = 0;
};

core::pool_settings settings() {
  core::pool_settings s;
  s.name = "loaders";
  s.health.kind = core::probe_kind::none;
  s.slow_start = 0s;
  s.queue.wait_max = 24h;
  s.queue.batches_max = 1'000'000;
  s.queue.tenants_max = 1'000'000;
  s.workers_max = 100'000;
  return s;
}

// A batch as the proxy describes one: its route's unit, a tenant, a label, retries.
core::batch_facts facts(fleet& f) {
  core::batch_facts b;
  b.owner = ++f.owner;
  b.label = "0123456789abcdef0123456789abcdef";
  b.route = f.p.route("load");
  b.units = 1 + f.random.below(100);
  b.wait_max = 24h;
  if (!f.tenants.empty()) {
    const std::uint32_t t = f.random.below(static_cast<std::uint32_t>(f.tenants.size()));
    b.tenant = f.tenants[t];
    b.tenant_hash = 0x9e3779b97f4a7c15ull * (t + 1);
  }
  return b;
}

void keep(fleet& f, core::batch_id b) { f.running.push_back(b); }

// Grants that finish() left for the shell are taken as the shell takes them.
void take_grants(fleet& f) {
  for (const core::grant& g : f.p.pending().grants) keep(f, g.batch);
  f.p.pending().clear();
}

}  // namespace

// One batch in and one out; kept apart so that callgrind counts it alone.
extern "C" __attribute__((noinline)) void measured_round(core::pool& p, const core::batch_facts& in,
                                                         core::admission& admitted,
                                                         core::batch_id out, base::instant now) {
  admitted = p.admit(in, now);
  core::attempt_report r;
  r.end = core::attempt_end::succeeded;
  p.finish(out, r, now);
}

int main(int count, char** arguments) {
  int wanted[3] = {10, 0, 0};
  for (int i = 1; i < count && i <= 3; ++i)
    std::from_chars(arguments[i], arguments[i] + std::strlen(arguments[i]), wanted[i - 1]);
  const auto [workers, tenants, waiting] = wanted;
  fleet f{core::pool(settings(), 42, base::instant{} + 1000s), {}, {}, base::random(7),
          base::instant{} + 1000s};
  for (int i = 0; i < tenants; ++i) f.tenants.push_back("tenant-" + std::to_string(i));
  for (int i = 0; i < workers; ++i) {
    core::worker_settings w;
    w.name = "w" + std::to_string(i);
    w.slots = slots;
    f.p.add_worker(w, f.now);
  }
  f.p.pending().clear();
  // Half of the slots busy, or all of them and a backlog.
  const std::size_t level = waiting ? static_cast<std::size_t>(workers) * slots +
                                          static_cast<std::size_t>(waiting)
                                    : static_cast<std::size_t>(workers) * slots / 2;
  while (f.p.running() + f.p.waiting() < level) {
    const core::admission a = f.p.admit(facts(f), f.now);
    if (a.what == core::admission::kind::granted) keep(f, a.batch);
    if (a.what == core::admission::kind::refused) return std::puts("refused"), 1;
  }
  take_grants(f);
  for (int i = 0; i < rounds; ++i) {
    f.now += std::chrono::microseconds(200);
    if (f.p.next_deadline() <= f.now) f.p.expire(f.now);
    const std::uint32_t which = f.random.below(static_cast<std::uint32_t>(f.running.size()));
    std::swap(f.running[which], f.running.back());
    const core::batch_id out = f.running.back();
    f.running.pop_back();
    core::admission a;
    measured_round(f.p, facts(f), a, out, f.now);
    if (a.what == core::admission::kind::granted) keep(f, a.batch);
    take_grants(f);
  }
  std::printf("%d rounds, %zu running, %zu waiting\n", rounds, f.p.running(), f.p.waiting());
}
