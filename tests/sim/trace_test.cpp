#include "sim/trace.hpp"

#include <catch2/catch.hpp>

#include "scratch.hpp"

using namespace weir::sim;

namespace {

// Columns `t` and `w`: the time, and the work as it is.
trace_format plain() {
  trace_format f;
  f.time = "t";
  f.work = {{"w", 1}};
  return f;
}

trace_format numbered() {
  trace_format f = plain();
  f.header = false;
  f.time = "1";
  f.work = {{"2", 1}};
  return f;
}

std::string first_error(const trace& t) {
  if (t.good()) return "";
  return std::to_string(t.errors[0].line) + ": " + t.errors[0].what;
}

}  // namespace

// --- tables -------------------------------------------------------------------------------------

TEST_CASE("columns are found by the header's names, wherever they stand") {
  const trace t = read_table("x,w,t\n9,0.5,10\n9,2,11.25\n", plain());
  REQUIRE(first_error(t) == "");
  REQUIRE(t.load.arrivals.size() == 2);
  CHECK(t.load.arrivals[0].at == 10);
  CHECK(t.load.arrivals[0].work == 0.5);
  CHECK(t.load.arrivals[0].units == 0);     // nothing is declared unless told
  CHECK(t.load.arrivals[1].at == 11.25);
  CHECK(t.load.arrivals[1].work == 2);
  CHECK(t.load.routes == std::vector<std::string>{"batches"});
  CHECK(t.load.tenants == std::vector<std::string>{""});
}

TEST_CASE("without a header columns have numbers from 1") {
  const trace t = read_table("10,0.5\n11,2\n", numbered());
  REQUIRE(first_error(t) == "");
  REQUIRE(t.load.arrivals.size() == 2);
  CHECK(t.load.arrivals[1].work == 2);
}

TEST_CASE("a column of a table with a header may be a number too") {
  trace_format f = plain();
  f.work = {{"3", 1}};
  const trace t = read_table("t,w,v\n1,2,3\n", f);
  REQUIRE(first_error(t) == "");
  CHECK(t.load.arrivals[0].work == 3);
}

TEST_CASE("work is the constant and the terms, clipped") {
  struct row {
    const char* fields;
    double work;
  };
  trace_format f;
  f.separator = '\t';
  f.header = false;
  f.time = "1";
  f.work_constant = 1;
  f.work = {{"2", 0.5}, {"3", 2}};
  f.work_min = 2;
  f.work_max = 100;
  f.units = {{"2", 1}, {"3", 10}};
  for (const row& r : std::vector<row>{{"0\t4\t1", 5}, {"0\t0\t0", 2}, {"0\t1000\t1", 100}}) {
    INFO(r.fields);
    const trace t = read_table(r.fields, f);
    REQUIRE(first_error(t) == "");
    CHECK(t.load.arrivals[0].work == r.work);
  }
  CHECK(read_table("0\t4\t1", f).load.arrivals[0].units == 14);
}

TEST_CASE("rows come out in order of time, equal ones as they stood") {
  const trace t = read_table("t,w\n3,1\n1,2\n2,3\n1,4\n", plain());
  std::vector<double> works;
  for (const arrival& a : t.load.arrivals) works.push_back(a.work);
  CHECK(works == std::vector<double>{2, 4, 3, 1});
}

TEST_CASE("numbers are times as they are, unless the first is to be zero") {
  trace_format f = plain();
  CHECK(read_table("t,w\n7,1\n9,1\n", f).load.arrivals[0].at == 7);
  f.from_first = true;
  const trace t = read_table("t,w\n9,1\n7,1\n", f);
  CHECK(t.load.arrivals[0].at == 0);
  CHECK(t.load.arrivals[1].at == 2);
}

TEST_CASE("dates count from the earliest of them") {
  struct row {
    const char *first, *second;
    double apart;
  };
  const std::vector<row> rows{
      {"2023-11-16 18:17:03.9799600", "2023-11-16 18:17:04.0319600", 0.052},
      {"2023-11-16T18:17:03Z", "2023-11-16T18:18:03Z", 60},
      {"2024-02-28T23:59:59Z", "2024-02-29T00:00:00Z", 1},
      {"2024-12-31 23:59:59", "2025-01-01 00:00:01.5", 2.5},
      {"2026-06-01T12:00:00+02:00", "2026-06-01T10:00:30Z", 30},
      {"2026-06-01T12:00:00-01:30", "2026-06-01T13:30:01+00:00", 1},
  };
  for (const row& r : rows) {
    INFO(r.first);
    const trace t =
        read_table(std::string("t,w\n") + r.first + ",1\n" + r.second + ",2\n", plain());
    REQUIRE(first_error(t) == "");
    CHECK(t.load.arrivals[0].at == 0);
    CHECK(t.load.arrivals[1].at == Approx(r.apart).margin(1e-9));
    CHECK(t.load.arrivals[1].work == 2);
  }
}

