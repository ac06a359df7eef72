#include "admin/registration.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "config/addresses.hpp"
#include "config/units.hpp"

namespace weir::admin {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

// As of pools.NAME.workers[] in the configuration.
constexpr std::int64_t slots_max = 65536;
constexpr double weight_min = 0.001, weight_max = 1000;
constexpr base::duration ttl_default = 30s, ttl_min = 1s;

failure invalid(std::string detail) { return {failure::kind::invalid, std::move(detail), {}}; }
failure forbidden(std::string detail) { return {failure::kind::forbidden, std::move(detail), {}}; }

// A duration as in the configuration ("30s", "1m30s"), or a number of seconds.
std::optional<base::duration> read_ttl(const json::value& v) {
  if (v.is_number()) return base::from_seconds(v.to_number<double>());
  if (!v.is_string()) return {};
  return config::parse_duration(v.get_string());
}

// A name that resolvers read as a number, such as 2130706433 or 0x7f.1, is an address in disguise
// (the WHATWG URL standard's "ends in a number").
bool is_disguised_number(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  const bool hex = last.starts_with("0x") || last.starts_with("0X");
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return hex || (!last.empty() && std::all_of(last.begin(), last.end(), digit));
}

// One reader a member: fills its part of the request, or says what is wrong.
using wrong = std::optional<failure>;

wrong read_id(const json::value& v, register_request& out) {
  if (!v.is_string() || !config::valid_name(v.get_string()))
    return invalid("id: expected a name of letters, digits, '-', '_' and '.', 64 at most");
  out.id = std::string(v.get_string());
  return {};
}

wrong read_url(const json::value& v, register_request& out) {
  const auto url = v.is_string() ? config::parse_worker_url(v.get_string()) : std::nullopt;
  if (!url || !url->unix_path.empty())
    return invalid("url: expected http://HOST:PORT or https://HOST:PORT, without a path");
  const bool address = base::parse_ip(url->host).has_value();
  if (!address && is_disguised_number(url->host))
    return invalid("url: expected a host name or an address in its usual form");
  out.url = *url;
  return {};
}

wrong read_slots(const json::value& v, register_request& out) {
  const auto* n = v.if_int64();
  if (!n || *n < 1 || *n > slots_max) return invalid("slots: expected a whole number, 1 to 65536");
  out.slots = static_cast<std::uint32_t>(*n);
  return {};
}

wrong read_weight(const json::value& v, register_request& out) {
  const double w = v.is_number() ? v.to_number<double>() : 0;
  if (!(w >= weight_min && w <= weight_max))
    return invalid("weight: expected a number, 0.001 to 1000");
  out.weight = w;
  return {};
}

wrong read_secret(const json::value& v, register_request& out) {
  if (!v.is_string()) return invalid("secret: expected that of the lease that this id has");
  out.secret = std::string(v.get_string());
  return {};
}

wrong read_lifetime(const json::value& v, register_request& out) {
  const auto ttl = read_ttl(v);
  if (!ttl || *ttl < ttl_min) return invalid("ttl: expected a duration such as 30s, 1s at least");
  out.ttl = *ttl;
  return {};
}

struct member {
  std::string_view name;
  wrong (*read)(const json::value&, register_request&);
  bool required;
};
constexpr member members[] = {{"id", read_id, true},
                              {"url", read_url, true},
                              {"slots", read_slots, false},
                              {"weight", read_weight, false},
                              {"ttl", read_lifetime, false},
                              {"secret", read_secret, false}};

wrong read_members(const json::object& body, register_request& out) {
  for (const auto& [key, value] : body) {
    const auto known = std::find_if(std::begin(members), std::end(members),
                                    [&, k = std::string_view(key)](const auto& m) {
                                      return m.name == k;
                                    });
    if (known == std::end(members))
      return invalid(std::string(key) +
                     ": not known; expected id, url, slots, weight, ttl or secret");
    if (auto no = known->read(value, out)) return no;
  }
  for (const auto& m : members)
    if (m.required && !body.contains(m.name)) return invalid(std::string(m.name) + ": is missing");
  return {};
}

wrong check_address(const register_request& r, const registration_rules& rules) {
  const std::string& host = r.url.host;
  if (is_refused_address(host))
    return forbidden("url: link-local, multicast and metadata addresses are never workers");
  if (!rules.guard || !base::parse_ip(host) || rules.guard->permits_worker(host, r.peer)) return {};
  return forbidden("url: " + host + " is not an address that " + r.peer +
                   " may register; see registration.allow");
}

}  // namespace

answer<register_request> read_registration(std::string_view body, std::string_view pool,
                                           std::string_view peer,
                                           const registration_rules& rules) {
  json::error_code ec;
  const json::value parsed = json::parse({body.data(), body.size()}, ec);
  if (ec || !parsed.is_object())
    return invalid("expected a JSON object with id, url, slots, weight and ttl");
  register_request out;
  out.pool = pool, out.peer = peer, out.ttl = ttl_default;
  if (auto no = read_members(parsed.get_object(), out)) return *no;
  if (auto no = check_address(out, rules)) return *no;
  out.ttl = std::min(out.ttl, rules.ttl_max);
  return out;
}

}  // namespace weir::admin
