#include "app/simulate.hpp"

#include <cstdio>
#include <fstream>

#include "sim/report.hpp"

namespace weir::app {
namespace {

bool write(const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (out.good()) return true;
  std::fprintf(stderr, "weir: %s cannot be written\n", file.c_str());
  return false;
}

}  // namespace

int simulate(const simulate_options& o) {
  const sim::setup s = sim::prepare(o.what);
  if (!s.ok()) {
    std::fputs(s.mistakes.c_str(), stderr);
    return 1;
  }
  const auto standings = sim::compete(s.run);
  const auto show = o.json ? sim::json_of : sim::table_of;
  std::fputs(show(s.title, s.facts, standings).c_str(), stdout);
  if (o.plot.empty()) return 0;
  return write(o.plot, sim::svg_of(s.title, s.facts, standings)) ? 0 : 1;
}

}  // namespace weir::app
