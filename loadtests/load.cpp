// The load generator: loads 127.0.0.1:PORT in one of the ways of modes.hpp and prints what came of
// it as one line of JSON. Exits with 1 when any request failed, with 2 when it could not run.
#include <cstdio>
#include <memory>

#include "modes.hpp"

namespace weir::load {
namespace {

std::unique_ptr<mode> choose(crowd& c, const settings& s) {
  if (s.mode == "closed" || s.mode == "connect" || s.mode == "bulk")
    return std::make_unique<closed_mode>(c, s);
  if (s.mode == "open") return std::make_unique<open_mode>(c, s);
  if (s.mode == "idle" || s.mode == "hold") return std::make_unique<idle_mode>(c, s);
  return nullptr;
}

void print_latency(const histogram& h) {
  const auto us = [&](double q) { return static_cast<double>(h.quantile(q)) / 1e3; };
  std::printf("\"latency_us\": {\"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, "
              "\"p999\": %.1f, \"max\": %.1f, \"count\": %lu}, ",
              h.mean() / 1e3, us(0.5), us(0.9), us(0.99), us(0.999),
              static_cast<double>(h.most()) / 1e3, h.count());
}

void print_errors(const tally& t) {
  std::printf("\"errors\": {");
  const char* before = "";
  for (std::size_t i = 0; i < static_cast<std::size_t>(trouble::count); i++) {
    if (t.errors[i] == 0) continue;
    std::printf("%s\"%s\": %lu", before, trouble_names[i], t.errors[i]);
    before = ", ";
  }
  std::printf("}, ");
}

void print(const tally& t, nanos started) {
  const double seconds = static_cast<double>(t.last_answer - started) / 1e9;
  const double rate = seconds > 0 ? static_cast<double>(t.requests) / seconds : 0;
  std::printf("{\"requests\": %lu, \"connections\": %lu, ", t.requests, t.opened);
  print_errors(t);
  std::printf("\"seconds\": %.6f, \"rate\": %.1f, ", seconds, rate);
  print_latency(t.latency);
  std::printf("\"sent\": %lu, \"received\": %lu}\n", t.sent, t.received);
}

int run(const settings& s) {
  raise_descriptor_limit();
  crowd c(s);
  const std::unique_ptr<mode> m = choose(c, s);
  if (!m) {
    std::fprintf(stderr, "no such mode: %s\n", s.mode.c_str());
    return 2;
  }
  c.run(*m);
  print(c.counted(), c.started());
  const bool idle = c.counted().requests == 0 && s.mode != "hold";
  return c.counted().failures() > 0 || idle ? 1 : 0;
}

}  // namespace
}  // namespace weir::load

int main(int count, char** words) {
  return weir::load::run(weir::load::read_command_line(count, words));
}
