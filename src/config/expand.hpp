// ${NAME} and ${NAME:-default} in scalar values, from the environment handed in; `$$` is a literal
// dollar, a lone `$` stands for itself, and what was put in is not expanded again. Called while the
// document is read, after YAML, so that a variable's content can never change the structure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

// A variable's value, or nothing when it is not set.
using environment = std::function<std::optional<std::string>(const std::string& name)>;

struct expansion {
  struct fault {
    std::size_t offset;   // of the `$` in the text given
    std::string message;  // what is wrong and what was expected; holds no variable's value
  };
  std::string text;
  bool used = false;  // a variable was named
  std::vector<fault> faults;
};

// As a shell does, `:-` also stands in for a variable that is set but empty.
expansion expand(std::string_view text, const environment& env);

}  // namespace weir::config
