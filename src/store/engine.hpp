// What keeps accepted batches: every change is answered once it is durable, and only then. The
// proxy and the admin API use this; local_engine does it with a database in state_dir, and an
// engine that several weirs share can take its place. Calls come from any thread and do not block;
// answers come on a thread of the engine, each exactly once, also when it shuts down (`closed`).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/ledger.hpp"

namespace weir::store {

template <class T>
using done = std::function<void(outcome<T>)>;

// attempt_end, with what it holds.
struct finished_attempt {
  batch_id id{};
  attempt_note note;
  batch_state next = batch_state::queued;
  unix_ms not_before = 0;
  std::optional<response> answer;
};

class engine {
 public:
  virtual ~engine() = default;

  virtual void add(batch b, done<void> told) = 0;
  // Answers the attempt's number, Weir-Attempt: higher than any before it, whatever crashed.
  virtual void start_attempt(batch_id id, std::string worker, unix_ms now,
                             done<std::uint32_t> told) = 0;
  virtual void end_attempt(finished_attempt how, done<void> told) = 0;
  virtual void cancel(batch_id id, unix_ms now, done<void> told) = 0;
  virtual void requeue(batch_id id, unix_ms now, done<void> told) = 0;
  virtual void drop(batch_id id, done<void> told) = 0;

  virtual void find(batch_id id, bool with_body, done<batch> told) = 0;
  virtual void response_of(batch_id id, done<response> told) = 0;
  virtual void attempts_of(batch_id id, done<std::vector<attempt_note>> told) = 0;
  virtual void list(batch_query q, done<std::vector<batch_line>> told) = 0;
};

}  // namespace weir::store