TEST_CASE("fields may be quoted, and hold separators and quotes then") {
  trace_format f = plain();
  f.tenant = "who";
  const trace t = read_table("t,who,w\r\n1,\"a, \"\"b\"\"\",\"2\"\r\n2,c,3\r\n", f);
  REQUIRE(first_error(t) == "");
  CHECK(t.load.tenants == std::vector<std::string>{"a, \"b\"", "c"});
  CHECK(t.load.arrivals[0].tenant == 0);
  CHECK(t.load.arrivals[0].work == 2);
  CHECK(t.load.arrivals[1].tenant == 1);
}

TEST_CASE("tenants and routes are numbered as they come") {
  trace_format f = plain();
  f.tenant = "who";
  f.route = "what";
  const trace t = read_table("t,w,who,what\n1,1,a,x\n2,1,b,y\n3,1,a,y\n4,1,,x\n", f);
  REQUIRE(first_error(t) == "");
  CHECK(t.load.routes == std::vector<std::string>{"x", "y"});
  CHECK(t.load.tenants == std::vector<std::string>{"a", "b", ""});
  std::vector<std::uint32_t> tenants, routes;
  for (const arrival& a : t.load.arrivals) tenants.push_back(a.tenant), routes.push_back(a.route);
  CHECK(tenants == std::vector<std::uint32_t>{0, 1, 0, 2});
  CHECK(routes == std::vector<std::uint32_t>{0, 1, 1, 0});
}

TEST_CASE("each mistake in a table is told with its line") {
  struct row {
    const char *text, *error;
  };
  const std::vector<row> rows{
      {"x,w\n1,1\n", "1: no column `t`, expected one of x, w"},
      {"t,w\n1,1\nsoon,1\n", "3: `soon` is no time, expected seconds or a date and time"},
      {"t,w\n1,a-field-that-never-ends-0123456789-0123456789-0123456789\n",
       "2: `a-field-that-never-ends-0123456789-01234...` is no number"},
      {"t,w\n1,much\n", "2: `much` is no number"},
      {"t,w\n1\n", "2: has 1 columns, expected at least 2"},
      {"t,w\n\n\n1,nan\n", "4: `nan` is no number"},       // empty lines count
      {"t,w\n1,inf\n", "2: `inf` is no number"},
      {"t,w\n1,-1\n", "2: its work is below 0"},
      {"t,w\n9999-01-16 18:17:03,1\n", "2: `9999-01-16 18:17:03` is no time, expected seconds or a "
                                       "date and time"},
      {"t,w\n2023-13-16 18:17:03,1\n", "2: `2023-13-16 18:17:03` is no time, expected seconds or a "
                                       "date and time"},
      {"t,w\n2023-11-16 25:17:03,1\n", "2: `2023-11-16 25:17:03` is no time, expected seconds or a "
                                       "date and time"},
      {"t,w\n2023-11-16 18:17:03+2,1\n", "2: `2023-11-16 18:17:03+2` is no time, expected seconds "
                                         "or a date and time"},
      {"t,w\n2023-11-16 18:17:03+99:99,1\n", "2: `2023-11-16 18:17:03+99:99` is no time, expected "
                                             "seconds or a date and time"},
  };
  trace_format f = plain();
  f.work_min = -5;
  for (const row& r : rows) {
    INFO(r.text);
    CHECK(first_error(read_table(r.text, f)) == r.error);
  }
}

TEST_CASE("times of another century are told, and how to begin at the first") {
  const std::string text = "t,w\n1700000000,1\n1700000007,1\n";
  trace_format f = plain();
  CHECK_THAT(first_error(read_table(text, f)),
             Catch::Contains("0: its last batch comes later than 366 days after the start") &&
                 Catch::Contains("`from_first: true`"));
  f.from_first = true;
  CHECK(read_table(text, f).good());
}

