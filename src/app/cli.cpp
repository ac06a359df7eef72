#include "app/cli.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "admin/client.hpp"
#include "admin/print.hpp"
#include "app/remote.hpp"
#include "app/serve.hpp"
#include "app/simulate.hpp"
#include "config/dump.hpp"
#include "config/nearest.hpp"
#include "config/reader.hpp"
#include "config/schema.hpp"
#include "scale/message.hpp"
#include "store/restore.hpp"

namespace weir::app {
namespace {

constexpr int failed = 1, usage_error = 2;

int check(const std::string& file) {
  const config::outcome read = config::read_file(file);
  std::fputs((read.text() + read.warning_text()).c_str(), stderr);
  if (!read.ok()) return failed;
  std::fputs(config::summary(read.settings).c_str(), stdout);
  return 0;
}

int print_schema() {
  std::fputs(config::schema_json().c_str(), stdout);
  return 0;
}

// Options of the verbs that talk to a running weir, and what each of them may take.
struct arguments {
  remote_options remote;
  batch_choice which;
  simulate_options simulation;
  std::string config, subject, worker, folder, state_dir;
  bool wait = false, all = false;
};

// Not by CLI11: it takes the environment's values anew for each command there is.
void take_environment(remote_options& o) {
  if (const char* admin = std::getenv("WEIR_ADMIN"); admin && *admin) o.admin = admin;
  if (const char* file = std::getenv("WEIR_TOKEN_FILE")) o.token_file = file;
}

CLI::App* remote_verb(CLI::App& app, arguments& a, const std::string& verb,
                      const std::string& help) {
  CLI::App* sub = app.add_subcommand(verb, help);
  sub->add_option("--admin", a.remote.admin, "address of the admin API (or WEIR_ADMIN)")
      ->capture_default_str();
  sub->add_option("--token-file", a.remote.token_file,
                  "file that holds the admin token (or WEIR_TOKEN_FILE)");
  sub->add_flag("--json", a.remote.json, "print the API's JSON as it is");
  return sub;
}

CLI::App* file_verb(CLI::App& app, arguments& a, const std::string& verb, const std::string& help) {
  CLI::App* sub = app.add_subcommand(verb, help);
  sub->add_option("--config,-c", a.config, "configuration file")->required();
  return sub;
}

void add_pool_verbs(CLI::App& app, arguments& a, int& status) {
  for (const char* verb : {"pause", "resume"}) {
    const bool holds = std::string_view(verb) == "pause";
    CLI::App* sub = remote_verb(app, a, verb,
                                holds ? "hold a pool's backlog: batches wait, none is sent"
                                      : "let a paused pool go on");
    sub->add_option("pool", a.subject, "the pool")->required();
    sub->callback([&, verb] { status = remote_pause(a.remote, a.subject, verb); });
  }
  CLI::App* test = remote_verb(app, a, "test-hooks", "call a pool's scale hooks once, as a test");
  test->add_option("pool", a.subject, "the pool")->required();
  test->callback([&] { status = remote_test_hooks(a.remote, a.subject); });
}

void add_choice(CLI::App* sub, arguments& a) {
  sub->add_option("--pool", a.which.pool, "only this pool's");
  sub->add_option("--tenant", a.which.tenant, "only this tenant's");
  sub->add_option("--state", a.which.state,
                  "queued, running, succeeded, failed, cancelled or damaged");
}

void add_batch_verbs(CLI::App& app, arguments& a, int& status) {
  CLI::App* batches = app.add_subcommand("batches", "asynchronous batches and dead letters");
  batches->require_subcommand(1);
  CLI::App* list = remote_verb(*batches, a, "ls", "list them, the oldest first");
  add_choice(list, a);
  list->add_option("--limit", a.which.limit, "at most so many")->capture_default_str();
  list->callback([&] { status = remote_batches(a.remote, a.which); });
  CLI::App* show = remote_verb(*batches, a, "show", "one batch, with the reason of every attempt");
  show->add_option("id", a.which.id, "its id")->required();
  show->callback([&] { status = remote_batch(a.remote, a.which.id); });
  struct verb {
    const char* name;
    const char* help;
  };
  for (const verb v : {verb{"cancel", "cancel one that waits or runs, or all that match"},
                       verb{"requeue", "let a dead letter wait again, or all that match"},
                       verb{"drop", "forget one that has ended, or all that match"}}) {
    CLI::App* sub = remote_verb(*batches, a, v.name, v.help);
    CLI::Option* id = sub->add_option("id", a.which.id, "its id");
    sub->add_flag("--all", a.all, "all that match --pool, --tenant and --state")->excludes(id);
    add_choice(sub, a);
    sub->callback([&, name = v.name] {
      if (a.which.id.empty() && !a.all)
        throw CLI::ValidationError(std::string("batches ") + name,
                                   "expected a batch's id, or --all");
      status = remote_change_batches(a.remote, name, a.which);
    });
  }
}

int restore(const std::string& from, const std::string& state_dir) {
  std::fprintf(stderr, "checking %s ...\n", from.c_str());
  const auto done = store::restore(from, state_dir);
  if (!done) {
    std::fprintf(stderr, "weir: %s\n", done.error().detail.c_str());
    return failed;
  }
  const store::store_counts& n = done->counts;
  std::printf("restored to %s: %llu waiting, %llu succeeded, %llu dead letters, %llu cancelled; "
              "the copy was taken at %s\n",
              state_dir.c_str(), static_cast<unsigned long long>(n.queued + n.running),
              static_cast<unsigned long long>(n.succeeded),
              static_cast<unsigned long long>(n.failed),
              static_cast<unsigned long long>(n.cancelled),
              scale::rfc3339(done->taken_at).c_str());
  return 0;
}

// The state_dir comes from the configuration, or is named.
int restore_for(const arguments& a) {
  if (!a.state_dir.empty()) return restore(a.folder, a.state_dir);
  const config::outcome read = config::read_file(a.config);
  if (!read.ok()) {
    std::fputs(read.text().c_str(), stderr);
    return failed;
  }
  if (!read.settings.state_dir.empty()) return restore(a.folder, read.settings.state_dir);
  std::fprintf(stderr, "weir: %s has no state_dir to restore to\n", a.config.c_str());
  return failed;
}

void add_backup_verbs(CLI::App& app, arguments& a, int& status) {
  CLI::App* backup = remote_verb(app, a, "backup",
                                 "copy the state of the running weir, which goes on meanwhile");
  backup->add_option("dir", a.folder, "folder for the copy, missing or empty")->required();
  backup->callback([&] { status = remote_backup(a.remote, a.folder); });
  CLI::App* back = app.add_subcommand("restore", "make a state_dir out of a copy; weir is stopped");
  back->add_option("dir", a.folder, "the copy")->required();
  CLI::Option* config = back->add_option("--config,-c", a.config, "whose state_dir it becomes");
  CLI::Option* named = back->add_option("--state-dir", a.state_dir, "the state_dir itself");
  config->excludes(named);
  back->callback([&] {
    if (a.config.empty() && a.state_dir.empty())
      throw CLI::ValidationError("restore", "expected --config FILE or --state-dir DIR");
    status = restore_for(a);
  });
}

// CLI::Range lets nan pass, which is neither below nor above.
CLI::Validator within(double low, double high) {
  return {[low, high](const std::string& given) -> std::string {
            double value = 0;
            const bool read = CLI::detail::lexical_cast(given, value);
            if (read && value >= low && value <= high) return {};
            return fmt::format("{} is no number from {} to {}", given, low, high);
          },
          fmt::format("NUMBER in [{} - {}]", low, high)};
}

void add_simulate_verb(CLI::App& app, arguments& a, int& status) {
  CLI::App* sub = app.add_subcommand("simulate", "play batches against a pool, in virtual time");
  sim::request& what = a.simulation.what;
  sub->add_option("--scenario,-s", what.scenario, "what arrives and what serves it");
  sub->add_option("--config,-c", what.config, "configuration whose settings are used");
  sub->add_option("--pool", what.pool, "the pool of it");
  sub->add_option("--against", what.against, "another configuration to compare with");
  sub->add_option("--policy", what.policies, "weir, weir-fifo, first-come, ...: the ones compared")
      ->delimiter(',');
  sub->add_option("--seeds", what.seeds, "runs; medians are shown")->check(CLI::Range(1, 1000));
  sub->add_option("--batches", what.batches, "how many arrive")
      ->check(CLI::Range(1, 50'000'000));
  sub->add_option("--load", what.load, "percent of what the workers could do, as 90 or 90%")
      ->transform([](const std::string& given) {
        const std::size_t end = given.find_last_not_of(" %");
        return given.substr(0, end == std::string::npos ? 0 : end + 1);
      })
      ->check(within(1, 1000));
  sub->add_option("--sigma", what.sigma, "declared sizes are off by e^(SIGMA N(0,1))")
      ->check(within(0, 10));
  sub->add_flag("--unknown", what.unknown_sizes, "batches declare nothing");
  sub->add_flag("--scaling", what.scaling,
                "judge the pool's autoscale: workers come and go, late seconds, worker-hours");
  sub->add_flag("--json", a.simulation.json, "print every run as JSON");
  sub->add_option("--plot", a.simulation.plot, "write a plot to this file, FILE.svg")
      ->check([](const std::string& file) -> std::string {
        return file.ends_with(".svg") ? "" : "expected a name that ends in .svg";
      });
  sub->callback([&] {
    if (a.simulation.what.load) *a.simulation.what.load /= 100;
    status = simulate(a.simulation);
  });
}

void add_verbs(CLI::App& app, arguments& a, int& status) {
  file_verb(app, a, "serve", "run weir")->callback([&] { status = serve(a.config); });
  file_verb(app, a, "check", "check a configuration")->callback([&] { status = check(a.config); });
  app.add_subcommand("schema", "print the configuration's JSON Schema")
      ->callback([&] { status = print_schema(); });

  add_simulate_verb(app, a, status);
  CLI::App* plan = remote_verb(app, a, "plan", "what a reload would change in the running weir");
  plan->add_option("--config,-c", a.config, "the configuration to compare with")->required();
  plan->callback([&] { status = remote_plan(a.remote, a.config); });
  remote_verb(app, a, "reload", "read the configuration again")->callback([&] {
    status = remote_reload(a.remote);
  });
  remote_verb(app, a, "status", "what weir does right now")->callback([&] {
    status = remote_status(a.remote);
  });

  CLI::App* workers = remote_verb(app, a, "workers", "workers with their states");
  workers->add_option("pool", a.subject, "only this pool's");
  workers->callback([&] { status = remote_workers(a.remote, a.subject); });
  CLI::App* queue = remote_verb(app, a, "queue", "batches that wait");
  queue->add_option("pool", a.subject, "only this pool's");
  queue->callback([&] { status = remote_queue(a.remote, a.subject); });
  CLI::App* events = remote_verb(app, a, "events", "what happened lately");
  events->callback([&] { status = remote_events(a.remote); });
  CLI::App* explain = remote_verb(app, a, "explain", "why a batch waits, or went where it did");
  explain->add_option("batch", a.subject, "its Weir-Batch-Id")->required();
  explain->callback([&] { status = remote_explain(a.remote, a.subject); });

  CLI::App* drain = remote_verb(app, a, "drain", "give a worker nothing new");
  drain->add_option("worker", a.worker, "POOL/WORKER")->required();
  drain->add_flag("--wait", a.wait, "return when its last batch has ended");
  drain->callback([&] { status = remote_drain(a.remote, a.worker, a.wait); });
  CLI::App* undrain = remote_verb(app, a, "undrain", "give a drained worker work again");
  undrain->add_option("worker", a.worker, "POOL/WORKER")->required();
  undrain->callback([&] { status = remote_undrain(a.remote, a.worker); });
  add_pool_verbs(app, a, status);
  add_batch_verbs(app, a, status);
  add_backup_verbs(app, a, status);
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
  return names;
}

bool is_command(const CLI::App& app, std::string_view given) {
  const auto names = command_names(app);
  return std::find(names.begin(), names.end(), given) != names.end();
}

// CLI11 would only say that a command is missing.
int unknown_command(const CLI::App& app, std::string_view given) {
  const auto names = command_names(app);
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view close = config::nearest(given, known);
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  std::fprintf(stderr, "weir: unknown command '%.60s', expected one of %s%s%s\n",
               std::string(given).c_str(), all.c_str(), close.empty() ? "" : "; did you mean ",
               std::string(close).c_str());
  return usage_error;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("weir: load balancer, health checker and backlog keeper for ELT workers", "weir");
  app.set_version_flag("--version", "weir " WEIR_VERSION);
  app.require_subcommand(1);
  arguments a;
  take_environment(a.remote);
  int status = 0;
  add_verbs(app, a, status);
  if (argc > 1 && *argv[1] != '-' && !is_command(app, argv[1]))
    return unknown_command(app, argv[1]);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : usage_error;
  }
  return status;
}

}  // namespace weir::app
