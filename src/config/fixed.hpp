// What a running weir cannot change: sockets of the admin surfaces, threads, buffers that are in
// use. A reload keeps it as it runs, and with it what guards it. Pure, any thread; called by the
// reload before anything is prepared.
// Invariant: a surface that other machines reach is never left with fewer guards than it had.
#pragma once

#include "config/config.hpp"

namespace weir::config {

// Makes of `wanted`, which was read without a mistake, what can run now. The rules of a section
// were held against its wanted bind, so where the bind stays another one: admin.token stays when
// the wanted admin has none, and registration.allow stays. A renewed token is taken in any case.
void keep_fixed(const settings& running, settings& wanted);

// Whether keep_fixed() keeps these with the bind, though they could change by themselves.
bool keeps_admin_token(const settings& running, const settings& wanted);
bool keeps_registration_allow(const settings& running, const settings& wanted);

}  // namespace weir::config
