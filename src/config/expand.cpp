#include "config/expand.hpp"

#include <algorithm>

namespace weir::config {
namespace {

bool valid_variable(std::string_view name) noexcept {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

// What stands between "${" and "}".
void substitute(std::string_view inside, std::size_t offset, const environment& env,
                expansion& out) {
  const auto colon = inside.find(":-");
  const auto name = std::string(inside.substr(0, colon));
  out.used = true;
  if (!valid_variable(name)) {
    out.faults.push_back({offset,
                          "`${` without a variable's name, expected ${NAME} or "
                          "${NAME:-default}, or `$$` for a dollar"});
    return;
  }
  const auto value = env ? env(name) : std::nullopt;
  if (value && (!value->empty() || colon == inside.npos)) {
    out.text += *value;
  } else if (colon != inside.npos) {
    out.text += inside.substr(colon + 2);
  } else {
    out.faults.push_back({offset, "the environment variable " + name +
                                      " is not set, expected it, or a default: ${" + name +
                                      ":-default}"});
  }
}

}  // namespace

expansion expand(std::string_view text, const environment& env) {
  expansion out;
  for (std::size_t i = 0; i < text.size();) {
    const auto rest = text.substr(i);
    if (rest.starts_with("$$")) {
      out.text += '$';
      i += 2;
    } else if (rest.starts_with("${")) {
      const auto close = rest.find('}');
      if (close == rest.npos) {
        out.faults.push_back({i,
                              "`${` without its `}`, expected ${NAME} or ${NAME:-default}, or "
                              "`$$` for a dollar"});
        return out;
      }
      substitute(rest.substr(2, close - 2), i, env, out);
      i += close + 1;
    } else {
      out.text += rest.front();
      ++i;
    }
  }
  return out;
}

}  // namespace weir::config
