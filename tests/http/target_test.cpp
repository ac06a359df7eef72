// Authorities and the forms of request targets.
#include "http/target.hpp"

#include "http/support.hpp"

namespace weir::http {

TEST_CASE("a valid authority is a name or an address with an optional port") {
  for (const std::string_view text : {"a",
                                      "a.test",
                                      "A-b.C_d~e",
                                      "a.test.",
                                      "192.0.2.1",
                                      "a:80",
                                      "a:",
                                      "a:0",
                                      "a:65535",
                                      "a:00080",
                                      "[::]",
                                      "[::1]",
                                      "[::1]:80",
                                      "[::1]:",
                                      "[1::]",
                                      "[1:2:3:4:5:6:7:8]",
                                      "[1:2:3:4:5:6:7::]",
                                      "[::2:3:4:5:6:7:8]",
                                      "[2001:DB8::a]",
                                      "[::ffff:192.0.2.1]",
                                      "[1:2:3:4:5:6:192.0.2.1]",
                                      "[::192.0.2.255]",
                                      "1",
                                      "999.999"}) {
    INFO(text);
    CHECK(valid_authority(text));
  }
}

TEST_CASE("anything else is no authority") {
  for (const std::string_view text : {"",
                                      ":",
                                      ":80",
                                      "a:b",
                                      "a:80:80",
                                      "a:65536",
                                      "a:100000000000000000000",
                                      "a:-1",
                                      "a b",
                                      "a,b",
                                      "a/b",
                                      "a@b",
                                      "a?b",
                                      "a%20b",
                                      "a!b",
                                      "a\\b",
                                      "[",
                                      "]",
                                      "[]",
                                      "[]:80",
                                      "[:]",
                                      "[:::]",
                                      "[1:]",
                                      "[:1]",
                                      "[::1",
                                      "::1",
                                      "[::1]]",
                                      "[::1]a",
                                      "[::1]80",
                                      "[1:2:3:4:5:6:7]",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[1:2:3:4:5:6:7:8::]",
                                      "[::1:2:3:4:5:6:7:8]",
                                      "[1::2::3]",
                                      "[12345::]",
                                      "[g::]",
                                      "[::1%eth0]",
                                      "[v1.a]",
                                      "[::1.2.3]",
                                      "[::1.2.3.256]",
                                      "[::1.2.3.4.5]",
                                      "[::1.2.3.]",
                                      "[1:2:3:4:5:6:7:1.2.3.4]",
                                      "[1.2.3.4]",
                                      "[1.2.3.4::]",
                                      "[::1.2.3.0004]"}) {
    INFO(text);
    CHECK_FALSE(valid_authority(text));
  }
}

TEST_CASE("a target is split by its form") {
  struct row {
    std::string_view target;
    bool valid;
    std::string_view authority, path, query;
  };
  const row rows[] = {
      {"/", true, "", "/", ""},
      {"/a?b", true, "", "/a", "b"},
      {"/http://x", true, "", "/http://x", ""},
      {"*", true, "", "*", ""},
      {"http://a", true, "a", "", ""},
      {"http://a/", true, "a", "/", ""},
      {"http://a:1/b?c", true, "a:1", "/b", "c"},
      {"http://a?c", true, "a", "", "c"},
      {"HtTpS://[::1]/b", true, "[::1]", "/b", ""},
      {"http://a?b/c", true, "a", "", "b/c"},
      {"http://", false, "", "", ""},
      {"http:///a", false, "", "/a", ""},
      {"http://a b/", false, "a b", "/", ""},
      {"http:/a", false, "", "", ""},
      {"ws://a/", false, "", "", ""},
      {"a:80", false, "", "", ""},
      {"a", false, "", "", ""},
      {"**", false, "", "", ""},
  };
  for (const row& r : rows) {
    INFO(r.target);
    const target_parts parts = split_target(r.target);
    CHECK(parts.valid == r.valid);
    CHECK(parts.authority == r.authority);
    CHECK(parts.path == r.path);
    CHECK(parts.query == r.query);
  }
}

}  // namespace weir::http
