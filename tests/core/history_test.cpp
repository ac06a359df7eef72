#include "core/history.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace weir::core::test {
namespace {

ending named(std::string_view label, std::uint32_t attempts = 1) {
  ending e;
  e.label.assign(label);
  e.attempts = attempts;
  return e;
}

}  // namespace

TEST_CASE("an ending is found by its label, the latest first") {
  history h;
  CHECK(h.find("a") == nullptr);
  h.add(named("a", 1));
  h.add(named("b", 2));
  h.add(named("a", 3));
  REQUIRE(h.find("a"));
  CHECK(h.find("a")->attempts == 3);
  CHECK(h.find("b")->attempts == 2);
  CHECK(h.find("c") == nullptr);
}

TEST_CASE("batches without a label are not kept") {
  history h;
  h.add(named(""));
  CHECK(h.find("") == nullptr);
}

TEST_CASE("the ring forgets the oldest and nothing else") {
  history h;
  for (std::size_t i = 0; i < history::size + 10; ++i) h.add(named(std::to_string(i)));
  CHECK(h.find("9") == nullptr);
  CHECK(h.find("10") != nullptr);
  CHECK(h.find(std::to_string(history::size + 9)) != nullptr);
}

TEST_CASE("a label longer than 32 characters is cut there") {
  short_label l;
  const std::string text(40, 'x');
  l.assign(text);
  CHECK(l.view() == std::string(32, 'x'));
  l.assign("short");
  CHECK(l.view() == "short");
}

TEST_CASE("the last four workers that failed a batch are remembered, each once") {
  failed_on f;
  CHECK(f.all().empty());
  for (std::uint32_t w : {1u, 2u, 1u, 2u}) f.add({w, 1});
  CHECK(f.all().size() == 2);
  for (std::uint32_t w : {3u, 4u, 5u}) f.add({w, 1});
  CHECK(f.all().size() == 4);
  bool first = false, fifth = false;
  for (worker_id w : f.all()) first |= w.index == 1, fifth |= w.index == 5;
  CHECK_FALSE(first);
  CHECK(fifth);
}

}  // namespace weir::core::test
