// What is remembered of scale decisions, with a store that outlives the notes as it does processes.
#include "app/scale_notes.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <future>
#include <map>

#include "scale/record.hpp"
#include "store/local_engine.hpp"

namespace {

using namespace weir;
using app::scale_notes;
using way = core::scale_decision::direction;

constexpr store::unix_ms now = 1'769'903'999'250;

struct kit {
  kit() { engine = std::move(*store::local_engine::open({})); }
  // As a process that starts.
  void restart() { notes = scale_notes::open(*engine); }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const char* kind : {"callback/", "scale/"}) {
      const auto answer = std::make_shared<std::promise<store::message_page>>();
      engine->messages(kind, [answer](auto got) { answer->set_value(*got); });
      const store::message_page page = answer->get_future().get();
      for (const store::message& m : page.list) all.push_back(m.name);
    }
    return all;
  }
  void put(const std::string& name, const std::string& text) {
    engine->keep_message({name, text, now}, [](const store::outcome<void>&) {});
  }

  std::unique_ptr<store::local_engine> engine;
  std::unique_ptr<scale_notes> notes;
};

config::hook hook(const std::string& url) {
  config::hook h;
  h.webhook.emplace().url = url;
  return h;
}
const std::vector<config::hook> two{hook("https://a.example/"), hook("https://b.example/")};
const std::string first_key = scale::hook_key(two, 0), second_key = scale::hook_key(two, 1);

scale::message decided(std::uint64_t sequence, way w = way::out, store::unix_ms at = now) {
  scale::message m;
  m.id = "msg_" + std::to_string(sequence);
  m.decided_unix_ms = at;
  m.decision.sequence = sequence;
  m.decision.way = w;
  return m;
}

}  // namespace

TEST_CASE("what a hook was not told is there after a restart, until it is told") {
  kit k;
  k.restart();
  CHECK(k.notes->send_on("loaders", two, now).empty());
  const scale::message old = decided(1), newer = decided(2), other = decided(3);
  k.notes->keep("loaders", first_key, &old);
  k.notes->keep("loaders", second_key, &old);
  k.notes->keep("loaders", second_key, &newer);
  k.notes->keep("loaders2", first_key, &other);
  k.restart();
  auto left = k.notes->send_on("loaders", two, now);
  REQUIRE(left.size() == 2);
  CHECK(left.at(first_key).id == "msg_1");
  CHECK(left.at(second_key).id == "msg_2");
  CHECK(left.at(second_key).decision.sequence == 2);
  CHECK_FALSE(left.at(second_key).body.empty());
  k.notes->keep("loaders", first_key, nullptr);
  k.notes->keep("loaders", first_key, nullptr);   // told by both of two
  k.restart();
  left = k.notes->send_on("loaders", two, now);
  CHECK((left.size() == 1 && left.contains(second_key)));
  CHECK(k.notes->send_on("loaders2", two, now).at(first_key).id == "msg_3");
}

TEST_CASE("numbers go on above all that may have been told") {
  kit k;
  k.restart();
  CHECK((k.notes->told("loaders").sequence == 0 && k.notes->told("loaders").episode == 0));
  k.notes->tell("loaders", {3, 40});
  k.notes->tell("other", {1, 1});
  CHECK(k.notes->told("loaders").sequence == 40);
  k.restart();
  CHECK(k.notes->told("loaders").episode == 3);
  CHECK(k.notes->told("loaders").sequence > 40);
  const std::uint64_t before = k.notes->told("loaders").sequence;
  k.notes->tell("loaders", {4, before + 1});
  k.restart();
  CHECK(k.notes->told("loaders").sequence > before);
  CHECK(k.notes->told("none").sequence == 0);
}

TEST_CASE("what must not be sent after a restart is dropped for good") {
  struct row {
    const char* why;
    scale::message m;
    std::string key;
  };
  scale::message names = decided(1, way::in);
  names.decision.remove = {"w1"};
  const std::vector<row> rows{
      {"a scale-in that names workers", names, first_key},
      {"a scale-in", decided(1, way::in), first_key},
      {"one of long ago", decided(1, way::out, now - 3'600'001), first_key},
      {"one of a hook that is gone", decided(1), scale::hook_key({hook("https://c.example/")}, 0)}};
  for (const row& r : rows) {
    INFO(r.why);
    kit k;
    k.restart();
    k.notes->keep("loaders", r.key, &r.m);
    k.restart();
    CHECK(k.notes->send_on("loaders", two, now).empty());
    CHECK(k.names().empty());
  }
}

TEST_CASE("what cannot be read is dropped, and what is not ours is left") {
  kit k;
  k.put("scale/loaders/" + first_key, "{\"id\":1}");
  k.put("scale/loaders", "one two");
  k.put("scale/other", "5 60");
  k.put("callback/00112233445566778899aabbccddeeff", "");
  k.restart();
  CHECK(k.notes->send_on("loaders", two, now).empty());
  CHECK(k.notes->told("loaders").sequence == 0);
  CHECK(k.notes->told("other").episode == 5);
  CHECK(k.names() == std::vector<std::string>{"callback/00112233445566778899aabbccddeeff",
                                              "scale/other"});
}

TEST_CASE("pools that are gone, or have no hooks, leave nothing undelivered but their numbers") {
  kit k;
  k.restart();
  const scale::message m = decided(1);
  for (const char* pool : {"stays", "gone", "mute"}) {
    k.notes->keep(pool, first_key, &m);
    k.notes->tell(pool, {1, 1});
  }
  k.restart();
  k.notes->forget("mute");
  k.notes->forget_others(std::map<std::string, int>{{"stays", 0}, {"mute", 0}});
  auto left = k.names();
  std::sort(left.begin(), left.end());
  CHECK(left == std::vector<std::string>{"scale/gone", "scale/mute", "scale/stays",
                                         "scale/stays/" + first_key});
}
