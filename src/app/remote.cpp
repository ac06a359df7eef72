#include "app/remote.hpp"

#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include "admin/client.hpp"
#include "admin/print.hpp"
#include "admin/table.hpp"
#include "config/addresses.hpp"
#include "config/files.hpp"
#include "config/reader.hpp"

namespace weir::app {
namespace {

using namespace std::chrono_literals;
using printer = std::string (*)(std::string_view);

constexpr int failed = 1, usage_error = 2;
constexpr base::duration long_work = 2h;   // of copies, and of changes to many batches
constexpr auto poll_interval = 500ms;   // of drain --wait

int complain(const std::string& what) {
  std::fprintf(stderr, "weir: %s\n", what.c_str());
  return failed;
}

// Why nothing came back, and the exit status for it.
struct mishap {
  std::string what;
  int status = failed;
};
using reply = base::result<admin::client_answer, mishap>;

// Empty: no token is sent. Nothing: the file cannot be read, and `why` says so.
std::optional<std::string> token_of(const remote_options& o, std::string& why) {
  if (o.token_file.empty()) return std::string{};
  const auto text = config::load_file(o.token_file);
  if (!text) {
    why = "the token file " + o.token_file + " cannot be read (" + text.error().message() +
          "); --token-file or WEIR_TOKEN_FILE names it";
    return std::nullopt;
  }
  const std::string token = text->substr(0, text->find_last_not_of("\r\n") + 1);
  if (!token.empty()) return token;
  why = "the token file " + o.token_file + " is empty, expected a token in it";
  return std::nullopt;
}

reply ask(const remote_options& o, std::string method, std::string target, std::string body = {},
          base::duration timeout = 30s) {
  if (!admin::valid_admin_url(o.admin))
    return mishap{(config::holds_credentials(o.admin) ? "what was given" : "'" + o.admin + "'") +
                      " is no admin address, expected http://HOST:PORT or unix:/PATH",
                  usage_error};
  std::string why;
  const auto token = token_of(o, why);
  if (!token) return mishap{why};
  admin::client_request r;
  r.admin = o.admin;
  r.method = std::move(method);
  r.target = std::move(target);
  r.body = std::move(body);
  r.token = *token;
  r.timeout = timeout;
  auto got = admin::send(r);
  if (!got) return mishap{got.error()};
  return std::move(*got);
}

// What to do about a 401, which names a header field that no option has.
void explain_token(const remote_options& o) {
  complain(o.token_file.empty()
               ? "no token was sent: --token-file FILE or WEIR_TOKEN_FILE names the file with it"
               : "the token sent is that of " + o.token_file);
}

int print(const remote_options& o, const reply& got, printer as_text) {
  if (!got) {
    complain(got.error().what);
    return got.error().status;
  }
  const bool refused = got->status >= 400;
  const std::string said = o.json    ? got->body
                           : refused ? admin::print_problem(got->status, got->body)
                                     : as_text(got->body);
  // Whoever answers: nothing of it steers the terminal.
  std::fputs(admin::printable_lines(said).c_str(), refused ? stderr : stdout);
  if (got->status == 401) explain_token(o);
  return refused ? failed : 0;
}

std::string with_pool(std::string target, const std::string& pool) {
  return pool.empty() ? target : target + "?pool=" + admin::encode_component(pool);
}

std::string query_of(const batch_choice& which) {
  std::string query = "?limit=" + std::to_string(which.limit);
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) query += std::string("&") + key + "=" + admin::encode_component(value);
  };
  add("state", which.state);
  add("pool", which.pool);
  add("tenant", which.tenant);
  return query;
}

// "/v1/pools/P/workers/W" of "P/W"; empty when it is not of that form.
std::string worker_target(const std::string& worker) {
  const auto slash = worker.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == worker.size()) return {};
  return "/v1/pools/" + admin::encode_component(worker.substr(0, slash)) + "/workers/" +
         admin::encode_component(worker.substr(slash + 1));
}

int bad_worker(const std::string& worker) {
  complain("'" + worker + "': expected POOL/WORKER, such as loaders/w1");
  return usage_error;
}

std::string print_done(std::string_view) { return "done\n"; }

// How many attempts run on the worker, by the API's list; nothing: it is not there any more.
std::optional<std::int64_t> in_flight(const std::string& json, const std::string& worker) {
  boost::system::error_code e;
  const auto body = boost::json::parse(json, e);
  if (e || !body.is_object() || !body.as_object().contains("workers")) return {};
  for (const auto& w : body.at("workers").as_array())
    if (std::string(w.at("pool").as_string()) + "/" + std::string(w.at("id").as_string()) == worker)
      return w.at("in_flight").to_number<std::int64_t>();
  return {};
}

