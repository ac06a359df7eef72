#include "parse_json.hpp"

#include <boost/json/src.hpp>

std::map<std::string, std::string> parse_flat_json(std::string_view text) {
  std::map<std::string, std::string> out;
  const auto parsed = boost::json::parse({text.data(), text.size()});
  for (const auto& [key, value] : parsed.as_object()) {
    const std::string shown =
        value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value);
    if (!out.emplace(std::string(key), shown).second) throw std::runtime_error("repeated key");
  }
  return out;
}
