#include "admin/page.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace weir::admin {
namespace {

constexpr std::string_view style = R"css(
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #f6f7f9;
  --card: #fff; --line: #d9dee5; --good: #1a7f4b; --busy: #9a6700; --bad: #c02a37; --bar: #3b74c4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --soft: #9aa6b5; --paper: #14181e;
  --card: #1c222b; --line: #313a46; --good: #4cc38a; --busy: #e2b340; --bad: #ff7b86;
  --bar: #6aa0ec; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
header, main { max-width: 1100px; margin: 0 auto; padding: 12px 16px; }
header { display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: baseline; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 18px; margin: 0 0 8px; }
h3 { font-size: 14px; margin: 16px 0 4px; color: var(--soft); }
.soft { color: var(--soft); } .good { color: var(--good); } .busy { color: var(--busy); }
.bad { color: var(--bad); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 14px 16px; margin: 0 0 14px; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); gap: 8px 14px;
  margin: 0; }
dt { color: var(--soft); font-size: 13px; } dd { margin: 0; font-size: 19px;
  font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-top: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: 13px; border-top: 0; }
.number { text-align: right; }
meter { width: 90px; height: 12px; vertical-align: middle; }
form { margin: 0 0 14px; } input, button { font: inherit; padding: 4px 8px; }
[hidden] { display: none; }
)css";

constexpr std::string_view body = R"html(
<header>
<h1>weir</h1>
<span id="state" role="status" aria-live="polite">loading</span>
<span id="about" class="soft"></span>
</header>
<main>
<form id="login" hidden>
<label for="token">This weir asks for its token:</label>
<input id="token" type="password" autocomplete="off" required>
<button>Show</button>
</form>
<div id="pools"></div>
<section aria-labelledby="events-title">
<h2 id="events-title">Events</h2>
<div class="scroll" id="events" tabindex="0" role="region" aria-labelledby="events-title"></div>
</section>
<noscript><p>This page needs JavaScript. The same facts: <code>weir status</code>,
<a href="/v1/status">/v1/status</a>, <a href="/metrics">/metrics</a>.</p></noscript>
</main>
)html";

constexpr std::string_view script = R"js(
"use strict";
const every = 2000, queueShown = 10, workersShown = 200, eventsShown = 30;
const at = id => document.getElementById(id);
let events = [], since = 0;

function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function span(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 1) return Math.round(seconds * 1000) + " ms";
  if (seconds < 120) return (seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)) + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}

async function ask(path) {
  const token = sessionStorage.getItem("weir-token");
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.status === 401) throw { token: true };
  if (!answer.ok) throw new Error(path + " answered " + answer.status);
  return answer.json();
}

function table(caption, heads, rows) {
  const box = make("div", undefined, "scroll"), t = make("table");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", caption);
  const head = t.createTHead().insertRow();
  for (const [name, isNumber] of heads) {
    const cell = make("th", name, isNumber ? "number" : "");
    cell.scope = "col";
    head.append(cell);
  }
  const body = t.createTBody();
  for (const row of rows) {
    const tr = body.insertRow();
    row.forEach((value, i) => {
      const td = tr.insertCell();
      if (heads[i][1]) td.className = "number";
      td.append(value);
    });
  }
  box.append(t);
  return box;
}

const stateClass = { up: "good", saturated: "busy", checking: "busy", draining: "busy",
                     ejected: "bad", down: "bad", removed: "soft" };

function slots(worker) {
  const cell = make("span"), bar = make("meter");
  bar.max = Math.max(worker.slots, 1);
  bar.value = worker.in_flight;
  bar.setAttribute("aria-hidden", "true");
  const open = worker.slots_open < worker.slots ? " (" + worker.slots_open + " open)" : "";
  cell.append(worker.in_flight + " / " + worker.slots + open + " ", bar);
  return cell;
}

function workersTable(pool, workers) {
  const heads = [["worker"], ["state"], ["since"], ["slots", true], ["rate", true],
                 ["done", true], ["failed", true], ["address"], ["reason"]];
  const rows = workers.slice(0, workersShown).map(w => {
    const notes = [w.backup && "backup", w.managed && "managed", w.registered &&
                   "lease " + span(w.lease_seconds)].filter(Boolean).join(", ");
    return [w.id + (notes ? " (" + notes + ")" : ""), make("span", w.state, stateClass[w.state]),
            span(w.seconds_in_state), slots(w), (w.rate ?? 0).toFixed(2), String(w.successes),
            String(w.failures), w.url, w.reason];
  });
  return table("workers of " + pool, heads, rows);
}

function queueTable(pool, batches) {
  const heads = [["batch"], ["tenant"], ["route"], ["ahead", true], ["starts in", true],
                 ["waited", true], ["cost", true], ["urgency", true], ["attempt", true]];
  return table("queue of " + pool, heads, batches.map(b =>
    [b.batch, b.tenant, b.route, (b.position_exact ? "" : "about ") + b.position,
     b.eta_seconds === null ? "not in time" : "about " + span(b.eta_seconds),
     span(b.waited_seconds), span(b.cost), String(b.urgency), String(b.attempt)]));
}

