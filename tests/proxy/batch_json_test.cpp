// Durable batches as clients read them: valid JSON whatever clients and workers wrote into them.
#include "proxy/batch_json.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <limits>

#include "store/batch_ids.hpp"

namespace {

using namespace weir;
using store::batch_state;

store::batch example() {
  store::batch b;
  for (std::size_t i = 0; i < b.id.size(); ++i) b.id[i] = static_cast<unsigned char>(i * 17);
  b.pool = "loaders", b.route = "orders", b.tenant = "acme";
  b.method = "POST", b.target = "/load?day=1";
  b.cost = 12.5, b.urgency = 1, b.attempts = 2;
  b.body.size = 1234;
  b.created = 1000, b.changed = 2000;
  return b;
}

boost::json::object parsed(const std::string& text) {
  REQUIRE(text.back() == '\n');
  REQUIRE(std::count(text.begin(), text.end(), '\n') == 1);   // one line
  return boost::json::parse(text).as_object();
}

constexpr const char* example_id = "00112233445566778899aabbccddeeff";

}  // namespace

TEST_CASE("a batch's JSON has its members by the contract's names") {
  const auto o = parsed(proxy::batch_json(example(), {}, std::nullopt));
  CHECK(o.at("id") == example_id);
  CHECK(o.at("state") == "queued");
  CHECK(o.at("pool") == "loaders");
  CHECK(o.at("route") == "orders");
  CHECK(o.at("tenant") == "acme");
  CHECK(o.at("method") == "POST");
  CHECK(o.at("target") == "/load?day=1");
  CHECK(o.at("cost") == 12.5);
  CHECK(o.at("urgency") == 1);
  CHECK(o.at("body_bytes") == 1234);
  CHECK(o.at("attempts") == 2);
  CHECK(o.at("created_unix_ms") == 1000);
  CHECK(o.at("changed_unix_ms") == 2000);
  CHECK(o.at("history").as_array().empty());
  for (const char* absent : {"position", "eta_seconds", "not_before_unix_ms"})
    CHECK_FALSE(o.contains(absent));
}

TEST_CASE("every state has a name of its own, which is read back as that state") {
  for (const auto s : {batch_state::queued, batch_state::running, batch_state::succeeded,
                       batch_state::failed, batch_state::cancelled, batch_state::damaged}) {
    store::batch b = example();
    b.state = s;
    const auto o = parsed(proxy::batch_json(b, {}, std::nullopt));
    CHECK(o.at("state") == boost::json::string_view(proxy::name(s)));
    CHECK(proxy::parse_batch_state(proxy::name(s)) == s);
  }
  for (const char* none : {"", "Queued", "queued ", "done", "queuedrunning"})
    CHECK_FALSE(proxy::parse_batch_state(none));
}

TEST_CASE("a place is shown while it waits, and an end that nobody can tell is left out") {
  core::queue_place place;
  place.position = 7;
  place.eta_seconds = 1.5;
  auto o = parsed(proxy::batch_json(example(), {}, place));
  CHECK(o.at("position") == 7);
  CHECK(o.at("eta_seconds") == 1.5);
  for (const double unknown : {std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()}) {
    place.eta_seconds = unknown;
    o = parsed(proxy::batch_json(example(), {}, place));
    CHECK(o.at("position") == 7);
    CHECK_FALSE(o.contains("eta_seconds"));
  }
  store::batch later = example();
  later.not_before = 5000;
  CHECK(parsed(proxy::batch_json(later, {}, place)).at("not_before_unix_ms") == 5000);
}

TEST_CASE("the history tells attempts in order, and an open one has no end yet") {
  const std::vector<store::attempt_note> notes{
      {1, "w1", 10, 20, "failed", "the worker answered 500"},
      {2, "w2", 30, 0, "", ""},
  };
  const auto o = parsed(proxy::batch_json(example(), notes, std::nullopt));
  const auto& history = o.at("history").as_array();
  REQUIRE(history.size() == 2);
  const auto& first = history[0].as_object();
  CHECK(first.at("attempt") == 1);
  CHECK(first.at("worker") == "w1");
  CHECK(first.at("began_unix_ms") == 10);
  CHECK(first.at("ended_unix_ms") == 20);
  CHECK(first.at("outcome") == "failed");
  CHECK(first.at("detail") == "the worker answered 500");
  const auto& open = history[1].as_object();
  CHECK(open.at("attempt") == 2);
  for (const char* absent : {"ended_unix_ms", "outcome", "detail"})
    CHECK_FALSE(open.contains(absent));
}

