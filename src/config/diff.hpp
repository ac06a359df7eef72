// What a change of configuration means, by meaning instead of by text: for `weir plan`, for the log
// of a reload, and for the reload itself, which acts on the same list. Pure, any thread. Holds no
// secrets: a changed token is said to have changed.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace weir::config {

struct change {
  enum class action : std::uint8_t { added, removed, changed, reordered, restored };
  enum class subject : std::uint8_t { setting, listener, route, pool, worker };
  action what = action::changed;
  subject of = subject::setting;
  std::string pool;           // of a worker
  std::string name;           // of the listener, route, pool or worker; empty for a setting
  std::string key;            // "queue.max_wait", when one key changed
  std::string before, after;  // that key's value, or what was added or removed
  bool restart = false;       // takes effect at the next start only
  std::string effect;         // what a reload does about it, in a few words
  bool operator==(const change&) const = default;
};

// In the order of the file: settings, listeners, routes, pools with their workers. A worker is
// known by its pool and id; one whose url changed is removed and added, as it is another machine.
// Nothing changed: empty.
std::vector<change> diff(const settings& before, const settings& after);

// A worker that both configurations have and the running weir has not: it was taken out by other
// means, which `why` names, and a reload adds it again.
change restored(const std::string& pool, const std::string& worker, std::string why);

// A worker that no configuration had, but the running weir has: a reload drains and removes it.
change ended(const std::string& pool, const worker& w, std::string why);

bool needs_restart(const std::vector<change>& changes);

// "worker loaders/w3: added, http://10.0.0.3:9000, 4 slots (gets batches after its first good
// probe)"
std::string to_line(const change& c);
// {"changes": [{"what", "subject", "pool", "name", "key", "before", "after", "restart", "effect"}],
//  "restart": bool}; absent texts are left out.
std::string to_json(const std::vector<change>& changes);

}  // namespace weir::config
