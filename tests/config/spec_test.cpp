#include "config/spec.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config/reading.hpp"
#include "config/reference.hpp"
#include "config/schema.hpp"
#include "config/spec_bind.hpp"

using namespace weir::config;
using namespace std::chrono_literals;

TEST_CASE("what a key takes is said in words, with its range or its choices") {
  using namespace bind;
  const std::vector<std::pair<shape, std::string>> rows{
      {boolean(), "true or false"},
      {count(1, 64), "a whole number from 1 to 64"},
      {or_word(count(1, 64), "auto"), "auto or a whole number from 1 to 64"},
      {number(0.5, 2), "a number from 0.5 to 2"},
      {bytes(1024, 1 << 20), "a size from 1KiB to 1MiB, such as 64KiB or 1GiB"},
      {span(0s, 1h), "a duration from 0s to 1h, such as 250ms, 5s, 2m or 1h"},
      {share(0, 0.9), "a share from 0% to 90%"},
      {choice({"a", "b"}), "one of a, b"},
      {of(kind::address), "ADDRESS:PORT, [IPV6]:PORT (in quotes) or unix:/PATH"},
      {of(kind::worker_url), "http://HOST:PORT, https://HOST:PORT or unix:/PATH"},
      {of(kind::hook_url), "an http:// or https:// url"},
      {of(kind::text), "a text"},
      {of(kind::name), "a name of letters, digits, '-', '_' and '.', at most 64"},
      {of(kind::path), "a path"},
      {of(kind::http_path), "an absolute path such as /load, without query"},
      {of(kind::host), "a host name or address"},
      {of(kind::host_pattern), "a host name, or *.NAME"},
      {of(kind::method), "an HTTP method"},
      {of(kind::field_name), "a header field name"},
      {of(kind::field_value), "a header field value"},
      {of(kind::cidr), "an address range such as 10.0.0.0/8"},
      {of(kind::pem_file), "the path of a PEM file"},
      {of(kind::token_file), "the path of a file with a token"},
      {of(kind::signing_file), "the path of a file with whsec_ and a base64 key"},
      {list(of(kind::method), 0, 5), "a list, each an HTTP method"},
      {one_or_list(of(kind::host), 5), "a host name or address, or a list of them"},
      {fields(5), "header field names with their values"},
  };
  for (const auto& [type, text] : rows) CHECK(expects(type) == text);
}

TEST_CASE("values are written as in the file, and as JSON") {
  using namespace bind;
  using texts = std::vector<std::string>;
  using counts = std::vector<std::uint64_t>;
  struct row {
    shape type;
    value held;
    std::string text, json;
  };
  const std::vector<row> rows{
      {boolean(), true, "true", "true"},
      {boolean(), false, "false", "false"},
      {count(0, 9), std::uint64_t{5}, "5", "5"},
      {count(0, 9), std::uint64_t{0}, "0", "0"},
      {or_word(count(1, 9), "auto"), std::uint64_t{0}, "auto", "\"auto\""},
      {or_word(count(1, 9), "auto"), std::uint64_t{3}, "3", "3"},
      {number(0, 9), 0.5, "0.5", "0.5"},
      {bytes(0, 9), std::uint64_t{65536}, "64KiB", "\"64KiB\""},
      {span(0s, 9s), duration(5s), "5s", "\"5s\""},
      {share(0, 1), 0.2, "20%", "\"20%\""},
      {choice({"a", "b"}), std::uint64_t{1}, "b", "\"b\""},
      {choice({"a", "b"}), true, "b", "\"b\""},
      {choice({"a", "b"}), false, "a", "\"a\""},
      {of(kind::text), std::string("x\"y"), "x\"y", "\"x\\\"y\""},
      {of(kind::address), address{"::", 80, {}}, "[::]:80", "\"[::]:80\""},
      {of(kind::worker_url), url{true, "h", 443, {}}, "https://h:443", "\"https://h:443\""},
      {of(kind::token_file), secret{"path", "hidden"}, "path", "\"path\""},
      {list(of(kind::method), 0, 9), texts{"GET", "PUT"}, "[GET, PUT]", "[\"GET\", \"PUT\"]"},
      {list(of(kind::method), 0, 9), texts{}, "[]", "[]"},
      {statuses(0, 9), counts{1, 2}, "[1, 2]", "[1, 2]"},
      {fields(9), std::map<std::string, std::string>{{"A", "b"}, {"C", "d"}}, "{A: b, C: d}",
       "{\"A\": \"b\", \"C\": \"d\"}"},
  };
  for (const auto& r : rows) {
    CHECK(to_text(r.type, r.held) == r.text);
    CHECK(to_json(r.type, r.held) == r.json);
  }
}

TEST_CASE("every section is listed once, parents before children, under a path of its own") {
  const auto sections = all_sections();
  REQUIRE_FALSE(sections.empty());
  CHECK(sections.front() == &root_section());
  std::set<std::string_view> paths;
  std::set<const section*> seen{&root_section()};
  for (const auto* s : sections) {
    INFO(s->path);
    CHECK(paths.insert(s->path).second);
    CHECK(seen.contains(s));
    for (const auto& k : s->keys)
      if (k.inside) seen.insert(k.inside);
  }
  CHECK(seen.size() == sections.size());
}

TEST_CASE("no section has two keys of one name, and each can be found") {
  for (const auto* s : all_sections()) {
    std::set<std::string_view> names;
    for (const auto& k : s->keys) {
      INFO(s->path << "." << k.name);
      CHECK(names.insert(k.name).second);
      CHECK(s->find(k.name) == &k);
    }
    CHECK(s->find("no_such_key") == nullptr);
  }
}

