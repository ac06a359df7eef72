// An engine between weir and a real one in a scratch folder: tests hold calls back, make the next
// ones of a kind fail, and count them. Answers come on the real engine's thread, in its order, as
// store/engine.hpp promises. Any thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "store/local_engine.hpp"

namespace weir::test {

enum class store_call : std::uint8_t {
  add, open_attempt, end_attempt, give_up, cancel, find, response_of, attempts_of, load, lanes,
  claim_key, settle_key,
};

class staged_engine final : public store::engine {
 public:
  explicit staged_engine(const std::string& folder) {
    store::local_settings s;
    s.folder = folder;
    auto opened = store::local_engine::open(s);
    if (!opened) throw std::runtime_error(opened.error().detail);
    real_ = std::move(*opened);
  }
  ~staged_engine() override {
    release_all();
    real_.reset();   // its last answers come before the rest of this goes
  }

  // The next `times` calls of this kind are answered so, and do nothing.
  void fail(store_call c, store::trouble with, unsigned times = 1) {
    const std::lock_guard guard(lock_);
    at(c).trouble = with, at(c).failing = times;
  }
  // From now on they wait, before they do anything, until they are released.
  void hold(store_call c) {
    const std::lock_guard guard(lock_);
    at(c).holds = true;
  }
  void release(store_call c) {
    std::vector<std::function<void()>> all;
    {
      const std::lock_guard guard(lock_);
      at(c).holds = false;
      all.swap(at(c).held);
    }
    for (const auto& go : all) go();
  }
  void release_all() {
    for (int c = 0; c < kinds; ++c) release(static_cast<store_call>(c));
  }
  unsigned calls(store_call c) {
    const std::lock_guard guard(lock_);
    return at(c).calls;
  }
  unsigned held(store_call c) {
    const std::lock_guard guard(lock_);
    return static_cast<unsigned>(at(c).held.size());
  }
  store::spool& bodies() { return real_->bodies(); }
  store::local_engine& real() { return *real_; }

  void add(store::batch b, std::optional<store::key_claim> key,
           store::done<store::added> told) override {
    pass<store::added>(store_call::add, std::move(told), [this, b = std::move(b), key](auto t) {
      real_->add(b, key, std::move(t));
    });
  }
  void open_attempt(store::batch_id id, std::string worker, store::unix_ms now,
                    store::done<store::opened_attempt> told) override {
    pass<store::opened_attempt>(store_call::open_attempt, std::move(told), [=, this](auto t) {
      real_->open_attempt(id, worker, now, std::move(t));
    });
  }
  void end_attempt(store::finished_attempt how, store::done<void> told) override {
    pass<void>(store_call::end_attempt, std::move(told), [this, how = std::move(how)](auto t) {
      real_->end_attempt(how, std::move(t));
    });
  }
  void give_up(store::batch_id id, std::string outcome, std::string detail, store::unix_ms now,
               bool tells, store::done<void> told) override {
    pass<void>(store_call::give_up, std::move(told), [=, this](auto t) {
      real_->give_up(id, outcome, detail, now, tells, std::move(t));
    });
  }
  void cancel(store::batch_id id, store::unix_ms now, store::done<void> told) override {
    pass<void>(store_call::cancel, std::move(told),
               [=, this](auto t) { real_->cancel(id, now, std::move(t)); });
  }
  void requeue(store::batch_id id, store::unix_ms now, store::done<store::batch> told) override {
    real_->requeue(id, now, std::move(told));
  }
  void drop(store::batch_id id, store::done<void> told) override {
    real_->drop(id, std::move(told));
  }
  void find(store::batch_id id, bool with_body, store::done<store::batch> told) override {
    pass<store::batch>(store_call::find, std::move(told),
                       [=, this](auto t) { real_->find(id, with_body, std::move(t)); });
  }
  void response_of(store::batch_id id, store::done<store::response> told) override {
    pass<store::response>(store_call::response_of, std::move(told),
                          [=, this](auto t) { real_->response_of(id, std::move(t)); });
  }
  void attempts_of(store::batch_id id,
                   store::done<std::vector<store::attempt_note>> told) override {
    pass<std::vector<store::attempt_note>>(
        store_call::attempts_of, std::move(told),
        [=, this](auto t) { real_->attempts_of(id, std::move(t)); });
  }
  void list(store::batch_query q, store::done<std::vector<store::batch_line>> told) override {
    real_->list(std::move(q), std::move(told));
  }
  void count(store::done<store::store_counts> told) override { real_->count(std::move(told)); }
  void load(std::uint32_t lane, std::int64_t after, unsigned limit,
            store::done<std::vector<store::batch>> told) override {
    pass<std::vector<store::batch>>(store_call::load, std::move(told), [=, this](auto t) {
      real_->load(lane, after, limit, std::move(t));
    });
  }
  void lanes(store::done<std::vector<store::lane_state>> told) override {
    pass<std::vector<store::lane_state>>(store_call::lanes, std::move(told),
                                         [this](auto t) { real_->lanes(std::move(t)); });
  }
  void claim_key(store::digest scope, store::unix_ms now,
                 store::done<store::key_record> told) override {
    pass<store::key_record>(store_call::claim_key, std::move(told),
                            [=, this](auto t) { real_->claim_key(scope, now, std::move(t)); });
  }
  void settle_key(store::key_claim key, store::response answer, store::unix_ms now,
                  store::done<void> told) override {
    pass<void>(store_call::settle_key, std::move(told), [=, this](auto t) {
      real_->settle_key(key, answer, now, std::move(t));
    });
  }
  void release_key(store::digest scope) override { real_->release_key(scope); }
  void keep_message(store::message m, store::done<void> told) override {
    real_->keep_message(std::move(m), std::move(told));
  }
  void forget_message(store::message m, store::done<void> told) override {
    real_->forget_message(std::move(m), std::move(told));
  }
  void messages(std::string prefix, store::done<store::message_page> told) override {
    real_->messages(std::move(prefix), std::move(told));
  }
  void due_messages(std::string prefix, unsigned limit,
                    store::done<store::message_page> told) override {
    real_->due_messages(std::move(prefix), limit, std::move(told));
  }
  void sweep(store::retention keep, store::unix_ms now, store::done<store::swept> told) override {
    real_->sweep(keep, now, std::move(told));
  }
  void back_up(std::string folder, store::done<void> told) override {
    real_->back_up(std::move(folder), std::move(told));
  }

 private:
  static constexpr int kinds = static_cast<int>(store_call::settle_key) + 1;
  struct stage {
    unsigned calls = 0, failing = 0;
    store::trouble trouble{};
    bool holds = false;
    std::vector<std::function<void()>> held;
  };
  stage& at(store_call c) { return stages_[static_cast<std::size_t>(c)]; }

  template <class T, class Go>
  void pass(store_call c, store::done<T> told, Go go) {
    std::unique_lock guard(lock_);
    stage& s = at(c);
    ++s.calls;
    if (s.failing > 0) {
      --s.failing;
      const store::failure why{s.trouble, "the test wants it so"};
      guard.unlock();
      real_->count([told = std::move(told), why](auto) { told(why); });
      return;
    }
    if (s.holds) {
      s.held.push_back([go = std::move(go), told = std::move(told)]() mutable {
        go(std::move(told));
      });
      return;
    }
    guard.unlock();
    go(std::move(told));
  }

  std::mutex lock_;
  std::array<stage, kinds> stages_;
  std::unique_ptr<store::local_engine> real_;
};

}  // namespace weir::test