function facts(pool) {
  const list = make("dl");
  const add = (name, value, className) => {
    const pair = make("div");
    pair.append(make("dt", name), make("dd", value, className));
    list.append(pair);
  };
  add("waiting", String(pool.waiting), pool.waiting ? "busy" : "");
  add("running", String(pool.running));
  add("slots busy", pool.slots_busy + " / " + pool.slots);
  add("workers up", pool.workers_up + " / " + pool.workers, pool.workers_up ? "" : "bad");
  add("work waiting", span(pool.waiting_cost));
  add("oldest", span(pool.oldest_seconds));
  add("drained in", pool.waiting ? span(pool.drain_seconds) : "0 s");
  if (pool.scale) add("workers wanted", pool.scale.desired + " (" + pool.scale.min + " to " +
                      pool.scale.max + ")");
  if (pool.asked_for) add("asked for", String(pool.asked_for), "busy");
  if (pool.never_came) add("never came", String(pool.never_came), "bad");
  return list;
}

function poolCard(pool, workers, queue) {
  const card = make("section"), title = make("h2", pool.name);
  for (const [on, word, className] of [[pool.paused, "paused", "busy"],
                                       [pool.outage, "shared outage", "bad"],
                                       [pool.closed, "closed", "bad"]])
    if (on) title.append(" ", make("small", word, className));
  card.append(title, facts(pool));
  if (pool.scaling_holds) card.append(make("p", "Scaling holds: " + pool.scaling_holds, "soft"));
  if (pool.scale && pool.scale.reason)
    card.append(make("p", "Last scale decision: " + pool.scale.direction + " to " +
                     pool.scale.desired + ", " + pool.scale.reason, "soft"));
  card.append(make("h3", "Workers"), workersTable(pool.name, workers));
  if (workers.length > workersShown)
    card.append(make("p", (workers.length - workersShown) + " more are not shown", "soft"));
  if (queue.total) {
    card.append(make("h3", "First of " + queue.total + " waiting"));
    card.append(queueTable(pool.name, queue.batches));
  }
  return card;
}

function showStatus(status) {
  const state = at("state"), ok = status.ready && !status.draining;
  const text = status.draining ? "draining" : status.ready ? "ready" :
    "not ready: " + status.reason;
  if (state.textContent !== text) state.textContent = text;
  state.className = ok ? "good" : "bad";
  const config = status.config.last_reload_ok === false ?
    ", last reload refused: " + status.config.last_reload_error : "";
  at("about").textContent = status.version + ", up " + span(status.uptime_seconds) + ", " +
    status.listeners.map(l => l.name + " " + l.address + " (" + l.connections +
    " connections)").join(", ") + config;
}

function showEvents(page) {
  since = page.next;
  events = events.concat(page.events).slice(-eventsShown);
  at("events").replaceChildren(events.length ? table("events",
    [["time"], ["pool"], ["event"], ["worker"], ["what"]],
    events.slice().reverse().map(e => [new Date(e.time_ms).toLocaleTimeString(), e.pool, e.kind,
                                       e.worker, e.text])) : make("p", "none yet", "soft"));
}

async function show() {
  const [status, all, news] = await Promise.all(
    [ask("/v1/status"), ask("/v1/workers"), ask("/v1/events?limit=500&since=" + since)]);
  const queues = await Promise.all(status.pools.map(p => !p.waiting ? { batches: [], total: 0 } :
    ask("/v1/queue?limit=" + queueShown + "&pool=" + encodeURIComponent(p.name))));
  showStatus(status);
  at("pools").replaceChildren(...status.pools.map((p, i) =>
    poolCard(p, all.workers.filter(w => w.pool === p.name), queues[i])));
  showEvents(news);
  at("login").hidden = true;
}

async function tick() {
  try {
    if (!document.hidden) await show();
  } catch (why) {
    at("state").className = "bad";
    at("state").textContent = why.token ? "token needed" : "no answer: " + why.message;
    at("login").hidden = !why.token;
  }
  setTimeout(tick, every);
}

at("login").addEventListener("submit", event => {
  event.preventDefault();
  sessionStorage.setItem("weir-token", at("token").value);
});
tick();
)js";

// A CSP source for an inline element: the hash of its text.
std::string hash_source(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  unsigned char base64[45];   // 4 x ceil(32 / 3), and the final zero
  const int n = ::EVP_EncodeBlock(base64, digest, sizeof digest);
  return "'sha256-" + std::string(reinterpret_cast<char*>(base64), static_cast<std::size_t>(n)) +
         "'";
}

std::string build() {
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>weir</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>";
  html.append(style).append("</style>\n</head>\n<body>").append(body);
  html.append("<script>").append(script).append("</script>\n</body>\n</html>\n");
  return html;
}

}  // namespace

std::string_view page() {
  static const std::string html = build();
  return html;
}

const std::string& page_policy() {
  static const std::string policy =
      "default-src 'none'; style-src " + hash_source(style) + "; script-src " +
      hash_source(script) +
      "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
      "frame-ancestors 'none'";
  return policy;
}

}  // namespace weir::admin
