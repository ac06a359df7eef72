// What the store remembers of scale decisions: those that a hook has not got yet, so that they go
// on after a restart, and the highest numbers of each pool, so that an autoscaler which follows no
// lower ones is not left deaf. Messages "scale/POOL/HOOK" and "scale/POOL". One per weir with a
// state_dir, on the control thread; its crews and their couriers write it. Invariant: the store
// holds what it was asked to keep last.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "scale/message.hpp"
#include "store/engine.hpp"

namespace weir::app {

class scale_notes {
 public:
  struct numbers {
    std::uint64_t episode = 0, sequence = 0;
  };

  // Reads what an earlier process left, and waits for it: before any pool decides.
  static std::unique_ptr<scale_notes> open(store::engine& engine);

  // Numbers of the pool's decisions that may have been told; all of them are below or the same.
  numbers told(const std::string& pool) const;
  void tell(const std::string& pool, numbers n);

  // What the pool's hooks are to be told yet, by their keys. What must not be sent any more is
  // forgotten, and the log says why: a scale-in, since the drains that it rests on ended with the
  // process that ordered them; a decision of long ago; one that cannot be read; one of a hook that
  // is not configured any more.
  std::map<std::string, scale::message> send_on(const std::string& pool,
                                                const std::vector<config::hook>& hooks,
                                                store::unix_ms now);
  // Null: the hook has been told all.
  void keep(const std::string& pool, const std::string& key, const scale::message* m);
  // The pool has no hooks.
  void forget(const std::string& pool);
  // Pools that are not configured any more.
  template <class Map>
  void forget_others(const Map& pools) {
    forget_unless([&](const std::string& pool) { return pools.contains(pool); });
  }

 private:
  explicit scale_notes(store::engine& engine) : engine_(engine) {}
  void forget_unless(const std::function<bool(const std::string& pool)>& configured);
  void write(store::message m);
  void erase(const std::string& name);
  void drop(const store::message& m, std::string_view why);

  store::engine& engine_;
  std::map<std::string, numbers> told_;            // by pool
  std::map<std::string, store::message> in_store_;   // by name
};

}  // namespace weir::app
