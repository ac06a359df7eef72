// One try to hand one message to one hook, a webhook or a program: started by the courier, on the
// control thread's io_context.
// Invariants: done() is called once, from the loop, never inside begin_*; never after the attempt
// was dropped, which closes the connection, or kills the program's process group.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "scale/message.hpp"
#include "scale/outbox.hpp"

namespace boost::asio {
class io_context;
}
namespace weir::net {
class resolver;
class tls_client_context;
}  // namespace weir::net

namespace weir::scale {

class attempt {
 public:
  virtual ~attempt() = default;
};
using attempt_done = std::function<void(attempt_result)>;

// What attempts need; must outlive them.
struct attempt_tools {
  boost::asio::io_context& context;
  net::resolver& names;
  std::shared_ptr<const net::tls_client_context> tls;   // for https:// hooks
  base::duration kill_grace = std::chrono::seconds(2);  // from SIGTERM to SIGKILL
  // Which addresses a webhook's name may lead to; empty: any. It is asked for each attempt, which
  // connects to what was asked about.
  std::function<bool(std::string_view address)> may_call{};
};

// POSTs the body, signed when there is a secret. 2xx: delivered; 410: gone; everything else, and no
// answer at all, is tried again. Redirects are not followed.
std::unique_ptr<attempt> begin_webhook(const attempt_tools& tools, const config::webhook& hook,
                                       const message& m, attempt_done done);

// Runs the program with the body as its standard input; see exec.cpp. Exit status 0: delivered.
std::unique_ptr<attempt> begin_exec(const attempt_tools& tools, const config::exec_hook& hook,
                                    const message& m, attempt_done done);

std::unique_ptr<attempt> begin_attempt(const attempt_tools& tools, const config::hook& hook,
                                       const message& m, attempt_done done);

// For logs: "webhook https://scaler.example" (paths and queries may hold keys) or "exec
// /bin/scale".
std::string label(const config::hook& hook);

}  // namespace weir::scale
