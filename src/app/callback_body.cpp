#include "app/callback_body.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "store/batch_ids.hpp"
#include "proxy/batch_json.hpp"

namespace weir::app {
namespace {

namespace json = boost::json;

std::string hex(const store::batch_id& id) {
  const auto digits = store::hex_of(id);
  return {digits.data(), digits.size()};
}

}  // namespace

scale::message callback_message(const store::batch& b, std::optional<std::uint16_t> status) {
  const std::string id = hex(b.id);
  json::object data{{"id", id},       {"state", proxy::name(b.state)}, {"pool", b.pool},
                    {"route", b.route}, {"tenant", b.tenant},          {"attempts", b.attempts}};
  data["status"] = status ? json::value(*status) : json::value(nullptr);
  data["location"] = "/_weir/batches/" + id;
  const json::object all{
      {"type", "weir.batch"}, {"timestamp", scale::rfc3339(b.changed)}, {"data", std::move(data)}};
  scale::message m;
  m.id = "msg_" + id + "_" + std::to_string(b.changed);
  m.decided_unix_ms = b.changed;
  m.body = json::serialize(all);
  return m;
}

std::optional<store::batch_id> batch_of(const store::message& m) {
  const std::string_view name = m.name;
  if (!name.starts_with(callback_prefix)) return std::nullopt;
  return store::parse_batch_id(name.substr(callback_prefix.size()));
}

unsigned tries_of(const store::message& m) {
  unsigned tries = 0;
  std::from_chars(m.text.data(), m.text.data() + m.text.size(), tries);
  return std::min(tries, 1000u);
}

std::string tries_text(unsigned tries) { return std::to_string(tries); }

}  // namespace weir::app
