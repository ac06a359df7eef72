#include "config/addresses.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace weir::config;

TEST_CASE("addresses to bind are an IP address with its port, or a unix path") {
  struct row {
    std::string_view text;
    address expected;
  };
  const std::vector<row> rows{
      {"127.0.0.1:8080", {"127.0.0.1", 8080, {}}},
      {"0.0.0.0:0", {"0.0.0.0", 0, {}}},
      {"10.1.2.3:65535", {"10.1.2.3", 65535, {}}},
      {"[::]:80", {"::", 80, {}}},
      {"[2001:DB8::1]:80", {"2001:db8::1", 80, {}}},
      {"unix:/run/weir.sock", {{}, 0, "/run/weir.sock"}},
  };
  for (const auto& r : rows) {
    INFO(r.text);
    REQUIRE(parse_address(r.text));
    CHECK(*parse_address(r.text) == r.expected);
  }
}

TEST_CASE("an address without port, with a name, or half in brackets is none") {
  const std::string too_long = "unix:/" + std::string(107, 'x');
  for (const std::string_view text : {"",
                                      ":80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:x",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:000080",
                                      "127.0.0.1 :80",
                                      "127.0.0.1:80 ",
                                      "localhost:80",
                                      "127.0.0:80",
                                      "256.0.0.1:80",
                                      "::1:80",
                                      "::",
                                      "[::1]",
                                      "[::1]80",
                                      "[::1]:",
                                      "[::1:80",
                                      "[127.0.0.1]:80",
                                      "[]:80",
                                      "[fe80::1%lo]:80",
                                      "*:80",
                                      "http://127.0.0.1:80",
                                      "unix:",
                                      "unix:/",
                                      "unix:weir.sock",
                                      "unix:./weir.sock",
                                      "unix:/run/",
                                      too_long.c_str()}) {
    INFO(text);
    CHECK_FALSE(parse_address(text));
  }
}

TEST_CASE("an address is written as it is read") {
  for (const std::string text : {"127.0.0.1:8080", "[::]:80", "unix:/run/weir.sock", "0.0.0.0:0"}) {
    CHECK(to_string(*parse_address(text)) == text);
  }
}

