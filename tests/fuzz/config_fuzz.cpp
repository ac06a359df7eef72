// Any text at all as a configuration file: never a crash, an exception or a hang; what is told has
// a place within the text; and what is accepted can be dumped, summed up and compared with itself.
// Files that keys name hold what the fuzzer wrote, so that their checks are fuzzed too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/check.hpp"
#include "config/diff.hpp"
#include "config/dump.hpp"
#include "config/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto variable = [](const std::string& name) -> std::optional<std::string> {
    return name.size() % 2 ? std::optional<std::string>("4") : std::nullopt;
  };
  const auto file = [&](const std::string& path) -> base::result<std::string> {
    if (path == "token") return std::string("a-token\n");
    if (path == "pem") return std::string("-----BEGIN CERTIFICATE-----\n");
    return "whsec_" + text;
  };
  const auto got = config::read(text, "fuzz", variable, file);
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 2;
  for (const auto& m : got.mistakes) {
    WEIR_CHECK(m.at.line >= 1 && m.at.line <= lines && m.at.column >= 1);
    WEIR_CHECK(!m.message.empty() && m.message.find('\n') == m.message.npos);
  }
  if (!got.ok()) return 0;
  WEIR_CHECK(!config::dump_json(got.settings).empty());
  WEIR_CHECK(!config::summary(got.settings).empty());
  WEIR_CHECK(config::diff(got.settings, got.settings).empty());
  return 0;
}