TEST_CASE("every key is tied to a place: leaves load and store, the others open or append") {
  for (const auto* s : all_sections())
    for (const auto& k : s->keys) {
      INFO(s->path << "." << k.name);
      switch (k.what) {
        case key::form::leaf:
          CHECK((k.store && k.load && !k.inside));
          break;
        case key::form::section:
          CHECK((k.open && k.peek && k.inside));
          break;
        case key::form::map:
          CHECK(k.item_name);
          [[fallthrough]];
        case key::form::list:
          CHECK((k.append && k.items && k.inside));
          CHECK(k.type.items_max > 0);
          break;
      }
    }
}

TEST_CASE("what needs a restart is what the process holds from its start") {
  std::vector<std::string> names;
  for (const auto* s : all_sections())
    for (const auto& k : s->keys)
      if (k.restart) names.push_back(std::string(s->path) + "." + std::string(k.name));
  for (const std::string must : {".threads", ".state_dir", "admin.bind", "registration.bind"}) {
    INFO(must);
    CHECK(std::find(names.begin(), names.end(), must) != names.end());
  }
  for (const std::string never : {".drain_timeout", "listeners[].bind", "pools.NAME.slow_start"})
    CHECK(std::find(names.begin(), names.end(), never) == names.end());
}

TEST_CASE("a path grows and shrinks with its steps, and stands before messages") {
  const file_loader none;
  reading r(root_section(), none);
  node n;
  n.at = {3, 4};
  {
    const reading::step pools(r, "pools");
    const reading::step name(r, "a");
    {
      const reading::step list(r, "workers");
      const reading::step item(r, std::size_t{2});
      CHECK(r.path() == "pools.a.workers[2]");
      r.error(n, "is wrong");
    }
    CHECK(r.path() == "pools.a");
    r.warn(n, "looks odd");
  }
  CHECK(r.path() == "");
  CHECK(r.has_mistake(n));
  CHECK(r.take_errors() == std::vector<diagnostic>{{{3, 4}, "pools.a.workers[2]: is wrong"}});
  CHECK(r.take_warnings() == std::vector<diagnostic>{{{3, 4}, "pools.a: looks odd"}});
}

TEST_CASE("mistakes come out by place, those of one place in the order found, each once") {
  const file_loader none;
  reading r(root_section(), none);
  r.error_at({2, 1}, "second");
  r.error_at({1, 9}, "first, later");
  r.error_at({1, 2}, "first");
  r.error_at({2, 1}, "second");
  r.error_at({2, 1}, "third");
  CHECK(r.take_errors() ==
        std::vector<diagnostic>{
            {{1, 2}, "first"}, {{1, 9}, "first, later"}, {{2, 1}, "second"}, {{2, 1}, "third"}});
}

TEST_CASE("only a key that was given and read without a mistake is sound") {
  const file_loader none;
  reading r(root_section(), none);
  auto good = std::make_shared<node>(), bad = std::make_shared<node>(),
       unset = std::make_shared<node>();
  unset->faulty = true;
  node map;
  map.entries = {{"good", {}, good}, {"bad", {}, bad}, {"unset", {}, unset}};
  r.error(*bad, "is wrong");
  CHECK(r.sound(map, "good") == good.get());
  CHECK(r.sound(map, "bad") == nullptr);
  CHECK(r.sound(map, "unset") == nullptr);
  CHECK(r.sound(map, "absent") == nullptr);
}

TEST_CASE("the reference has a table a section, and each row has five cells") {
  const auto text = reference_markdown();
  std::istringstream in(text);
  std::size_t headings = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("### ")) ++headings;
    if (!line.starts_with("| `")) continue;
    INFO(line);
    std::size_t bars = 0;
    bool code = false;
    for (const char c : line) {
      if (c == '`') code = !code;
      if (c == '|' && !code) ++bars;
    }
    CHECK(bars == 6);
    CHECK_FALSE(code);
  }
  CHECK(headings == all_sections().size());
}

TEST_CASE("reference rows say type, unit, range, default, meaning and limit") {
  const auto text = reference_markdown();
  for (const auto row : {
           "| `threads` | `auto` or whole number, 1 to 1024 | `auto` | Event loops; auto is one a "
           "core. A change needs a restart. | – |",
           "| `target_bytes_max` | size in bytes, 256B to 1MiB | `8KiB` | Length of a request "
           "target. | The request gets 414. |",
           "| `jitter` | share, 0% to 90% | `20%` |",
           "| `tls` | keys below | absent |",
           "| `pool` | name | required |",
           "| `methods` | list of 0 to 32: HTTP method | none |",
           "| `host` | host name or `*.NAME`, or a list of up to 64 | none |",
           "| `set` | up to 64 header fields with values | none |",
           "| `order` | `cost_aware`, `fifo` | `cost_aware` |",
       }) {
    INFO(row);
    CHECK(text.find(row) != text.npos);
  }
}

TEST_CASE("the schema names every section and refers to nothing that it does not define") {
  const auto text = schema_json();
  const std::string reference = "\"#/$defs/";
  for (auto at = text.find(reference); at != text.npos; at = text.find(reference, at + 1)) {
    const auto from = at + reference.size();
    const auto name = text.substr(from, text.find('"', from) - from);
    INFO(name);
    CHECK(text.find("    \"" + name + "\": {") != text.npos);
  }
  CHECK(text.find("$defs/pools.autoscale.hooks.webhook\"") != text.npos);
}
