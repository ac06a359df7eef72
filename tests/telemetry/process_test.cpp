// collect_process (src/telemetry/process.cpp) against what the system says by other ways.
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <vector>

#include "telemetry/metrics.hpp"

using namespace weir::telemetry;

namespace {

// What a collector said, by name.
struct heard final : sink {
  std::map<std::string, double, std::less<>> gauges, counters;
  void gauge(metric_name name, const labels& l, double value) override {
    CHECK(l.empty());
    CHECK_FALSE(name.help.empty());
    CHECK(gauges.emplace(name.name, value).second);
  }
  void counter(metric_name name, const labels& l, double value) override {
    CHECK(l.empty());
    CHECK(name.name.ends_with("_total"));
    CHECK(counters.emplace(name.name, value).second);
  }
};

heard collected() {
  heard h;
  collect_process(h);
  return h;
}

}  // namespace

TEST_CASE("process metrics have the names that all Prometheus clients use") {
  const heard now = collected();
  CHECK(now.counters.size() == 1);
  CHECK(now.counters.count("process_cpu_seconds_total") == 1);
  CHECK(now.gauges.size() == 5);
  for (const char* name : {"process_open_fds", "process_max_fds", "process_virtual_memory_bytes",
                           "process_resident_memory_bytes", "process_start_time_seconds"}) {
    CAPTURE(name);
    CHECK(now.gauges.count(name) == 1);
  }
}

TEST_CASE("CPU time grows with work and never falls") {
  const double before = collected().counters.at("process_cpu_seconds_total");
  double after = before;
  volatile unsigned work = 0;
  while (after <= before) {
    for (unsigned i = 0; i < 1000000; ++i) work = work + i;
    const double now = collected().counters.at("process_cpu_seconds_total");
    REQUIRE(now >= after);
    after = now;
  }
  CHECK(after > before);
}

TEST_CASE("resident memory grows by what is touched") {
  const double before = collected().gauges.at("process_resident_memory_bytes");
  const std::vector<char> touched(64 << 20, 'x');
  const double after = collected().gauges.at("process_resident_memory_bytes");
  CHECK(touched[1] == 'x');
  CHECK(after > before + (32 << 20));
  CHECK(collected().gauges.at("process_virtual_memory_bytes") >= after);
}

TEST_CASE("open descriptors are counted without the one that counts them") {
  const double before = collected().gauges.at("process_open_fds");
  CHECK(before >= 3);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  CHECK(collected().gauges.at("process_open_fds") == before + 2);
  ::close(ends[0]), ::close(ends[1]);
  CHECK(collected().gauges.at("process_open_fds") == before);
}

TEST_CASE("the descriptor limit is the soft one") {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(collected().gauges.at("process_max_fds") == static_cast<double>(limit.rlim_cur));
}

TEST_CASE("the start time is a time on the wall clock and does not move") {
  const double started = collected().gauges.at("process_start_time_seconds");
  const auto wall =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  // The kernel's ticks are coarse, and in a container the boot time may be another machine's.
  CHECK(started > 1e9);
  CHECK(started < wall + 86400);
  CHECK(collected().gauges.at("process_start_time_seconds") == started);
}
