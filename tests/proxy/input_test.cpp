#include "proxy/input.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>

#include "base/random.hpp"

namespace {

using weir::net::buffer_pool;
using weir::proxy::input;

void put(input& in, buffer_pool& pool, std::string_view text, std::size_t max) {
  while (!text.empty()) {
    const auto room = in.room(pool, max);
    REQUIRE_FALSE(room.empty());
    const std::size_t n = std::min(room.size(), text.size());
    std::memcpy(room.data(), text.data(), n);
    in.filled(n);
    text.remove_prefix(n);
  }
}

}  // namespace

TEST_CASE("an input holds no buffer until it is read into, and none after its release") {
  buffer_pool pool(16, 4);
  input in;
  CHECK(in.empty());
  CHECK(in.view().empty());
  CHECK(pool.taken() == 0);
  CHECK(in.room(pool, 100).size() == 16);
  CHECK(pool.taken() == 1);
  in.release();
  CHECK(pool.taken() == 0);
  CHECK(in.empty());
}

TEST_CASE("what was consumed makes room again, without growing") {
  buffer_pool pool(16, 4);
  input in;
  put(in, pool, "0123456789abcdef", 16);
  CHECK(in.room(pool, 16).empty());   // full, and may not grow
  in.consume(10);
  CHECK(in.view() == "abcdef");
  CHECK(in.room(pool, 16).size() == 10);
  CHECK(in.view() == "abcdef");   // moved to the front
  put(in, pool, "ghij", 16);
  CHECK(in.view() == "abcdefghij");
  in.consume(10);
  CHECK(in.empty());
  CHECK(in.room(pool, 16).size() == 16);
}

TEST_CASE("a large head grows the input up to its limit, and the pooled buffer goes back") {
  buffer_pool pool(16, 4);
  input in;
  const std::string text(100, 'x');
  put(in, pool, text.substr(0, 16), 100);
  put(in, pool, text.substr(16, 30), 100);
  CHECK(pool.taken() == 0);   // it outgrew the small buffer
  put(in, pool, text.substr(46), 100);
  CHECK(in.view() == text);
  CHECK(in.room(pool, 100).empty());
  in.release();
  CHECK(in.empty());
  CHECK(in.room(pool, 100).size() == 16);   // small again
}

TEST_CASE("reset keeps what is given, also when it lies within, and nothing else") {
  for (const std::size_t kept : {0u, 1u, 10u, 16u, 17u, 60u}) {
    INFO("keeps " << kept);
    buffer_pool pool(16, 4);
    input in;
    std::string text(64, ' ');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('A' + i % 26);
    put(in, pool, text, 64);
    in.reset(pool, in.view().substr(64 - kept));
    CHECK(in.view() == text.substr(64 - kept));
    CHECK(pool.taken() == (kept > 0 && kept <= 16 ? 1 : 0));
    if (kept) put(in, pool, "more", 200);
    if (kept) CHECK(in.view() == text.substr(64 - kept) + "more");
  }
}

TEST_CASE("random reads and consumes: the view is always what was read and not consumed") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    weir::base::random random(seed);
    buffer_pool pool(32, 2);
    input in;
    std::string model;
    char next = 0;
    for (int i = 0; i < 500; ++i) {
      const auto what = random.below(10);
      if (what < 5) {
        const auto room = in.room(pool, 200);
        const auto n = std::min<std::size_t>(room.size(), random.below(40));
        for (std::size_t j = 0; j < n; ++j) model += room[j] = next++;
        in.filled(n);
      } else if (what < 9) {
        const auto n = random.below(static_cast<std::uint32_t>(model.size() + 1));
        in.consume(n);
        model.erase(0, n);
      } else {
        in.reset(pool, in.view());
      }
      REQUIRE(in.view() == model);
      REQUIRE(pool.taken() <= 1);
    }
  }
}
