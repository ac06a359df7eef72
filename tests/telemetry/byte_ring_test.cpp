#include "telemetry/byte_ring.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "base/random.hpp"

using namespace weir;
using namespace weir::telemetry;

namespace {

bool push(byte_ring& ring, std::string_view line) {
  char* const at = ring.begin_line();
  if (!at) return false;
  std::memcpy(at, line.data(), line.size());
  ring.end_line(at + line.size());
  return true;
}

std::string peek(const byte_ring& ring) {
  const auto runs = ring.readable();
  return std::string(runs[0]) + std::string(runs[1]);
}

}  // namespace

TEST_CASE("a ring has room for two of its longest lines and is a power of two") {
  CHECK(byte_ring(0, 100).capacity() == 256);
  CHECK(byte_ring(300, 100).capacity() == 512);
  CHECK(byte_ring(512, 100).capacity() == 512);
}

TEST_CASE("what goes in comes out once, in order") {
  byte_ring ring(64, 16);
  CHECK(peek(ring).empty());
  CHECK(push(ring, "one\n"));
  CHECK(push(ring, "two\n"));
  CHECK(peek(ring) == "one\ntwo\n");
  ring.consume(2);
  CHECK(peek(ring) == "e\ntwo\n");
  ring.consume(6);
  CHECK(peek(ring).empty());
}

TEST_CASE("a line is refused when the longest one would not fit, and fits again after reading") {
  byte_ring ring(64, 16);
  const std::string line(16, 'x');
  for (int i = 0; i < 4; ++i) CHECK(push(ring, line));
  CHECK_FALSE(push(ring, "x"));
  ring.consume(15);
  CHECK_FALSE(push(ring, "x"));
  ring.consume(1);
  CHECK(push(ring, line));
  CHECK_FALSE(push(ring, "x"));
  CHECK(peek(ring) == std::string(64, 'x'));
}

TEST_CASE("lines that run over the end are whole again when read, for every offset") {
  for (std::size_t offset = 0; offset < 64; ++offset) {
    byte_ring ring(64, 16);
    for (std::size_t i = 0; i < offset; ++i) {
      REQUIRE(push(ring, "-"));
      ring.consume(1);
    }
    REQUIRE(push(ring, "0123456789abcdef"));
    REQUIRE(push(ring, "ghijkl"));
    CAPTURE(offset);
    CHECK(peek(ring) == "0123456789abcdefghijkl");
  }
}

TEST_CASE("two threads pass a long stream through a small ring unharmed") {
  byte_ring ring(256, 32);
  constexpr int lines = 20000;
  std::thread producer([&] {
    base::random random(5);
    for (int i = 0; i < lines;) {
      const std::string line =
          std::to_string(i) + std::string(random.below(20), 'p') + "\n";
      if (push(ring, line)) ++i;
    }
  });
  base::random random(6);
  std::string partial;
  int next = 0;
  bool right = true;
  while (next < lines) {
    const auto runs = ring.readable();
    if (runs[0].empty()) continue;
    const std::size_t n = 1 + random.below(static_cast<std::uint32_t>(runs[0].size()));
    partial.append(runs[0].substr(0, n));
    ring.consume(n);
    for (auto end = partial.find('\n'); end != std::string::npos; end = partial.find('\n')) {
      right = right && partial.substr(0, partial.find_first_of("p\n")) == std::to_string(next++);
      partial.erase(0, end + 1);
    }
  }
  producer.join();
  CHECK(right);
  CHECK(partial.empty());
}

TEST_CASE("a ring agrees with a plain string over random pushes and reads") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    base::random random(seed);
    byte_ring ring(256, 40);
    std::string model;
    char next = 0;
    for (int i = 0; i < 3000; ++i) {
      if (random.below(2) == 0) {
        const std::string line(1 + random.below(40), ++next);
        const bool fits = ring.capacity() - model.size() >= 40;
        if (push(ring, line) != fits) FAIL("refused, or taken without room");
        if (fits) model += line;
      } else if (!model.empty()) {
        const std::size_t n = 1 + random.below(static_cast<std::uint32_t>(model.size()));
        ring.consume(n);
        model.erase(0, n);
      }
      if (peek(ring) != model) FAIL("changed after step " << i);
    }
  }
}

TEST_CASE("what was read stays readable until it is consumed, whatever is pushed meanwhile") {
  byte_ring ring(64, 16);
  REQUIRE(push(ring, "first line"));
  const auto before = ring.readable();
  REQUIRE(push(ring, "second"));
  REQUIRE(push(ring, "third"));
  CHECK(before[0] == "first line");
  ring.consume(before[0].size());
  CHECK(peek(ring) == "secondthird");
}
