#include "proxy/batches.hpp"

#include <utility>

#include "proxy/ask.hpp"
#include "proxy/backroom.hpp"
#include "store/batch_ids.hpp"
#include "proxy/batch_json.hpp"
#include "proxy/own_answer.hpp"
#include "proxy/session.hpp"

namespace weir::proxy {
namespace {

constexpr std::string_view batches_prefix = "/_weir/batches/";
constexpr std::string_view result_suffix = "/result";

struct address {
  store::batch_id id{};
  bool result = false;
};

std::optional<address> parse_address(std::string_view path) {
  if (!path.starts_with(batches_prefix)) return std::nullopt;
  path.remove_prefix(batches_prefix.size());
  address a;
  a.result = path.ends_with(result_suffix);
  if (a.result) path.remove_suffix(result_suffix.size());
  const auto id = store::parse_batch_id(path);
  if (!id) return std::nullopt;
  a.id = *id;
  return a;
}

// By the field that the batch's route takes its tenants from.
bool belongs_to_client(const exchange& x, const store::batch& b) {
  for (const route_plan& r : x.plan->routes) {
    if (r.settings.name != b.route) continue;
    const std::string& field = r.settings.tenant_header;
    const http::field* f = field.empty() ? nullptr : x.head.find(std::string_view(field));
    return b.tenant == (f ? f->value : std::string_view{});
  }
  return false;
}

net::task<void> no_batch(exchange& x) {
  return answer(x, fault::no_batch,
                "there is no batch with this id, or it is another tenant's, or its time of "
                "retention is over",
                {});
}

net::task<void> store_failed(exchange& x, const store::failure& why) {
  const fault what = why.what == store::trouble::closed ? fault::closing
                     : why.what == store::trouble::full ? fault::disk_full
                                                        : fault::store_failed;
  return answer(x, what, why.detail, std::chrono::seconds(5));
}

// What is there for nobody, and what cannot be told now.
bool is_gone(const store::failure& why) noexcept {
  return why.what == store::trouble::not_found || why.what == store::trouble::damaged;
}

net::task<void> show(exchange& x, const store::batch& b) {
  durable_tools& tools = *x.plan->durable;
  auto start = [&](store::done<std::vector<store::attempt_note>> told) {
    tools.engine.attempts_of(b.id, std::move(told));
  };
  const auto history = co_await ask<std::vector<store::attempt_note>>(x.in.loop, start);
  std::optional<core::queue_place> place;
  if (b.state == store::batch_state::queued) place = tools.room.place(b);
  std::span<const store::attempt_note> notes;
  if (history) notes = *history;
  co_await answer_json(x, 200, {}, batch_json(b, notes, place));
}

net::task<void> show_result(exchange& x, const store::batch& b) {
  if (store::is_open(b.state)) {
    co_await answer(x, fault::batch_unfinished, "the batch is " + std::string(name(b.state)) +
                                                    "; ask again after Retry-After",
                    std::chrono::seconds(1));
    co_return;
  }
  durable_tools& tools = *x.plan->durable;
  auto start = [&](store::done<store::response> told) {
    tools.engine.response_of(b.id, std::move(told));
  };
  const auto got = co_await ask<store::response>(x.in.loop, start);
  if (got) {
    co_await answer_kept(x, *got, {}, &tools);
    co_return;
  }
  if (!is_gone(got.error())) {
    co_await store_failed(x, got.error());
    co_return;
  }
  co_await answer(x, fault::result_gone,
                  "the batch is " + std::string(name(b.state)) +
                      " and has no answer that was kept; its history says why",
                  {});
}

net::task<void> cancel(exchange& x, store::batch b) {
  durable_tools& tools = *x.plan->durable;
  auto start = [&](store::done<void> told) {
    tools.engine.cancel(b.id, x.in.wall_ms(),
                        [&tools, &b, told = std::move(told)](store::outcome<void> done) {
                          if (done) tools.room.cancelled(b);
                          told(std::move(done));
                        });
  };
  const auto done = co_await ask<void>(x.in.loop, start);
  if (!done) {
    const bool over = done.error().what == store::trouble::conflict;
    if (over) co_await answer(x, fault::batch_ended, done.error().detail, {});
    else if (is_gone(done.error())) co_await no_batch(x);
    else co_await store_failed(x, done.error());
    co_return;
  }
  b.state = store::batch_state::cancelled;
  co_await show(x, b);
}

net::task<void> serve_batch(exchange& x, const address& to) {
  durable_tools& tools = *x.plan->durable;
  auto start = [&](store::done<store::batch> told) {
    tools.engine.find(to.id, false, std::move(told));
  };
  auto found = co_await ask<store::batch>(x.in.loop, start);
  const bool theirs = found && belongs_to_client(x, *found);
  if (!found && !is_gone(found.error())) co_await store_failed(x, found.error());
  else if (!theirs) co_await no_batch(x);
  else if (x.method == "DELETE" && !to.result) co_await cancel(x, std::move(*found));
  else if (to.result) co_await show_result(x, *found);
  else co_await show(x, *found);
}

}  // namespace

net::task<void> serve_own(exchange& x) {
  const bool reads = x.method == "GET" || x.method == "HEAD";
  const auto to = parse_address(x.head.path);
  const fault bad = co_await read_body(x, nullptr);
  if (bad != fault::none) {
    co_await answer(x, bad, {}, {});
    co_return;
  }
  if (!to || !x.plan->durable) {
    co_await no_batch(x);
    co_return;
  }
  if (!reads && (x.method != "DELETE" || to->result)) {
    co_await answer(x, fault::bad_method,
                    to->result ? "expected GET" : "expected GET, or DELETE to cancel it", {});
    co_return;
  }
  co_await serve_batch(x, *to);
}

}  // namespace weir::proxy
