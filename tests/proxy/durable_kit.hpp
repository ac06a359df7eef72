// A front door with a store, and what tests ask it about its batches: posts that are taken for
// later, their states and histories read straight from the store.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "../store/store_kit.hpp"
#include "front_kit.hpp"
#include "store/batch_ids.hpp"

namespace weir::test {

inline wishes durable(wishes w = {}) {
  w.durable = true;
  return w;
}

// Bodies over a few bytes lie in files.
inline wishes with_files(wishes w = {}) {
  w.durable = true;
  w.limits = [](config::limits& l) { l.inline_bytes_max = 10; };
  return w;
}

constexpr const char* respond_async = "Prefer: respond-async\r\n";

// The id in a Location, nothing if there is none.
inline std::optional<store::batch_id> id_in(const http_message& answer) {
  const std::string at = answer.field("Location");
  constexpr std::string_view prefix = "/_weir/batches/";
  if (!at.starts_with(prefix)) return std::nullopt;
  return store::parse_batch_id(std::string_view(at).substr(prefix.size()));
}

inline store::batch_id post_async(front_kit& front, std::string_view body = "rows",
                                  const std::string& fields = {}) {
  const http_message answer = front.ask(post("/load", body, respond_async + fields));
  INFO(answer.head << answer.body);
  REQUIRE(answer.status() == 202);
  const auto id = id_in(answer);
  REQUIRE(id);
  return *id;
}

inline store::batch find(front_kit& front, const store::batch_id& id) {
  auto got = store::test::answer<store::batch>(
      [&](auto told) { front.store().real().find(id, false, told); });
  if (!got) throw std::runtime_error(got.error().detail);
  return std::move(*got);
}

inline store::batch_state state_of(front_kit& front, const store::batch_id& id) {
  return find(front, id).state;
}

inline std::vector<store::attempt_note> history(front_kit& front, const store::batch_id& id) {
  auto got = store::test::answer<std::vector<store::attempt_note>>(
      [&](auto told) { front.store().real().attempts_of(id, told); });
  if (!got) throw std::runtime_error(got.error().detail);
  return std::move(*got);
}

inline bool becomes(front_kit& front, const store::batch_id& id, store::batch_state s) {
  return eventually([&] { return state_of(front, id) == s; });
}

inline http_message result_of(front_kit& front, const store::batch_id& id) {
  const auto hex = store::hex_of(id);
  return front.ask(get("/_weir/batches/" + std::string(hex.data(), hex.size()) + "/result"));
}

inline std::size_t spool_files(const front_kit& front) {
  return static_cast<std::size_t>(std::distance(
      std::filesystem::directory_iterator(front.state_path("spool")), {}));
}

}  // namespace weir::test
