// For tests: a flat JSON object as text by key, read by a parser that is not ours.
#pragma once

#include <map>
#include <string>
#include <string_view>

// Strings decoded, everything else as written. Throws when the text is no flat JSON object.
std::map<std::string, std::string> parse_flat_json(std::string_view);
