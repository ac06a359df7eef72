// collect_process: the numbers of /proc under the names that the Prometheus client libraries share
// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "telemetry/metrics.hpp"

namespace weir::telemetry {
namespace {

std::string whole(const char* path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The n-th field of /proc/self/stat, numbered from 1 as in proc(5), n > 2. The second one, the
// program's name, may hold blanks and brackets: counting starts after its last bracket.
std::optional<double> stat_field(const std::string& stat, unsigned n) {
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(stat.substr(name_end + 1));
  std::string word;
  for (unsigned i = 3; i <= n && rest >> word; ++i) {
  }
  double value = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

// Seconds since the epoch at which the machine came up.
std::optional<double> boot_time() {
  const std::string stat = whole("/proc/stat");
  const auto at = stat.find("\nbtime ");
  if (at == std::string::npos) return {};
  double value = 0;
  const auto parsed =
      std::from_chars(stat.data() + at + 7, stat.data() + stat.size(), value);
  return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

void collect_cpu(sink& to) {
  rusage use{};
  if (::getrusage(RUSAGE_SELF, &use) != 0) return;
  to.counter({"process_cpu_seconds_total", "Total user and system CPU time spent in seconds."}, {},
             seconds(use.ru_utime) + seconds(use.ru_stime));
}

void collect_files(sink& to) {
  std::error_code ec;
  double open = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", ec), end; !ec && it != end;
       it.increment(ec))
    ++open;
  // One of them was the directory itself.
  if (open > 0)
    to.gauge({"process_open_fds", "Number of open file descriptors."}, {}, open - 1);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    to.gauge({"process_max_fds", "Maximum number of open file descriptors."}, {},
             static_cast<double>(limit.rlim_cur));
}

void collect_stat(sink& to) {
  const std::string stat = whole("/proc/self/stat");
  if (const auto bytes = stat_field(stat, 23))
    to.gauge({"process_virtual_memory_bytes", "Virtual memory size in bytes."}, {}, *bytes);
  if (const auto pages = stat_field(stat, 24))
    to.gauge({"process_resident_memory_bytes", "Resident memory size in bytes."}, {},
             *pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  const auto ticks = stat_field(stat, 22);
  const auto boot = boot_time();
  if (ticks && boot)
    to.gauge({"process_start_time_seconds",
              "Start time of the process since unix epoch in seconds."},
             {}, *boot + *ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

}  // namespace

void collect_process(sink& to) {
  collect_cpu(to);
  collect_stat(to);
  collect_files(to);
}

}  // namespace weir::telemetry
