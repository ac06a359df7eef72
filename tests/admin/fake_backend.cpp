#include "fake_backend.hpp"

#include <algorithm>
#include <limits>

namespace weir::admin {
namespace {

using namespace std::chrono_literals;

failure no_pool(std::string_view pool) {
  return {failure::kind::not_found, "no pool '" + std::string(pool) + "'", {}};
}

worker_status make_worker(const char* name, core::worker_state state) {
  worker_status w;
  w.view.name = name, w.view.state = state, w.view.slots = w.view.slots_open = 4;
  w.view.rate = 1.25, w.view.reason = "probe 200";
  w.url = std::string("http://127.0.0.1:9001/") + name;
  return w;
}

}  // namespace

fake_backend::fake_backend() {
  process.version = "0.1.0", process.threads = 2, process.config_file = "/etc/weir.yaml";
  process.config_generation = 3, process.uptime_seconds = 185;
  process.listeners = {{"front", "127.0.0.1:8080", false, 12}};
  core::pool_view p;
  p.name = "loaders", p.waiting = 3, p.running = 4, p.slots = 8, p.slots_busy = 4;
  p.workers = 2, p.workers_up = 1, p.oldest_seconds = 1.5;
  p.drain_seconds = std::numeric_limits<double>::infinity();
  pool_views.push_back(p);
  worker_list = {make_worker("w1", core::worker_state::up),
                 make_worker("w2", core::worker_state::down)};
}

bool fake_backend::knows(std::string_view pool) const {
  return std::any_of(pool_views.begin(), pool_views.end(),
                     [&](const auto& p) { return p.name == pool; });
}

answer<void> fake_backend::changed(std::string what) {
  changes.push_back(std::move(what));
  if (refusal) return *refusal;
  return {};
}

answer<std::vector<worker_status>> fake_backend::workers(std::string_view pool) {
  if (!knows(pool)) return no_pool(pool);
  return worker_list;
}

answer<core::queue_page> fake_backend::queue(std::string_view pool, std::size_t offset,
                                             std::size_t limit) {
  if (!knows(pool)) return no_pool(pool);
  core::queue_page page;
  page.total = waiting;
  for (std::size_t i = offset; i < waiting && page.items.size() < limit; ++i) {
    core::queue_item item;
    item.label = "b" + std::to_string(i), item.tenant = "acme", item.route = "orders";
    item.waited_seconds = 2.5, item.cost = 12;
    item.place.position = i, item.place.eta_seconds = 4, item.place.in_time = true;
    page.items.push_back(item);
  }
  return page;
}

answer<std::string> fake_backend::explain(std::string_view batch) {
  if (batch != "b 1") return failure{failure::kind::not_found, "no such batch", {}};
  return std::string("b 1 waits:\nno slot is free");
}

answer<scale_view> fake_backend::scale(std::string_view pool) {
  if (!knows(pool)) return no_pool(pool);
  scale_view s;
  s.pool = pool, s.enabled = true, s.desired = 5, s.current = 2, s.ready = 1, s.max = 20;
  s.backlog_batches = 3, s.backlog_cost = 36, s.direction = "out", s.reason = "backlog";
  s.hooks = hooks;
  return s;
}

event_page fake_backend::events(std::uint64_t since, std::size_t limit) {
  event_page page;
  for (std::uint64_t n = since + 1; n <= 700 && page.items.size() < limit; ++n)
    page.items.push_back({n, 1769903999042, "loaders", "worker_state_changed", "w2", "up to down"});
  page.next = page.items.empty() ? since : page.items.back().sequence;
  return page;
}

void fake_backend::reload(done<change_report> tell) {
  const auto a = changed("reload");
  if (hold_answers) return held.push_back(std::move(tell));
  if (!a) return tell(a.error());
  tell(change_report{"reloaded, 1 change", {"loaders/w3 added"}});
}

void fake_backend::plan(plan_request wanted, done<change_report> tell) {
  changes.push_back("plan " + wanted.file + wanted.yaml.value_or("(file)"));
  tell(change_report{"1 change", {"loaders/w3 would be added"}});
}

answer<lease> fake_backend::register_worker(const register_request& r) {
  if (refusal) return *refusal;
  registered.push_back(r);
  return lease{"secret-of-" + r.id, r.ttl};
}

answer<lease> fake_backend::renew_lease(std::string_view pool, std::string_view worker,
                                        std::string_view secret) {
  if (secret != "secret-of-" + std::string(worker))
    return failure{failure::kind::forbidden, "not the lease's secret", {}};
  changes.push_back("renew " + std::string(pool) + "/" + std::string(worker));
  return lease{"", 30s};
}

answer<void> fake_backend::end_lease(std::string_view pool, std::string_view worker,
                                     std::string_view secret) {
  if (secret != "secret-of-" + std::string(worker))
    return failure{failure::kind::forbidden, "not the lease's secret", {}};
  return changed("end " + std::string(pool) + "/" + std::string(worker));
}

answer<void> fake_backend::drain(std::string_view pool, std::string_view worker) {
  return changed("drain " + std::string(pool) + "/" + std::string(worker));
}
answer<void> fake_backend::undrain(std::string_view pool, std::string_view worker) {
  return changed("undrain " + std::string(pool) + "/" + std::string(worker));
}
answer<void> fake_backend::remove_worker(std::string_view pool, std::string_view worker) {
  return changed("remove " + std::string(pool) + "/" + std::string(worker));
}
answer<void> fake_backend::pause(std::string_view pool) {
  return changed("pause " + std::string(pool));
}
answer<void> fake_backend::resume(std::string_view pool) {
  return changed("resume " + std::string(pool));
}
void fake_backend::test_scale(std::string_view pool, done<change_report> tell) {
  changes.push_back("test " + std::string(pool));
  tell(change_report{"2 hooks", {"webhook: 200", "exec: exit 0"}});
}

namespace {

std::string words(const batch_filter& f) {
  return f.state + "|" + f.pool + "|" + f.tenant + "|" + std::to_string(f.after) + "|" +
         std::to_string(f.limit);
}

}  // namespace

void fake_backend::batches(batch_filter filter, done<std::string> tell) {
  if (refusal) return tell(*refusal);
  tell("{\"filter\":\"" + words(filter) + "\"}\n");
}
void fake_backend::batch(std::string id, done<std::string> tell) {
  if (refusal) return tell(*refusal);
  tell("{\"id\":\"" + id + "\"}\n");
}
void fake_backend::change_batch(batch_change what, std::string id, done<change_report> tell) {
  if (refusal) return tell(*refusal);
  changes.push_back(std::string(name(what)) + " " + id);
  tell(change_report{"done", {}});
}
void fake_backend::change_batches(batch_change what, batch_filter filter,
                                  done<change_report> tell) {
  if (refusal) return tell(*refusal);
  changes.push_back(std::string(name(what)) + " all " + words(filter));
  tell(change_report{"3 batches", {}});
}
void fake_backend::back_up(std::string folder, done<change_report> tell) {
  if (refusal) return tell(*refusal);
  changes.push_back("back up " + folder);
  tell(change_report{"copied", {}});
}

}  // namespace weir::admin
