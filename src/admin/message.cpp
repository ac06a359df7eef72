#include "admin/message.hpp"

#include <boost/json.hpp>

#include "admin/json_views.hpp"
#include "http/head.hpp"
#include "http/problem.hpp"

namespace weir::admin {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view api_request::bearer() const {
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view value = authorization;
  if (!http::iequals(value.substr(0, scheme.size()), scheme)) return {};
  const auto start = value.find_first_not_of(' ', scheme.size());
  return start == value.npos ? std::string_view() : value.substr(start);
}

api_response make_problem(unsigned status, std::string_view word, std::string_view detail,
                          const std::vector<std::string>& lines) {
  boost::json::object body{{"type", "urn:weir:problem:" + std::string(word)},
                           {"title", http::reason_phrase(status)},
                           {"status", status},
                           {"ok", false},
                           {"detail", detail}};
  if (!lines.empty()) body["lines"] = boost::json::value_from(lines);
  return {status, "application/problem+json", to_text(body), {}};
}

bool percent_decode(std::string_view in, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < in.size(); ++i) {
    char c = in[i];
    if (c == '%') {
      if (in.size() - i < 3) return false;
      const int high = hex_digit(in[i + 1]), low = hex_digit(in[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return false;
    out += c;
  }
  return true;
}

bool split_path(std::string_view path, std::vector<std::string>& segments) {
  segments.clear();
  if (!path.starts_with('/')) return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = path.find('/');
    if (!percent_decode(path.substr(0, end), segments.emplace_back())) return false;
    path.remove_prefix(end == path.npos ? path.size() : end);
  }
  return true;
}

std::string query_value(std::string_view query, std::string_view key) {
  std::string value;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(pair.size() < query.size() ? pair.size() + 1 : pair.size());
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) != key || equals == pair.npos) continue;
    return percent_decode(pair.substr(equals + 1), value) ? value : std::string();
  }
  return {};
}

}  // namespace weir::admin
