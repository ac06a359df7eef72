// An independent reader as a witness: Boost.Beast's basic_parser. Whatever weir takes as a head,
// Beast must take too, and find the same fields with the same values; so weir is only ever
// stricter. One thing is let be: options in Connection that are no tokens, which name nothing and
// are ignored.
#include <boost/beast/core/detail/clamp.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <vector>

#include "http/chars.hpp"
#include "http/support.hpp"

namespace weir::http {

namespace {

namespace beast = boost::beast;

template <bool is_request>
class witness : public beast::http::basic_parser<is_request> {
 public:
  struct line {
    std::string name, value;
    bool operator==(const line&) const = default;
  };
  std::string method, target, reason;
  int version = 0, status = 0;
  std::vector<line> lines;

  witness() { this->header_limit(1 << 20); }

 private:
  using text = beast::string_view;
  using error = beast::error_code;

  void on_request_impl(beast::http::verb, text m, text t, int v, error& ec) override {
    method = std::string(m);
    target = std::string(t);
    version = v;
    ec = {};
  }
  void on_response_impl(int s, text r, int v, error& ec) override {
    status = s;
    reason = std::string(r);
    version = v;
    ec = {};
  }
  void on_field_impl(beast::http::field, text name, text value, error& ec) override {
    lines.push_back({std::string(name), std::string(value)});
    ec = {};
  }
  void on_header_impl(error& ec) override { ec = {}; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error& ec) override { ec = {}; }
  std::size_t on_body_impl(text body, error& ec) override {
    ec = {};
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, text, error& ec) override { ec = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, text body, error& ec) override {
    ec = {};
    return body.size();
  }
  void on_finish_impl(error& ec) override { ec = {}; }
};

template <bool is_request>
void check_lines(const std::vector<field>& fields, const witness<is_request>& other) {
  REQUIRE(fields.size() == other.lines.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    CHECK(fields[i].name == other.lines[i].name);
    CHECK(fields[i].value == other.lines[i].value);
  }
}

bool has_odd_option(const std::vector<field>& fields) {
  for (const field& f : fields) {
    if (f.known != field_name::connection) continue;
    for (std::string_view list = f.value; list.data() != nullptr;) {
      const std::string_view option = next_element(list);
      if (!option.empty() && !is_token(option)) return true;
    }
  }
  return false;
}

constexpr body_kind none = body_kind::none;

// True when weir took the head.
bool compare_request(std::string_view text) {
  request_head head;
  std::size_t scanned = 0;
  const auto outcome = parse_request(text, head_limits{}, scanned, head);
  if (outcome.what != outcome_kind::complete || has_odd_option(head.fields)) return false;
  INFO(shown(text));
  while (text.starts_with("\r\n")) text.remove_prefix(2);  // Beast does not skip empty lines
  witness<true> other;
  beast::error_code error;
  const std::size_t used = other.put(boost::asio::buffer(text.data(), text.size()), error);
  INFO(error.message());
  REQUIRE_FALSE(error);
  REQUIRE(other.is_header_done());
  CHECK(text.substr(0, used).ends_with("\r\n\r\n"));
  CHECK(head.method == other.method);
  CHECK(head.target == other.target);
  CHECK(static_cast<int>(10 + head.version_minor) == other.version);
  CHECK((head.body == body_kind::chunked) == other.chunked());
  if (head.body == body_kind::length) CHECK(other.content_length().value() == head.content_length);
  if (head.body == none) CHECK_FALSE(other.content_length().has_value());
  check_lines(head.fields, other);
  return true;
}

bool compare_response(std::string_view text) {
  response_head head;
  std::size_t scanned = 0;
  if (parse_response(text, head_limits{}, scanned, false, head).what != outcome_kind::complete)
    return false;
  if (has_odd_option(head.fields)) return false;
  if (head.reason.empty()) return true;  // Beast wants the space that may be left out
  INFO(shown(text));
  witness<false> other;
  beast::error_code error;
  other.put(boost::asio::buffer(text.data(), text.size()), error);
  INFO(error.message());
  REQUIRE_FALSE(error);
  CHECK(head.status == static_cast<unsigned>(other.status));
  CHECK(head.reason == other.reason);
  const bool has_body = head.status >= 200 && head.status != 204 && head.status != 304;
  if (has_body) CHECK((head.body == body_kind::chunked) == other.chunked());
  if (has_body) CHECK((head.body == body_kind::until_close) == other.need_eof());
  check_lines(head.fields, other);
  return true;
}

// Heads put together from pieces that matter, most of them good.
class composer {
 public:
  explicit composer(std::uint64_t seed) : random_(seed) {}

  std::string request() {
    std::string text = pick({"", "", "", "\r\n"});
    text += pick({"GET", "POST", "PUT", "OPTIONS", "X-Y", "CONNECT", "get"});
    text += " " + pick({"/", "/a/b?c", "http://b.test/c", "*", "a.test:80", "/\x7f", "//"});
    text += " " + pick({"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 "});
    return text + "\r\n" + pick({"Host: a.test\r\n", "host:[::1]:1\r\n", "Host: a\r\n", ""}) +
           rest();
  }
  std::string response() {
    std::string text = pick({"HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2"});
    text +=
        " " + pick({"200 OK", "204 No", "304 Not", "404 a b", "101 x", "200 ", "700 x", "20 x"});
    return text + "\r\n" + rest();
  }

 private:
  std::string pick(std::initializer_list<std::string_view> from) {
    return std::string(from.begin()[random_.below(static_cast<std::uint32_t>(from.size()))]);
  }
  std::string rest() {
    std::string text;
    for (std::uint32_t n = random_.below(5); n > 0; --n) text += line();
    text += "\r\n";
    if (random_.below(3) == 0) mutate(text);
    return text + pick({"", "body", "\r\n"});
  }
  std::string line() {
    switch (random_.below(6)) {
      case 0:
        return "Content-Length: " + pick({"5", "5, 5", "0", "05", "-1", "6", " 5 "}) + "\r\n";
      case 1:
        return "Transfer-Encoding: " + pick({"chunked", "CHUNKED", "gzip", "chunked, x"}) + "\r\n";
      case 2:
        return "Connection: " + pick({"close", "keep-alive", "X, close", ""}) + "\r\n";
      default:
        return pick({"X", "Accept", "X-Long-Field-Name-Here", "a_b", "X Y", ""}) + ":" +
               pick({"", " ", "\t"}) + pick({"", "v", "a b", "\xff\t1", "a\x01", "\r\n b"}) +
               pick({"", " ", " \t "}) + pick({"\r\n", "\r\n", "\r\n", "\n", "\r"});
    }
  }
  void mutate(std::string& text) {
    const std::size_t at = random_.below(static_cast<std::uint32_t>(text.size()));
    text[at] = static_cast<char>(random_.below(256));
  }

  base::random random_;
};

}  // namespace

TEST_CASE("what weir reads as a request Beast reads alike") {
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  composer compose(seed);
  int taken = 0;
  for (int i = 0; i < 30000; ++i) taken += compare_request(compose.request());
  CHECK(taken > 1000);
  CHECK(taken < 27000);
}

TEST_CASE("what weir reads as a response Beast reads alike") {
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  composer compose(seed);
  int taken = 0;
  for (int i = 0; i < 30000; ++i) taken += compare_response(compose.response());
  CHECK(taken > 1000);
  CHECK(taken < 27000);
}

}  // namespace weir::http