TEST_CASE("loopback and unix sockets are local, everything else is not") {
  for (const auto text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:/run/a"})
    CHECK(is_local(*parse_address(text)));
  for (const auto text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[2001:db8::1]:1"})
    CHECK_FALSE(is_local(*parse_address(text)));
}

TEST_CASE("worker urls are a scheme and a place") {
  struct row {
    std::string_view text;
    url expected;
    std::string_view written;
  };
  const std::vector<row> rows{
      {"http://h", {false, "h", 80, {}}, "http://h:80"},
      {"http://h/", {false, "h", 80, {}}, "http://h:80"},
      {"http://h:9001", {false, "h", 9001, {}}, "http://h:9001"},
      {"https://h", {true, "h", 443, {}}, "https://h:443"},
      {"https://h:80/", {true, "h", 80, {}}, "https://h:80"},
      {"http://Worker-1.Example.ORG",
       {false, "worker-1.example.org", 80, {}},
       "http://worker-1.example.org:80"},
      {"http://under_score:1", {false, "under_score", 1, {}}, "http://under_score:1"},
      {"http://10.0.0.1:9001", {false, "10.0.0.1", 9001, {}}, "http://10.0.0.1:9001"},
      {"http://[2001:db8::1]:9001", {false, "2001:db8::1", 9001, {}}, "http://[2001:db8::1]:9001"},
      {"http://[::1]", {false, "::1", 80, {}}, "http://[::1]:80"},
      {"unix:/run/w.sock", {false, {}, 80, "/run/w.sock"}, "unix:/run/w.sock"},
  };
  for (const auto& r : rows) {
    INFO(r.text);
    REQUIRE(parse_worker_url(r.text));
    CHECK(*parse_worker_url(r.text) == r.expected);
    CHECK(to_string(*parse_worker_url(r.text)) == r.written);
    CHECK(parse_worker_url(r.written) == parse_worker_url(r.text));
  }
}

TEST_CASE("a worker url with user, path, query, a bad port or another scheme is none") {
  for (const std::string_view text : {"",
                                      "h",
                                      "h:80",
                                      "//h",
                                      "ftp://h",
                                      "HTTP://h",
                                      "http:/h",
                                      "http:h",
                                      "http://",
                                      "http:///",
                                      "http://:80",
                                      "http://h:0",
                                      "http://h:",
                                      "http://h:65536",
                                      "http://h:x",
                                      "http://u@h",
                                      "http://u:p@h",
                                      "http://h/load",
                                      "http://h//",
                                      "http://h?a",
                                      "http://h#a",
                                      "http://h h",
                                      "http://-h",
                                      "http://.h",
                                      "http://a..b",
                                      "http://10.0.0",
                                      "http://10.0.0.256",
                                      "http://[::1",
                                      "http://[h]",
                                      "http://[10.0.0.1]",
                                      "http://::1",
                                      "http://h%41",
                                      "unix:w.sock",
                                      "unix:"}) {
    INFO(text);
    CHECK_FALSE(parse_worker_url(text));
  }
}

TEST_CASE("hook urls may have a path and a query, but no user or fragment") {
  for (const std::string_view text : {"http://h", "https://h/", "https://h:8443/a/b?code=c",
                                      "http://h?q", "http://[::1]:80/x", "https://10.0.0.1/x"}) {
    INFO(text);
    CHECK(valid_hook_url(text));
  }
  for (const std::string_view text : {"", "h/x", "ftp://h", "http://", "http:///x", "http://u:p@h/",
                                      "http://h/#f", "http://h/a b", "http://h:0/", "http://h:x/",
                                      "http://h/\n", "unix:/x", "http://h/\xc3\xa9"}) {
    INFO(text);
    CHECK_FALSE(valid_hook_url(text));
  }
}

TEST_CASE("credentials in a url are seen, however it is mistyped, and then nothing is shown") {
  for (const std::string_view text :
       {"http://u:p@h/", "https://u@h", "u:p@h:80/x", "http://@h", "http://u:s/s@h:80",
        "http://u:s#s@h", "http://u:s?s@h", "//u:s@h", "http:/u:s@h", "http://h/a@b"}) {
    INFO(text);
    CHECK(holds_credentials(text));
    CHECK(shown_text(text).empty());
  }
  for (const std::string_view text : {"", "h@", "@", "unix:/run/a@b", "http://h/a", "a@b:80"}) {
    INFO(text);
    CHECK_FALSE(holds_credentials(text));
    CHECK(shown_text(text) == text);
  }
}

TEST_CASE("of a url no query is shown: keys stand there") {
  CHECK(shown_text("https://h/x?key=K#f") == "https://h/x...");
  CHECK(shown_text("https://h/x#K") == "https://h/x...");
  CHECK(shown_text("/orders?x") == "/orders?x");
  CHECK(shown_text("what?") == "what?");
}

TEST_CASE("of a hook url only scheme and place are shown") {
  CHECK(hook_origin("https://h:8443/services/T0/B0/key") == "https://h:8443");
  CHECK(hook_origin("https://h?code=key") == "https://h");
  CHECK(hook_origin("https://h") == "https://h");
  CHECK(hook_origin("nothing") == "");
}

TEST_CASE("a url has an origin when scheme, host and port are the same, whatever is behind it") {
  const std::vector<std::string> allowed{"https://a.example", "http://b.example:8080",
                                         "http://[::1]"};
  for (const char* url : {"https://a.example", "https://a.example/x?y=z", "https://A.Example/",
                          "https://a.example:443?x", "http://b.example:8080/", "http://[::1]:80/x"})
    CHECK(has_origin(url, allowed));
  for (const char* url : {"http://a.example/", "https://a.example:8443/", "https://a.example.evil/",
                          "https://evil.example/https://a.example", "https://user@a.example/",
                          "https://a.example@evil.example/", "https://a.example/#x", "a.example",
                          "http://b.example/", "", "https://", "https://a.example\n/",
                          "https://a.examples/"})
    CHECK_FALSE(has_origin(url, allowed));
  CHECK_FALSE(has_origin("https://a.example", {}));
}

TEST_CASE("hosts are names or IPv4 addresses, patterns may begin with one star") {
  for (const std::string_view text : {"h", "a.example", "A-1.b_2", "10.0.0.1", "xn--nxasmq6b"}) {
    INFO(text);
    CHECK(valid_host(text));
    CHECK(valid_host_pattern(text));
  }
  for (const std::string_view text : {"", ".", "-a", ".a", "a..b", "a b", "a:80", "[::1]",
                                      "10.0.0.300", "a/b", "a*", "\xc3\xa9"}) {
    INFO(text);
    CHECK_FALSE(valid_host(text));
    CHECK_FALSE(valid_host_pattern(text));
  }
  CHECK_FALSE(valid_host(std::string(254, 'a')));
  CHECK(valid_host_pattern("*.example.org"));
  for (const std::string_view text : {"*", "*.", "*.*.a", "a.*", "*a.b", "**.a"}) {
    INFO(text);
    CHECK_FALSE(valid_host_pattern(text));
  }
}

TEST_CASE("tokens are those of RFC 9110") {
  for (const std::string_view text : {"GET", "X-Tenant", "a", "!#$%&'*+-.^_`|~9"})
    CHECK(valid_token(text));
  for (const std::string_view text :
       {"", "a b", "a:", "a\t", "(a)", "a,b", "a\"", "a/b", "\xc3\xa9"})
    CHECK_FALSE(valid_token(text));
}

TEST_CASE("field values have no control characters and no blanks around them") {
  for (const std::string_view text : {"", "a", "a b", "a\tb", "\xc3\xa9", "~"})
    CHECK(valid_field_value(text));
  for (const std::string_view text : {" a", "a ", "\ta", "a\nb", "a\rb", "a\x7f", "\x01"})
    CHECK_FALSE(valid_field_value(text));
  CHECK_FALSE(valid_field_value(std::string_view("a\0b", 3)));
}

TEST_CASE("paths are absolute, visible and without query or fragment") {
  for (const std::string_view text : {"/", "/a", "/a/b", "/a%20b", "/a/", "/~a;b=c"})
    CHECK(valid_path(text));
  for (const std::string_view text : {"", "a", "*", "/a b", "/a?b", "/a#b", "/\n", "/\xc3\xa9"})
    CHECK_FALSE(valid_path(text));
}

TEST_CASE("names fit urls, labels and header fields") {
  for (const std::string_view text : {"a", "W1", "loaders-eu_1.b", "0"}) CHECK(valid_name(text));
  for (const std::string_view text :
       {"", "-a", "_a", ".a", "a b", "a/b", "a\"b", "\xc3\xa9", "a\n"})
    CHECK_FALSE(valid_name(text));
  CHECK(valid_name(std::string(64, 'a')));
  CHECK_FALSE(valid_name(std::string(65, 'a')));
}

TEST_CASE("a known method in another case is a slip, an unknown one is not") {
  for (const std::string_view text : {"get", "Post", "pUT", "delete"})
    CHECK(method_in_wrong_case(text));
  for (const std::string_view text : {"GET", "POST", "PURGE", "purge", ""})
    CHECK_FALSE(method_in_wrong_case(text));
}
