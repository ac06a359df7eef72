#include "sim/scenario.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "config/files.hpp"
#include "config/reader.hpp"
#include "sim/spec_scenario.hpp"

namespace weir::sim {
namespace {

char character_of(separator s) noexcept {
  return s == separator::comma ? ',' : s == separator::tab ? '\t' : ';';
}

void find_beside(std::string& path, const std::filesystem::path& folder) {
  if (!path.empty()) path = (folder / path).lexically_normal().string();
}

}  // namespace

std::string scenario_outcome::text() const {
  return config::text_of(mistakes, file_name);
}

scenario_outcome read_scenario(const std::string& text, std::string file_name) {
  scenario_outcome out;
  out.file_name = std::move(file_name);
  out.mistakes = config::read_object(scenario_section(), &out.what, text,
                                     config::process_variable, config::load_file);
  const std::filesystem::path path(out.file_name);
  if (out.what.name.empty()) out.what.name = path.stem().string();
  find_beside(out.what.config, path.parent_path());
  for (trace_source& t : out.what.traces) {
    t.format.separator = character_of(t.separator);
    find_beside(t.file, path.parent_path());
  }
  return out;
}

scenario_outcome read_scenario_file(const std::string& file_name) {
  if (auto text = config::load_file(file_name)) {
    return read_scenario(*text, file_name);
  } else {
    scenario_outcome out;
    out.file_name = file_name;
    out.mistakes.push_back({{}, fmt::format("cannot be read ({})", text.error().message())});
    return out;
  }
}

}  // namespace weir::sim
