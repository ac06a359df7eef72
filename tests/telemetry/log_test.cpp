#include "telemetry/log.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "parse_json.hpp"

using namespace weir;
using namespace weir::telemetry;

namespace {

// Collects lines; the sink calls it under its own lock.
struct collected {
  std::vector<std::string> lines;
  explicit collected(bool as_json = true, level least = level::info, std::uint32_t burst = 20) {
    configure_log({as_json, least, burst,
                   [this](std::string_view line) { lines.emplace_back(line); }});
  }
  ~collected() { configure_log({}); }
};

std::string plain(const field& f) {
  std::string out;
  f.append_plain(out);
  return out;
}

std::string json(const field& f) {
  std::string out;
  f.append_json(out);
  return out;
}

}  // namespace

TEST_CASE("a logged line is JSON with time, level, message and its fields") {
  const collected all;
  log(level::warning, "worker went down",
      {{"pool", "p\"1"}, {"slots", 4u}, {"rate", 0.5}, {"managed", true}, {"delta", -3}});
  REQUIRE(all.lines.size() == 1);
  const auto line = parse_flat_json(all.lines[0]);
  CHECK(line.at("level") == "warning");
  CHECK(line.at("message") == "worker went down");
  CHECK(line.at("pool") == "p\"1");
  CHECK(line.at("slots") == "4");
  CHECK(line.at("rate") == "5E-1");
  CHECK(line.at("managed") == "true");
  CHECK(line.at("delta") == "-3");
  CHECK(line.at("time").size() == 24);
  CHECK(line.at("time").back() == 'Z');
}

TEST_CASE("fields that hold no text are left out, and numbers are not longer than they are exact") {
  for (const bool json : {true, false}) {
    const collected all(json, level::debug, 20);
    log(level::info, "m", {{"pool", ""}, {"worker", "w1"}, {"detail", std::string()},
                           {"seconds", 60.00000000000001}, {"none", 0}});
    REQUIRE(all.lines.size() == 1);
    for (const char* left_out : {"pool", "detail", "000"}) {
      INFO(all.lines[0]);
      CHECK(all.lines[0].find(left_out, 30) == std::string::npos);
    }
    for (const char* there : {"worker", "seconds", "60", "none"})
      CHECK(all.lines[0].find(there) != std::string::npos);
  }
}

TEST_CASE("a plain line holds the message and key=value pairs, quoted where needed") {
  const collected all(false, level::debug, 20);
  log(level::info, "listening", {{"address", "127.0.0.1:8080"}, {"name", "front door"}});
  REQUIRE(all.lines.size() == 1);
  CHECK(all.lines[0].substr(24) ==
        R"( info    listening address=127.0.0.1:8080 name="front door")");
}

TEST_CASE("fields print by their kind") {
  const std::string owned = "text";
  struct row {
    field f;
    const char *json, *plain;
  };
  const row rows[] = {
      {{"k", "word"}, "\"word\"", "word"},
      {{"k", ""}, "\"\"", "\"\""},
      {{"k", "two words"}, "\"two words\"", "\"two words\""},
      {{"k", "a=b"}, "\"a=b\"", "\"a=b\""},
      {{"k", "line\nbreak"}, "\"line\\nbreak\"", "\"line\\nbreak\""},
      {{"k", "\xff"}, "\"\\ufffd\"", "\"\\ufffd\""},
      {{"k", owned}, "\"text\"", "text"},
      {{"k", 12}, "12", "12"},
      {{"k", std::numeric_limits<std::int64_t>::min()}, "-9223372036854775808",
       "-9223372036854775808"},
      {{"k", false}, "false", "false"},
      {{"k", 2.25}, "2.25", "2.25"},
      {{"k", std::nan("")}, "null", "null"},
      {{"k", HUGE_VAL}, "null", "null"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.json);
    CHECK(json(r.f) == r.json);
    CHECK(plain(r.f) == r.plain);
  }
}

TEST_CASE("lines below the least level are left out") {
  const collected all(true, level::warning, 20);
  log(level::debug, "a");
  log(level::info, "b");
  log(level::warning, "c");
  log(level::error, "d");
  REQUIRE(all.lines.size() == 2);
  CHECK(parse_flat_json(all.lines[0]).at("message") == "c");
  CHECK(parse_flat_json(all.lines[1]).at("level") == "error");
}

TEST_CASE("a message that repeats is let through up to its burst, others are not held back") {
  const collected all(true, level::info, 3);
  for (int i = 0; i < 10; ++i) log(level::error, "again", {{"i", i}});
  log(level::error, "another");
  CHECK(all.lines.size() == 4);
  CHECK(log_suppressed() == 7);
}

TEST_CASE("a burst of zero lets everything through") {
  const collected all(true, level::info, 0);
  for (int i = 0; i < 100; ++i) log(level::error, "again");
  CHECK(all.lines.size() == 100);
  CHECK(log_suppressed() == 0);
}

TEST_CASE("threads that log at once each get whole lines") {
  const collected all(true, level::info, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (int i = 0; i < 200; ++i) log(level::info, "line", {{"thread", t}, {"i", i}});
    });
  for (auto& t : threads) t.join();
  REQUIRE(all.lines.size() == 800);
  for (const auto& line : all.lines) parse_flat_json(line);
}

TEST_CASE("every level has its own word") {
  CHECK(name(level::debug) == "debug");
  CHECK(name(level::info) == "info");
  CHECK(name(level::warning) == "warning");
  CHECK(name(level::error) == "error");
}
