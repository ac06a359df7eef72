// The verbs that talk to a running weir through its admin API: ask, print, say what went wrong.
// Called by the command line, in a process of its own; blocking.
#pragma once

#include <string>

namespace weir::app {

struct remote_options {
  std::string admin = "http://127.0.0.1:9900";
  std::string token_file;
  bool json = false;
};

// Each returns the exit status.
int remote_status(const remote_options& o);
// Which asynchronous batches; empty members stand for all.
struct batch_choice {
  std::string id, state, pool, tenant;
  unsigned limit = 100;
};
int remote_batches(const remote_options& o, const batch_choice& which);
int remote_batch(const remote_options& o, const std::string& id);
// `verb`: cancel, requeue or drop; one batch, or with an empty id all that match.
int remote_change_batches(const remote_options& o, const std::string& verb,
                          const batch_choice& which);
int remote_backup(const remote_options& o, const std::string& folder);
int remote_workers(const remote_options& o, const std::string& pool);
int remote_queue(const remote_options& o, const std::string& pool);
int remote_events(const remote_options& o);
int remote_explain(const remote_options& o, const std::string& batch);
int remote_reload(const remote_options& o);
int remote_plan(const remote_options& o, const std::string& config_file);
// `worker` is POOL/WORKER.
int remote_drain(const remote_options& o, const std::string& worker, bool wait);
int remote_undrain(const remote_options& o, const std::string& worker);
int remote_test_hooks(const remote_options& o, const std::string& pool);
int remote_pause(const remote_options& o, const std::string& pool, const std::string& verb);

}  // namespace weir::app
