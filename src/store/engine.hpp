// What keeps accepted batches, idempotency keys and undelivered messages: every change is answered
// once it is durable, and only then. The proxy, the app and the admin API use this; local_engine
// does it with a database in state_dir, and an engine that several weirs share can take its place.
// Calls come from any thread and do not block; answers come on one thread of the engine, in the
// order of the calls, each exactly once, also when it shuts down (`closed`).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/records.hpp"

namespace weir::store {

template <class T>
using done = std::function<void(outcome<T>)>;

class engine {
 public:
  virtual ~engine() = default;

  // --- batches -----------------------------------------------------------------------------------
  // With a key: added and bound to it in one transaction, or `known`. A key whose fingerprint
  // differs, or that is a synchronous request's: trouble::conflict.
  virtual void add(batch b, std::optional<key_claim> key, done<added> told) = 0;
  // The number is higher than any before it, whatever crashed. conflict: it is not open.
  virtual void open_attempt(batch_id id, std::string worker, unix_ms now,
                            done<opened_attempt> told) = 0;
  virtual void end_attempt(finished_attempt how, done<void> told) = 0;
  // An open batch is a dead letter without (another) attempt; `outcome` and `detail` say why.
  virtual void give_up(batch_id id, std::string outcome, std::string detail, unix_ms now,
                       bool tells, done<void> told) = 0;
  virtual void cancel(batch_id id, unix_ms now, done<void> told) = 0;
  virtual void requeue(batch_id id, unix_ms now, done<batch> told) = 0;   // without its body
  virtual void drop(batch_id id, done<void> told) = 0;

  virtual void find(batch_id id, bool with_body, done<batch> told) = 0;
  virtual void response_of(batch_id id, done<response> told) = 0;
  virtual void attempts_of(batch_id id, done<std::vector<attempt_note>> told) = 0;
  virtual void list(batch_query q, done<std::vector<batch_line>> told) = 0;
  virtual void count(done<store_counts> told) = 0;
  // Queued ones of a lane in order of arrival, without bodies. Damaged ones are set aside.
  virtual void load(std::uint32_t lane, std::int64_t after, unsigned limit,
                    done<std::vector<batch>> told) = 0;
  virtual void lanes(done<std::vector<lane_state>> told) = 0;

  // --- keys of synchronous requests --------------------------------------------------------------
  virtual void claim_key(digest scope, unix_ms now, done<key_record> told) = 0;
  // The request that claimed it ended: with an answer to keep, or without one (it is free again).
  virtual void settle_key(key_claim key, response answer, unix_ms now, done<void> told) = 0;
  virtual void release_key(digest scope) = 0;

  // --- messages ----------------------------------------------------------------------------------
  virtual void keep_message(message m, done<void> told) = 0;
  // Unless another one has taken its name; one that is gone already is no error.
  virtual void forget_message(message m, done<void> told) = 0;
  // Whose name begins so: all of a kind that has few, or those due first of one that has many.
  virtual void messages(std::string prefix, done<message_page> told) = 0;
  virtual void due_messages(std::string prefix, unsigned limit, done<message_page> told) = 0;

  // --- the whole ---------------------------------------------------------------------------------
  virtual void sweep(retention keep, unix_ms now, done<swept> told) = 0;
  // A consistent copy into `folder`, which must be missing or empty, while all goes on.
  virtual void back_up(std::string folder, done<void> told) = 0;
};

}  // namespace weir::store
