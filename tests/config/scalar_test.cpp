#include "config/scalar.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "config/spec_bind.hpp"

using namespace weir;
using namespace weir::config;
using namespace weir::config::bind;
using namespace std::chrono_literals;

namespace {

base::result<std::string> no_file(const std::string&) {
  return base::error_code(ENOENT, boost::system::system_category());
}

struct got {
  std::optional<value> held;
  std::string message;
};

got read(const shape& type, const node& n) {
  const file_loader files = no_file;
  reading r(root_section(), files);
  got out{read_scalar(type, n, r), {}};
  for (const auto& m : r.take_errors()) out.message += m.message;
  return out;
}

node scalar(const std::string& text) {
  node n;
  n.what = node::kind::scalar;
  n.text = n.written = text;
  return n;
}

template <class T>
T as(const shape& type, const std::string& text) {
  const auto g = read(type, scalar(text));
  INFO(text << ": " << g.message);
  REQUIRE(g.held);
  CHECK(g.message.empty());
  return std::get<T>(*g.held);
}

std::string refusal(const shape& type, const std::string& text) {
  const auto g = read(type, scalar(text));
  CHECK_FALSE(g.held);
  return g.message;
}

}  // namespace

TEST_CASE("each kind of number becomes its own type") {
  CHECK(as<bool>(boolean(), "true"));
  CHECK_FALSE(as<bool>(boolean(), "false"));
  CHECK(as<std::uint64_t>(count(1, 9), "9") == 9);
  CHECK(as<std::uint64_t>(or_word(count(1, 9), "auto"), "auto") == 0);
  CHECK(as<double>(number(0, 9), "0.25") == 0.25);
  CHECK(as<std::uint64_t>(bytes(0, 1e9), "64KiB") == 65536);
  CHECK(as<duration>(span(0s, 1h), "90s") == 90s);
  CHECK(as<double>(share(0, 1), "25%") == 0.25);
  CHECK(as<std::uint64_t>(choice({"a", "b", "c"}), "c") == 2);
}

TEST_CASE("each kind of text becomes its own type, in one form") {
  CHECK(as<address>(of(kind::address), "[::]:80") == address{"::", 80, {}});
  CHECK(as<url>(of(kind::worker_url), "https://H/") == url{true, "h", 443, {}});
  CHECK(as<std::string>(of(kind::hook_url), "http://h/x?y") == "http://h/x?y");
  CHECK(as<std::string>(of(kind::text), "any thing") == "any thing");
  CHECK(as<std::string>(of(kind::name), "w-1") == "w-1");
  CHECK(as<std::string>(of(kind::path), "") == "");
  CHECK(as<std::string>(of(kind::http_path), "/a") == "/a");
  CHECK(as<std::string>(of(kind::host), "h") == "h");
  CHECK(as<std::string>(of(kind::host_pattern), "*.Example") == "*.example");
  CHECK(as<std::string>(of(kind::method), "PURGE") == "PURGE");
  CHECK(as<std::string>(of(kind::field_name), "X-A") == "X-A");
  CHECK(as<std::string>(of(kind::field_value), "a b") == "a b");
  CHECK(as<std::string>(of(kind::cidr), "10.0.0.0/8") == "10.0.0.0/8");
  CHECK(as<std::string>(of(kind::pem_file), "") == "");
}

TEST_CASE("the ends of a range belong to it") {
  CHECK(as<std::uint64_t>(count(1, 9), "1") == 1);
  CHECK(as<duration>(span(10ms, 1h), "10ms") == 10ms);
  CHECK(as<duration>(span(10ms, 1h), "1h") == 1h);
  CHECK(as<double>(share(0, 0.9), "90%") == Approx(0.9));
  CHECK(refusal(count(1, 9), "0") == "`0` is out of range, expected a whole number from 1 to 9");
  CHECK(refusal(count(1, 9), "10") == "`10` is out of range, expected a whole number from 1 to 9");
  CHECK(refusal(share(0, 0.9), "90.1%") ==
        "`90.1%` is out of range, expected a share from 0% to 90%");
}

