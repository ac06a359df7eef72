// What a running weir cannot change: sockets of the admin surfaces, threads, the place of its
// state, buffers that are in use. A reload keeps it as it runs, and with it what guards it. Pure,
// any thread; called by the reload before anything is prepared.
// Invariants: a surface that other machines reach is never left with fewer guards than it had; no
// route is `async: always` without a state_dir.
#pragma once

#include "config/config.hpp"

namespace weir::config {

// Makes of `wanted`, which was read without a mistake, what can run now. The rules of a section
// were held against its wanted bind, so where the bind stays another one: admin.token stays when
// the wanted admin has none, and registration.allow stays. A renewed token is taken in any case.
// A state_dir that is wanted and does not run is waited for: each route keeps its `async` (a new
// one's is never).
void keep_fixed(const settings& running, settings& wanted);

// Whether keep_fixed() keeps these with the bind, though they could change by themselves.
bool keeps_admin_token(const settings& running, const settings& wanted);
bool keeps_registration_allow(const settings& running, const settings& wanted);
// The same of each route's `async`, which waits for the state_dir.
bool keeps_async(const settings& running, const settings& wanted);

}  // namespace weir::config
