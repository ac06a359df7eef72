#include "config/fixed.hpp"

#include <algorithm>

namespace weir::config {
namespace {

void keep_admin(const settings& running, settings& wanted) {
  if (keeps_admin_token(running, wanted)) {
    wanted.admin.token = running.admin.token;
    wanted.admin.token_file = running.admin.token_file;
  }
  wanted.admin.bind = running.admin.bind;
}

// One that is to go stays open until the next start, and one that is new opens then.
void keep_registration(const settings& running, settings& wanted) {
  if (!wanted.registration || !running.registration) {
    wanted.registration = running.registration;
    return;
  }
  if (keeps_registration_allow(running, wanted))
    wanted.registration->allow = running.registration->allow;
  wanted.registration->bind = running.registration->bind;
}

// There is no place for durable batches yet: a route takes none before there is.
void keep_async(const settings& running, settings& wanted) {
  for (auto& route : wanted.routes) {
    const auto old = std::find_if(running.routes.begin(), running.routes.end(),
                                  [&](const auto& r) { return r.name == route.name; });
    route.async = old == running.routes.end() ? async_mode::never : old->async;
  }
}

}  // namespace

bool keeps_admin_token(const settings& running, const settings& wanted) {
  return wanted.admin.bind != running.admin.bind && wanted.admin.token.empty();
}

bool keeps_registration_allow(const settings& running, const settings& wanted) {
  return running.registration && wanted.registration &&
         wanted.registration->bind != running.registration->bind;
}

bool keeps_async(const settings& running, const settings& wanted) {
  return running.state_dir.empty() && !wanted.state_dir.empty();
}

void keep_fixed(const settings& running, settings& wanted) {
  if (keeps_async(running, wanted)) keep_async(running, wanted);
  wanted.threads = running.threads;
  wanted.state_dir = running.state_dir;
  wanted.access_log = running.access_log;
  wanted.limits.relay_buffer_bytes = running.limits.relay_buffer_bytes;
  wanted.limits.relay_pipes_max = running.limits.relay_pipes_max;
  keep_admin(running, wanted);
  keep_registration(running, wanted);
}

}  // namespace weir::config