TEST_CASE("hostile text in any member stays inside its string") {
  const std::string hostile[] = {
      "\"", "\\", "\",\"state\":\"succeeded\",\"x\":\"", "\r\n", std::string("a\0b", 3),
      "\x1b[2J", "\xff\xfe", "\xed\xa0\x80", "\xc3", "</script>", "\x7f",
  };
  for (const std::string& text : hostile) {
    store::batch b = example();
    b.pool = b.route = b.tenant = b.method = b.target = text;
    const std::vector<store::attempt_note> notes{{1, text, 10, 20, text, text}};
    const std::string json = proxy::batch_json(b, notes, std::nullopt);
    const auto o = parsed(json);
    CHECK(o.size() == 14);
    CHECK(o.at("state") == "queued");
    CHECK(o.at("history").as_array().size() == 1);
    CHECK(o.at("history").as_array()[0].as_object().size() == 6);
    const bool control = std::any_of(json.begin(), json.end() - 1, [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    CHECK_FALSE(control);
  }
}

TEST_CASE("numbers at their borders are numbers still") {
  store::batch b = example();
  for (const double cost : {1e-300, 1e300, 0.1}) {
    b.cost = cost;
    CHECK(parsed(proxy::batch_json(b, {}, std::nullopt)).at("cost").to_number<double>() == cost);
  }
  b.cost = 0;   // not known
  CHECK_FALSE(parsed(proxy::batch_json(b, {}, std::nullopt)).contains("cost"));
  b.body.size = std::uint64_t{1} << 62;
  b.attempts = ~std::uint32_t{0};
  const auto o = parsed(proxy::batch_json(b, {}, std::nullopt));
  CHECK(o.at("body_bytes") == std::int64_t{1} << 62);
  CHECK(o.at("attempts") == 4294967295);
}

TEST_CASE("a 202 says where the batch is") {
  const auto o = parsed(proxy::accepted_json(example().id, store::batch_state::queued));
  CHECK(o.size() == 3);
  CHECK(o.at("id") == example_id);
  CHECK(o.at("state") == "queued");
  CHECK(o.at("location").as_string() == std::string("/_weir/batches/") + example_id);
}

TEST_CASE("a list has a line for each batch, and says where the next page goes on") {
  std::vector<store::batch_line> lines(2);
  lines[0].id = lines[1].id = example().id;
  lines[0].seq = 7, lines[1].seq = 9;
  lines[0].tenant = "\"},{\"id\":\"";
  lines[1].state = batch_state::failed;
  auto o = parsed(proxy::batch_lines_json(lines, true));
  REQUIRE(o.at("batches").as_array().size() == 2);
  CHECK(o.at("batches").as_array()[0].as_object().at("tenant") == "\"},{\"id\":\"");
  CHECK(o.at("batches").as_array()[1].as_object().at("state") == "failed");
  CHECK(o.at("next") == 9);
  CHECK(parsed(proxy::batch_lines_json(lines, false)).at("next").is_null());
  o = parsed(proxy::batch_lines_json({}, false));
  CHECK(o.at("batches").as_array().empty());
  CHECK(o.at("next").is_null());
}

// --- ids ----------------------------------------------------------------------------------------

TEST_CASE("an id is 32 lower-case hexadecimal digits, and each batch has one address") {
  const auto hex = store::hex_of(example().id);
  const std::string text(hex.data(), hex.size());
  CHECK(text == example_id);
  CHECK(store::parse_batch_id(text) == example().id);
  for (int byte = 0; byte < 256; ++byte) {
    store::batch_id id{};
    id[7] = static_cast<unsigned char>(byte);
    const auto h = store::hex_of(id);
    CHECK(store::parse_batch_id({h.data(), h.size()}) == id);
  }
  std::string bad[] = {"", text.substr(1), text + "0", text + "/", " " + text.substr(1)};
  for (const std::string& t : bad) CHECK_FALSE(store::parse_batch_id(t));
  for (const char c : std::string("gGAF/:`@ \0\x80", 11)) {
    std::string one = text;
    one[31] = c;
    CHECK_FALSE(store::parse_batch_id(one));
    one = text;
    one[0] = c;
    CHECK_FALSE(store::parse_batch_id(one));
  }
}