int wait_until_empty(const remote_options& o, const std::string& worker) {
  for (;;) {
    const auto got = ask(o, "GET", with_pool("/v1/workers", worker.substr(0, worker.find('/'))));
    if (!got || got->status != 200) return print(o, got, print_done);
    const auto left = in_flight(got->body, worker);
    if (!left || *left == 0) break;
    std::this_thread::sleep_for(poll_interval);
  }
  std::printf("%s is empty\n", worker.c_str());
  return 0;
}

}  // namespace

int remote_status(const remote_options& o) {
  return print(o, ask(o, "GET", "/v1/status"), admin::print_status);
}

int remote_batches(const remote_options& o, const batch_choice& which) {
  return print(o, ask(o, "GET", "/v1/batches" + query_of(which)), admin::print_batches);
}

int remote_batch(const remote_options& o, const std::string& id) {
  return print(o, ask(o, "GET", "/v1/batches/" + admin::encode_component(id)),
               admin::print_batch);
}

int remote_change_batches(const remote_options& o, const std::string& verb,
                          const batch_choice& which) {
  const std::string target =
      which.id.empty() ? "/v1/batches/" + verb + query_of(which)
                       : "/v1/batches/" + admin::encode_component(which.id) + "/" + verb;
  return print(o, ask(o, "POST", target, "{}", long_work), admin::print_report);
}

int remote_backup(const remote_options& o, const std::string& folder) {
  const std::string path = std::filesystem::absolute(folder).lexically_normal();
  std::fprintf(stderr, "copying the state to %s ...\n", path.c_str());
  const std::string body = boost::json::serialize(boost::json::object{{"dir", path}});
  return print(o, ask(o, "POST", "/v1/backup", body, long_work), admin::print_report);
}

int remote_workers(const remote_options& o, const std::string& pool) {
  return print(o, ask(o, "GET", with_pool("/v1/workers", pool)), admin::print_workers);
}

int remote_queue(const remote_options& o, const std::string& pool) {
  return print(o, ask(o, "GET", with_pool("/v1/queue", pool)), admin::print_queue);
}

int remote_events(const remote_options& o) {
  return print(o, ask(o, "GET", "/v1/events?limit=500"), admin::print_events);
}

int remote_explain(const remote_options& o, const std::string& batch) {
  return print(o, ask(o, "GET", "/v1/explain?batch=" + admin::encode_component(batch)),
               admin::print_explain);
}

int remote_reload(const remote_options& o) {
  return print(o, ask(o, "POST", "/v1/reload", "{}"), admin::print_report);
}

int remote_plan(const remote_options& o, const std::string& config_file) {
  const auto text = config::load_file(config_file);
  if (!text) return complain(config_file + ": " + text.error().message());
  // The running weir knows its own environment and secrets; what is no YAML needs neither.
  const auto set = [](const std::string&) { return std::optional<std::string>("1"); };
  const config::document parsed = config::parse_document(*text, set);
  for (const config::diagnostic& d : parsed.mistakes)
    std::fprintf(stderr, "%s\n", config::to_string(d, config_file).c_str());
  if (!parsed.mistakes.empty()) return failed;
  const std::string body =
      boost::json::serialize(boost::json::object{{"yaml", *text}, {"file", config_file}});
  return print(o, ask(o, "POST", "/v1/plan", body), admin::print_report);
}

int remote_drain(const remote_options& o, const std::string& worker, bool wait) {
  const std::string target = worker_target(worker);
  if (target.empty()) return bad_worker(worker);
  const int status = print(o, ask(o, "POST", target + "/drain", "{}"), print_done);
  return status == 0 && wait ? wait_until_empty(o, worker) : status;
}

int remote_undrain(const remote_options& o, const std::string& worker) {
  const std::string target = worker_target(worker);
  if (target.empty()) return bad_worker(worker);
  return print(o, ask(o, "POST", target + "/undrain", "{}"), print_done);
}

int remote_test_hooks(const remote_options& o, const std::string& pool) {
  const std::string target = "/v1/pools/" + admin::encode_component(pool) + "/scale/test";
  return print(o, ask(o, "POST", target, "{}"), admin::print_report);
}

int remote_pause(const remote_options& o, const std::string& pool, const std::string& verb) {
  return print(o, ask(o, "POST", "/v1/pools/" + admin::encode_component(pool) + "/" + verb, "{}"),
               print_done);
}

}  // namespace weir::app
