// Reports of load as workers send them, rightly and wrongly.
#include "http/load_report.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace weir::http {

TEST_CASE("a load report gives one utilization") {
  struct row {
    std::string_view text;
    double expected;
  };
  const row rows[] = {
      {"TEXT cpu_utilization=0.3", 0.3},
      {"TEXT cpu_utilization=0.3,mem_utilization=0.8", 0.8},
      {"  TEXT   cpu_utilization = 0.3 ,\tmem_utilization=0.2, ", 0.3},
      {"TEXT cpu_utilization=0.9,application_utilization=0.4,mem_utilization=1", 0.4},
      {"TEXT application_utilization=0,cpu_utilization=0.6", 0.6},
      {"TEXT cpu_utilization=0", load_utilization_least},
      {"TEXT application_utilization=0", load_utilization_least},
      {"TEXT cpu_utilization=1.7", 1.7},
      {"TEXT cpu_utilization=3e-1", 0.3},
      {"TEXT cpu_utilization=0.3, rps_fractional=10.0, eps=1, named_metrics.a=x", 0.3},
      {"TEXT named_metrics.kv_cache=0.5", 0},
      {"JSON {\"cpu_utilization\": 0.3, \"mem_utilization\": 0.8}", 0.8},
      {"JSON {\"cpuUtilization\":0.5,\"requestCost\":{\"a\":[1,{}]}}", 0.5},
      {"JSON {\"application_utilization\": 1}", 1},
      {"JSON {}", 0},
      {"BIN CZqZmZmZmbk/", 0},
  };
  for (const row& r : rows) {
    CAPTURE(r.text);
    const load_report got = parse_load_report(r.text);
    CHECK_FALSE(got.bad);
    CHECK(got.utilization == Approx(r.expected));
  }
}

TEST_CASE("a load report that makes no sense is left out and said to be bad") {
  const std::string_view rows[] = {
      "",
      "cpu_utilization=0.3",
      "TEXT",
      "text cpu_utilization=0.3",
      "TEXT cpu_utilization",
      "TEXT cpu_utilization=",
      "TEXT cpu_utilization=-0.1",
      "TEXT cpu_utilization=nan",
      "TEXT cpu_utilization=inf",
      "TEXT cpu_utilization=-inf",
      "TEXT cpu_utilization=1e999",
      "TEXT cpu_utilization=95",
      "TEXT mem_utilization=1.01",
      "TEXT cpu_utilization=0.3x",
      "TEXT cpu_utilization=0x1p-2",
      "TEXT cpu_utilization=+0.3",
      "TEXT cpu_utilization=30%",
      "TEXT cpu_utilization=0.3,cpu_utilization=0.3",
      "TEXT cpu_utilization=0.3,,mem_utilization=0.1",
      "TEXT cpu_utilization=0.3;mem_utilization=0.1",
      "JSON ",
      "JSON [0.3]",
      "JSON {\"cpu_utilization\": \"0.3\"}",
      "JSON {\"cpu_utilization\": null}",
      "JSON {\"cpu_utilization\": -1}",
      "JSON {\"cpu_utilization\": 1e400}",
      "JSON {\"cpu_utilization\": NaN}",
      "JSON {\"cpu_utilization\": 0.3",
      "JSON {\"cpu_utilization\": 0.3, \"cpuUtilization\": 0.3}",
  };
  for (const std::string_view text : rows) {
    CAPTURE(text);
    const load_report got = parse_load_report(text);
    CHECK(got.bad);
    CHECK(got.utilization == 0);
  }
}

TEST_CASE("a load report is read up to its limit and no further") {
  std::string text = "TEXT cpu_utilization=0.3,";
  text.append(load_report_max - text.size(), ' ');
  CHECK(parse_load_report(text).utilization == Approx(0.3));
  const std::string longer = "TEXT cpu_utilization=0.3," + std::string(load_report_max, 'a') + "=1";
  CHECK(parse_load_report(longer).bad);
  const std::string deep = "JSON " + std::string(1000, '[');
  CHECK(parse_load_report(deep).bad);
}

}  // namespace weir::http