TEST_CASE("numbers too large for any type are refused, not cut") {
  CHECK(refusal(count(0, 1e9), "4294967296") ==
        "`4294967296` is out of range, expected a whole number from 0 to 1000000000");
  CHECK(refusal(count(0, 9), "99999999999999999999") ==
        "`99999999999999999999`, expected a whole number from 0 to 9");
  CHECK(refusal(number(0, 9), std::string(400, '9')).find("expected a number from 0 to 9") !=
        std::string::npos);
}

TEST_CASE("what is no scalar is named, and what was expected instead") {
  node n;
  n.what = node::kind::list;
  CHECK(read(count(1, 9), n).message == "a list, expected a whole number from 1 to 9");
  n.what = node::kind::map;
  CHECK(read(of(kind::path), n).message == "keys and values, expected a path");
  n.what = node::kind::nothing;
  CHECK(read(boolean(), n).message == "nothing, expected true or false");
}

TEST_CASE("numbers and booleans in quotes are texts, unless a variable made them") {
  auto n = scalar("4");
  n.quoted = true;
  CHECK(read(count(1, 9), n).message ==
        "`4` in quotes, expected a whole number from 1 to 9, did you mean 4");
  n.from_environment = true;
  CHECK(read(count(1, 9), n).held);
  auto word = scalar("auto");
  word.quoted = true;
  CHECK(read(or_word(count(1, 9), "auto"), word).held);
  auto bad = scalar("x");
  bad.quoted = true;
  CHECK(read(count(1, 9), bad).message == "`x` in quotes, expected a whole number from 1 to 9");
  auto text = scalar("5s");
  text.quoted = true;
  CHECK(read(span(0s, 1h), text).held);
}

TEST_CASE("a value whose variable is missing is left without another word") {
  auto n = scalar("");
  n.faulty = true;
  const auto g = read(count(1, 9), n);
  CHECK_FALSE(g.held);
  CHECK(g.message.empty());
}

TEST_CASE("what was meant is said, but not when a variable made the text") {
  const std::vector<std::pair<shape, std::pair<std::string, std::string>>> rows{
      {span(0s, 1h), {"5", "5s"}},
      {bytes(0, 1e9), {"64k", "64KiB"}},
      {share(0, 1), {"0.5", "50%"}},
      {choice({"least_loaded", "first"}), {"least-loaded", "least_loaded"}},
      {boolean(), {"Yes", "true"}},
      {boolean(), {"off", "false"}},
      {of(kind::method), {"post", "POST"}},
      {of(kind::worker_url), {"h:80", "http://h:80"}},
      {of(kind::address), {"localhost:80", "127.0.0.1:80"}},
      {of(kind::cidr), {"10.1.0.0/8", "10.0.0.0/8"}},
  };
  for (const auto& [type, words] : rows) {
    INFO(words.first);
    CHECK(refusal(type, words.first).ends_with(", did you mean " + words.second));
    auto n = scalar(words.first);
    n.from_environment = true;
    n.written = "${V}";
    const auto message = read(type, n).message;
    CHECK(message.find("did you mean") == message.npos);
    CHECK(message.find("`${V}` (from the environment)") == 0);
  }
}

TEST_CASE("nothing is meant where nothing is near") {
  CHECK(refusal(choice({"least_loaded", "first"}), "quickest") ==
        "`quickest`, expected one of least_loaded, first");
  CHECK(refusal(boolean(), "maybe") == "`maybe`, expected true or false");
  CHECK(refusal(of(kind::address), "h:80").find("did you mean") == std::string::npos);
}

TEST_CASE("a file that cannot be read is refused with the reason") {
  for (const auto what : {kind::pem_file, kind::token_file, kind::signing_file})
    CHECK(refusal(of(what), "x.pem").starts_with("`x.pem` cannot be read (No such file"));
  CHECK(refusal(of(kind::signing_file), "whsec_abc")
            .starts_with("a path (not shown) cannot be read"));
}
