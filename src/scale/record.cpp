#include "scale/record.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <exception>

namespace weir::scale {
namespace {

namespace json = boost::json;
using way = core::scale_decision::direction;

std::string text_of(const config::hook& h) {
  if (h.webhook) return "webhook\n" + h.webhook->url;
  std::string all = "exec";
  for (const std::string& word : h.exec->command) all += "\n" + word;
  return all;
}

std::string digits(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

}  // namespace

std::string to_record(const message& m, std::string_view pool) {
  const core::scale_decision& d = m.decision;
  json::array names(d.remove.begin(), d.remove.end());
  const json::object all{
      {"id", m.id},
      {"decided_unix_ms", m.decided_unix_ms},
      {"direction", std::string_view(name(d.way))},
      {"episode", d.episode},
      {"sequence", d.sequence},
      {"desired", d.desired},
      {"current", d.current},
      {"remove", std::move(names)},
      {"body", m.body.empty() ? make_body(type_scale, pool, d, m.decided_unix_ms) : m.body}};
  return json::serialize(all);
}

std::optional<message> parse_record(std::string_view text) try {
  const json::value all = json::parse(text);
  message m;
  m.id = json::value_to<std::string>(all.at("id"));
  m.decided_unix_ms = all.at("decided_unix_ms").to_number<std::int64_t>();
  m.body = json::value_to<std::string>(all.at("body"));
  const std::string_view direction = all.at("direction").as_string();
  m.decision.way = direction == name(way::in) ? way::in : way::out;
  m.decision.episode = all.at("episode").to_number<std::uint64_t>();
  m.decision.sequence = all.at("sequence").to_number<std::uint64_t>();
  m.decision.desired = all.at("desired").to_number<std::uint32_t>();
  m.decision.current = all.at("current").to_number<std::uint32_t>();
  m.decision.remove = json::value_to<std::vector<std::string>>(all.at("remove"));
  const bool known = direction == name(m.decision.way);
  if (!known || m.id.empty() || m.body.empty()) return {};
  return m;
} catch (const std::exception&) {
  return {};
}

std::string hook_key(const std::vector<config::hook>& hooks, std::size_t which) {
  const std::string text = text_of(hooks[which]);
  std::size_t nth = 1;
  for (std::size_t i = 0; i < which; ++i) nth += text_of(hooks[i]) == text;
  return digits(text) + (nth > 1 ? "-" + std::to_string(nth) : "");
}

}  // namespace weir::scale