TEST_CASE("work below nothing is a mistake, unless a least one is asked for") {
  trace_format f = plain();
  CHECK(first_error(read_table("t,w\n1,-1\n", f)) == "2: its work is below 0");
  f.work_min = 0.5;
  CHECK(read_table("t,w\n1,-1\n", f).load.arrivals.at(0).work == 0.5);
}

TEST_CASE("a byte order mark is no part of the first column's name") {
  CHECK(read_table("\xEF\xBB\xBFt,w\n1,1\n", plain()).load.arrivals.size() == 1);
}

TEST_CASE("a column that no number and no header tells is one mistake, not one a row") {
  trace_format f = numbered();
  f.time = "when";
  const trace t = read_table("1,2\n3,4\n5,6\n", f);
  REQUIRE(t.errors.size() == 1);
  CHECK(first_error(t) == "1: no column `when`, expected a number from 1");
  CHECK(t.load.arrivals.empty());
}

TEST_CASE("good rows are read beside bad ones, and mistakes are kept up to a limit") {
  std::string text = "t,w\n";
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + (i % 2 == 0 ? ",1\n" : ",x\n");
  const trace t = read_table(text, plain());
  CHECK(t.errors.size() == trace::errors_max);
  CHECK(t.load.arrivals.size() == 50);
}

TEST_CASE("an empty table is an empty workload") {
  for (const char* text : {"", "\n\n", "t,w\n", "t,w"}) {
    const trace t = read_table(text, plain());
    CHECK(t.good());
    CHECK(t.load.arrivals.empty());
  }
}

// --- the access log -----------------------------------------------------------------------------

TEST_CASE("the access log tells when batches came and what they took") {
  const char* text =
      R"({"time":"2026-01-31T23:59:58.500Z","outcome":"ok","request_bytes":1000,"route":"orders",)"
      R"("pool":"loaders","tenant":"a","group":"g","cost":12.5,"worker":"w1","attempts":2,)"
      R"("accept_ms":500.0,"queue_ms":1000.0,"attempt_ms":1500.25,"total_ms":3500.0})"
      "\n"
      R"({"time":"2026-02-01T00:00:00.000Z","outcome":"ok","request_bytes":0,"route":"lines",)"
      R"("pool":"loaders","worker":"w2","accept_ms":0.0,"queue_ms":0.0,"total_ms":250.5})"
      "\n";
  const trace t = read_access_log(text);
  REQUIRE(first_error(t) == "");
  REQUIRE(t.load.arrivals.size() == 2);
  CHECK(t.load.arrivals[0].at == 0);
  CHECK(t.load.arrivals[0].work == Approx(1.50025));   // the attempt that came to an end
  CHECK(t.load.arrivals[0].units == 12.5);
  CHECK(t.load.groups == std::vector<std::string>{"", "g"});
  CHECK((t.load.arrivals[0].group == 1 && t.load.arrivals[1].group == 0));
  CHECK(t.load.arrivals[1].units == 0);   // bytes are not what it declared
  CHECK(t.load.arrivals[1].at == Approx(1));   // the first one's head took half a second
  CHECK(t.load.arrivals[1].work == Approx(0.2505));
  CHECK(t.load.routes == std::vector<std::string>{"orders", "lines"});
  CHECK(t.load.tenants == std::vector<std::string>{"a", ""});
  CHECK(t.load.arrivals[0].tenant == 0);
  CHECK(t.load.arrivals[1].tenant == 1);
}

TEST_CASE("lines of batches that no worker finished are skipped and counted") {
  const std::string head = R"({"time":"2026-01-31T23:59:58.500Z","route":"r","pool":"p",)";
  const std::string text = head + R"("outcome":"ok","worker":"w","total_ms":10.0})" + "\n" +
                           head + R"("outcome":"refused"})" + "\n" +
                           head + R"("outcome":"accepted"})" + "\n" +
                           head + R"("outcome":"failed","worker":"w","total_ms":10.0})" + "\n" +
                           head + R"("outcome":"ok","total_ms":1.0})" + "\n";
  const trace t = read_access_log(text);
  CHECK(t.good());
  CHECK(t.load.arrivals.size() == 1);
  CHECK(t.skipped == 4);
}

