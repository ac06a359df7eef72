#include "app/callback_body.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

namespace {

using namespace weir;

store::batch ended(store::batch_state how) {
  store::batch b;
  for (std::size_t i = 0; i < b.id.size(); ++i) b.id[i] = static_cast<unsigned char>(i * 17);
  b.pool = "loaders", b.route = "orders", b.tenant = "a \"b\"\n";
  b.state = how;
  b.attempts = 3;
  b.changed = 1769903999250;
  return b;
}
const std::string hex = "00112233445566778899aabbccddeeff";

}  // namespace

TEST_CASE("a callback says which batch ended, how, and where its result is") {
  const auto m = app::callback_message(ended(store::batch_state::succeeded), 201);
  const auto all = boost::json::parse(m.body);
  CHECK(all.at("type") == "weir.batch");
  CHECK(all.at("timestamp") == "2026-01-31T23:59:59.250Z");
  const auto& data = all.at("data").as_object();
  CHECK(data.size() == 8);
  CHECK(data.at("id").as_string() == hex);
  CHECK(data.at("state") == "succeeded");
  CHECK(data.at("pool") == "loaders");
  CHECK(data.at("route") == "orders");
  CHECK(data.at("tenant") == "a \"b\"\n");
  CHECK(data.at("attempts") == 3);
  CHECK(data.at("status") == 201);
  CHECK(data.at("location").as_string() == "/_weir/batches/" + hex);
}

TEST_CASE("without an answer of a worker the status is null") {
  const auto m = app::callback_message(ended(store::batch_state::failed), {});
  CHECK(boost::json::parse(m.body).at("data").at("status").is_null());
}

TEST_CASE("the id is the same for all tries of an end, and another for another end") {
  store::batch b = ended(store::batch_state::failed);
  const std::string first = app::callback_message(b, 500).id;
  CHECK(first == app::callback_message(b, 500).id);
  b.changed += 1;
  CHECK(first != app::callback_message(b, 500).id);
}

TEST_CASE("the store's message names its batch and counts its tries") {
  CHECK(app::batch_of({"callback/" + hex, "", 0}) == ended(store::batch_state::failed).id);
  for (const char* name : {"callback/", "callback/zz", "scale/loaders", ""})
    CHECK_FALSE(app::batch_of({name, "", 0}));
  CHECK_FALSE(app::batch_of({"callback/" + hex + "0", "", 0}));
  struct row {
    std::string text;
    unsigned tries;
  };
  for (const row& r : {row{"", 0}, row{"7", 7}, row{app::tries_text(12), 12}, row{"x", 0},
                       row{"-1", 0}, row{"4000000000", 1000}})
    CHECK(app::tries_of({"callback/" + hex, r.text, 0}) == r.tries);
}
