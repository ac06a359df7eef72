// The JSON Schema of the configuration (2020-12), written from the key tables;
// config/weir.schema.json is this text, kept so by a test. It says what a schema can: names, types,
// enums, bounds of plain numbers, required keys. Ranges of durations and rules over several keys
// stand in descriptions and in the reader.
#pragma once

#include <string>

namespace weir::config {

std::string schema_json();

}  // namespace weir::config