TEST_CASE("one pool's lines may be asked for") {
  const std::string rest =
      R"(","outcome":"ok","worker":"w","total_ms":10.0,"time":"2026-01-31T23:59:58Z"})";
  const std::string text = R"({"pool":"a)" + rest + "\n" + R"({"pool":"b)" + rest + "\n";
  CHECK(read_access_log(text, "b").load.arrivals.size() == 1);
  CHECK(read_access_log(text, "b").skipped == 1);
  CHECK(read_access_log(text, "c").load.arrivals.empty());
  CHECK(read_access_log(text).load.arrivals.size() == 2);
  CHECK(read_access_log(text, "c").pools == std::vector<std::string>{"a", "b"});
}

TEST_CASE("each mistake in an access log is told with its line") {
  struct row {
    const char *text, *error;
  };
  const std::vector<row> rows{
      {"{\n", "1: is no JSON object"},
      {"\n[1]\n", "2: is no JSON object"},
      {R"({"outcome":"ok","worker":"w","total_ms":1})", "1: has no `time` that is a date and time"},
      {R"({"outcome":"ok","worker":"w","total_ms":1,"time":"now"})",
       "1: has no `time` that is a date and time"},
      {R"({"outcome":"ok","worker":"w","time":"2026-01-31T23:59:58Z","attempt_ms":"5"})",
       "1: its `attempt_ms` is not within 0 and 10 days"},
      {R"({"outcome":"ok","worker":"w","time":"2026-01-31T23:59:58Z","attempt_ms":-5})",
       "1: its `attempt_ms` is not within 0 and 10 days"},
      {R"({"outcome":"ok","worker":"w","time":"2026-01-31T23:59:58Z","total_ms":1e308})",
       "1: its `total_ms` is not within 0 and 10 days"},
      {R"({"outcome":"ok","worker":"w","time":"2026-01-31T23:59:58Z"})",
       "1: has neither `attempt_ms` nor `total_ms`"},
      {R"({"outcome":"ok","worker":"w","time":"9999-01-31T23:59:58Z","total_ms":1})",
       "1: has no `time` that is a date and time"},
  };
  for (const row& r : rows) {
    INFO(r.text);
    CHECK(first_error(read_access_log(r.text)) == r.error);
  }
}

// --- files and sums -----------------------------------------------------------------------------

TEST_CASE("a file that cannot be read is an error of no line") {
  const trace t = read_table_file("/nowhere/there.csv", plain());
  REQUIRE_FALSE(t.good());
  CHECK(first_error(t) == "0: cannot read /nowhere/there.csv");
  CHECK_FALSE(read_access_log_file("/nowhere/there.log").good());
  const weir::test::scratch_folder folder;
  CHECK_FALSE(read_table_file(folder.path(""), plain()).good());
}

TEST_CASE("a file is read as its text would be") {
  const weir::test::scratch_folder folder;
  CHECK(read_table_file(folder.write("a.csv", "t,w\n1,2\n"), plain()).load.arrivals.size() == 1);
  CHECK(read_table_file(folder.write("b.csv", ""), plain()).good());
  const std::string line =
      R"({"time":"2026-01-31T23:59:58Z","outcome":"ok","worker":"w","total_ms":1.0})";
  CHECK(read_access_log_file(folder.write("a.log", line)).load.arrivals.size() == 1);
}

TEST_CASE("two workloads become one, in order, with their names joined") {
  workload a, b;
  a.tenants = {"", "x"}, b.tenants = {"", "y", "x"};
  a.routes = {"r"}, b.routes = {"s", "r"};
  a.arrivals = {{.at = 1, .work = 1, .units = 0, .tenant = 1, .route = 0},
                {.at = 3, .work = 3, .units = 0, .tenant = 0, .route = 0}};
  b.arrivals = {{.at = 2, .work = 2, .units = 0, .tenant = 2, .route = 1},
                {.at = 3, .work = 4, .units = 0, .tenant = 1, .route = 0}};
  const workload both = merge(a, b);
  CHECK(both.tenants == std::vector<std::string>{"", "x", "y"});
  CHECK(both.routes == std::vector<std::string>{"r", "s"});
  std::vector<double> works;
  for (const arrival& x : both.arrivals) works.push_back(x.work);
  CHECK(works == std::vector<double>{1, 2, 3, 4});
  CHECK(both.arrivals[1].tenant == 1);
  CHECK(both.arrivals[1].route == 0);
  CHECK(both.arrivals[3].tenant == 2);
  CHECK(both.arrivals[3].route == 1);
}
