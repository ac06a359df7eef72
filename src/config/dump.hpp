// Settings for people and programs, without secrets: what `weir check` says and what GET /v1/config
// answers. Tokens and keys are shown as the path of their file; header values, hook urls' paths and
// hook arguments, which people put secrets into, are left out. Any thread.
#pragma once

#include <string>

#include "config/config.hpp"
#include "config/spec.hpp"

namespace weir::config {

// JSON in the shape of the configuration file, every key with its value in force.
std::string dump_json(const settings& all);

// A few lines: doors, routes, pools.
std::string summary(const settings& all);

// A key's value as the dump and the diff may show it: as JSON, or as text.
std::string shown_json(const key& k, const void* owner);
std::string shown_text(const key& k, const void* owner);

}  // namespace weir::config
