#include "admin/client.hpp"

#include <boost/asio/io_context.hpp>
#include <optional>

#include "config/addresses.hpp"
#include "net/fetch.hpp"
#include "net/resolve.hpp"

namespace weir::admin {
namespace {

namespace asio = boost::asio;

constexpr std::size_t body_max = 64u << 20;

net::fetch_request to_fetch(const client_request& r, const config::url& url) {
  net::fetch_request out;
  out.method = r.method, out.target = r.target, out.body = r.body;
  out.host = url.unix_path.empty() ? to_string(url).substr(std::string_view("http://").size())
                                   : "localhost";
  if (r.method != "GET") out.fields.emplace_back("Content-Type", "application/json");
  if (!r.token.empty()) out.fields.emplace_back("Authorization", "Bearer " + r.token);
  return out;
}

using peers = base::result<std::vector<net::socket_address>, std::string>;

peers find_unix(const std::string& path) {
  const auto at = net::socket_address::unix_path(path);
  if (!at) return at.error().message();
  return std::vector{*at};
}

// Runs the context until `answer` is there; the call it waits for has a timeout of its own.
template <class T>
T await_answer(asio::io_context& context, std::optional<T>& answer) {
  context.restart();
  while (!answer && context.run_one() > 0) {
  }
  return std::move(answer.value());
}

peers find(asio::io_context& context, const config::url& url, base::duration timeout) {
  if (!url.unix_path.empty()) return find_unix(url.unix_path);
  if (const auto ip = net::socket_address::ip(url.host, url.port)) return std::vector{*ip};
  std::optional<net::lookup_answer> found;
  net::resolver resolver(context);
  resolver.once(url.host, timeout, [&](net::lookup_answer a) { found = std::move(a); });
  const net::lookup_answer addresses = await_answer(context, found);
  if (!addresses) return addresses.error();
  return net::make_socket_addresses(*addresses, url.port);
}

// What is left of "connecting to ADDRESS: Connection refused" when the address is said already.
std::string reason_of(const std::string& error) {
  const auto at = error.rfind(": ");
  return at == error.npos ? error : error.substr(at + 2);
}

}  // namespace

base::result<client_answer, std::string> send(const client_request& r) {
  const auto url = config::parse_worker_url(r.admin);
  if (!url || url->tls) return r.admin + ": expected http://HOST:PORT or unix:/PATH";
  asio::io_context context;
  const peers where = find(context, *url, r.timeout);
  if (!where) return r.admin + ": " + where.error();
  std::optional<net::fetch_result> result;
  net::fetch_then(context, {*where, nullptr, {}}, to_fetch(r, *url), {r.timeout, body_max}, {},
                  [&](net::fetch_result f) { result = std::move(f); });
  net::fetch_result got = await_answer(context, result);
  if (got.failure == net::fetch_failure::connect)
    return "no connection to " + r.admin + " (" + reason_of(got.error) +
           "): is weir running? --admin URL names another address";
  if (got.failure != net::fetch_failure::none) return r.admin + ": " + got.error;
  return client_answer{got.status, std::string(got.field("Content-Type")), std::move(got.body)};
}

bool valid_admin_url(std::string_view admin) {
  const auto url = config::parse_worker_url(admin);
  return url && !url->tls;
}

std::string encode_component(std::string_view text) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const auto byte = static_cast<unsigned char>(c);
    if (letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~')
      out += c;
    else
      out.append({'%', hex[byte >> 4], hex[byte & 15]});
  }
  return out;
}

}  // namespace weir::admin
