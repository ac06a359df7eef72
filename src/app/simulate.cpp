#include "app/simulate.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "sim/report.hpp"
#include "sim/scaling_plot.hpp"

namespace weir::app {
namespace {

bool write(const std::string& file, const std::string& text) {
  errno = 0;
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (out.good()) return true;
  std::fprintf(stderr, "weir: %s cannot be written: %s\n", file.c_str(), std::strerror(errno));
  return false;
}

int scale(const simulate_options& o, const sim::setup& s) {
  const auto judged = sim::compare_scaling(s.run.load, s.scaling->trial, s.scaling->contenders);
  std::fputs((o.json ? sim::json_of(judged) : sim::table_of(judged)).c_str(), stdout);
  if (o.plot.empty()) return 0;
  return write(o.plot, sim::svg_of(judged)) ? 0 : 1;
}

}  // namespace

int simulate(const simulate_options& o) {
  const sim::setup s = sim::prepare(o.what);
  if (!s.ok()) {
    std::fputs(s.mistakes.c_str(), stderr);
    return 1;
  }
  if (s.scaling) return scale(o, s);
  const auto standings = sim::compete(s.run);
  const std::string shown = o.json ? sim::json_of(s.title, s.facts, standings)
                                   : sim::table_of(s.title, s.facts, standings);
  std::fputs(shown.c_str(), stdout);
  if (o.plot.empty()) return 0;
  return write(o.plot, sim::svg_of(s.title, s.facts, standings)) ? 0 : 1;
}

}  // namespace weir::app
