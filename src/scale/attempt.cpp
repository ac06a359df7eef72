#include "scale/attempt.hpp"

#include "config/addresses.hpp"

namespace weir::scale {

std::unique_ptr<attempt> begin_attempt(const attempt_tools& tools, const config::hook& hook,
                                       const message& m, attempt_done done) {
  if (hook.webhook) return begin_webhook(tools, *hook.webhook, m, std::move(done));
  return begin_exec(tools, *hook.exec, m, std::move(done));
}

std::string label(const config::hook& hook) {
  if (hook.webhook) return "webhook " + config::hook_origin(hook.webhook->url);
  return "exec " + (hook.exec->command.empty() ? std::string() : hook.exec->command.front());
}

}  // namespace weir::scale
