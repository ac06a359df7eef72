// The files in config/ against the key tables: what users read is what the reader does.
#include <catch2/catch.hpp>

#include <fstream>
#include <set>

#include "config/document.hpp"
#include "config/dump.hpp"
#include "config/reference.hpp"
#include "config/schema.hpp"
#include "config/spec.hpp"
#include "config/support.hpp"

using namespace weir::config;
using test::world;

namespace {

// Below the folder of the sources, which the build names: how a compiler spells __FILE__ depends on
// its caches.
std::string source_file(const std::string& path) {
  std::ifstream in(WEIR_SOURCE "/" + path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

const std::string generated_mark =
    "<!-- the tables below are generated: weir_config_tests \"[.regenerate]\" -->\n\n";

// full.yaml with its optional lines in force.
std::string full_yaml_uncommented() {
  std::istringstream in(source_file("config/full.yaml"));
  std::string out;
  for (std::string line; std::getline(in, line);)
    out += (line.starts_with("#: ") ? line.substr(3) : line) + "\n";
  return out;
}

world full_world() {
  world w;
  w.files["/etc/weir/admin.token"] = w.files["/etc/weir/worker.token"] =
      "token-of-the-full-example";
  return w;
}

node_ptr parse(const std::string& text) {
  auto parsed = parse_document(text, {});
  REQUIRE(parsed.mistakes.empty());
  return parsed.root;
}

const node* first_item(const key& k, const node& n) {
  if (k.what == key::form::list) return n.items.empty() ? nullptr : n.items.front().get();
  if (k.what == key::form::map) return n.entries.empty() ? nullptr : n.entries.front().value.get();
  return &n;
}

// Calls seen(section, key, value) for every key that stands in the document, the first item of each
// list and map standing for all; hooks, whose items differ by design, are all walked.
template <class Seen>
void walk(const section& s, const node& n, Seen&& seen) {
  for (const auto& e : n.entries) {
    const key* k = s.find(e.key);
    REQUIRE(k);
    seen(s, *k, *e.value);
    if (!k->inside) continue;
    if (k->name == "hooks") {
      for (const auto& item : e.value->items) walk(*k->inside, *item, seen);
    } else if (const node* item = first_item(*k, *e.value)) {
      walk(*k->inside, *item, seen);
    }
  }
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(WEIR_SOURCE "/" + path) << text;
}

}  // namespace

// Not a test: writes what the two below compare with. Run by hand after a change of the tables.
TEST_CASE("regenerate the schema and the reference", "[.regenerate]") {
  write_file("config/weir.schema.json", schema_json());
  const auto readme = source_file("config/README.md");
  const auto at = readme.find(generated_mark);
  REQUIRE(at != readme.npos);
  write_file("config/README.md", readme.substr(0, at) + generated_mark + reference_markdown());
}

TEST_CASE("the shipped schema is the one that the reader's tables give") {
  CHECK(source_file("config/weir.schema.json") == schema_json());
}

TEST_CASE("the reference in config/README.md is the one that the reader's tables give") {
  const auto readme = source_file("config/README.md");
  const auto at = readme.find(generated_mark);
  REQUIRE(at != readme.npos);
  CHECK(readme.substr(at + generated_mark.size()) == reference_markdown());
}

TEST_CASE("every key has a meaning, and every number, size, duration and share a range") {
  for (const auto* s : all_sections())
    for (const auto& k : s->keys) {
      INFO(s->path << "." << k.name);
      CHECK(k.doc.size() > 5);
      CHECK(k.doc.ends_with('.'));
      CHECK((k.at_limit.empty() || k.at_limit.ends_with('.')));
      const bool numeric =
          k.type.what != kind::boolean && k.type.what != kind::choice && k.type.what <= kind::share;
      if (k.what == key::form::leaf && numeric) CHECK(k.type.max > k.type.min);
    }
}

TEST_CASE("the small example is whole and gives no warning") {
  const auto got = world().read(source_file("config/weir.yaml"));
  INFO(got.text() << got.warning_text());
  CHECK(got.ok());
  CHECK(got.warnings.empty());
}

TEST_CASE("the full example is whole as it stands and with its optional lines") {
  const auto plain = full_world().read(source_file("config/full.yaml"));
  INFO(plain.text());
  CHECK(plain.ok());
  const auto all = full_world().read(full_yaml_uncommented());
  INFO(all.text());
  CHECK(all.ok());
}

TEST_CASE("the full example holds every key there is") {
  std::set<const key*> seen;
  walk(root_section(), *parse(full_yaml_uncommented()),
       [&](const section&, const key& k, const node&) { seen.insert(&k); });
  const std::set<std::string_view> alternatives{"bytes", "fixed", "path"};  // instead of `header`
  for (const auto* s : all_sections())
    for (const auto& k : s->keys) {
      INFO(s->path << "." << k.name);
      const bool choice = s->path == "routes[].cost" || s->path == "routes[].affinity";
      const bool other_choice = choice && alternatives.contains(k.name);
      CHECK((seen.contains(&k) || other_choice));
    }
}

TEST_CASE("the full example as it stands changes nothing but names: every value is its default") {
  const auto full = full_world().read(source_file("config/full.yaml")).settings;
  const auto least =
      world()
          .read(
              "listeners: [{name: front, bind: \"127.0.0.1:8080\"}]\n"
              "routes: [{name: orders, pool: loaders}]\n"
              "pools: {loaders: {workers: [{id: w1, url: \"http://127.0.0.1:9001\"}]}}\n")
          .settings;
  CHECK(dump_json(full) == dump_json(least));
}

TEST_CASE("optional lines of the full example hold the default where there is one") {
  walk(root_section(), *parse(full_yaml_uncommented()),
       [&](const section& s, const key& k, const node& n) {
         if (k.what != key::form::leaf || k.required || n.what != node::kind::scalar) return;
         const auto text = to_text(k.type, k.fallback);
         if (text.empty() || text == "[]") return;
         INFO(s.path << "." << k.name << ": " << n.text << ", default " << text);
         CHECK((n.text == text || n.text == "60s"));  // 60s is how people write 1m
       });
}
