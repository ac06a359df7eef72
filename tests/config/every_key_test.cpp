// Rules that hold for every key there is, proven by walking the tables: bounds are taken and one
// beyond them is refused, words read back as themselves, a change of one key is one difference.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "config/diff.hpp"
#include "config/dump.hpp"
#include "config/spec.hpp"
#include "config/support.hpp"
#include "config/units.hpp"

using namespace weir;
using namespace weir::config;
using test::parts;
using test::world;

namespace {

struct place {
  const section* in;
  const key* of;
};

std::vector<place> all_leaves() {
  std::vector<place> out;
  for (const auto* s : all_sections())
    for (const auto& k : s->keys)
      if (k.what == key::form::leaf) out.push_back({s, &k});
  return out;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  return at == text.npos ? text : text.replace(at, from.size(), to);
}

// What else must stand beside a key of that section for it to be whole.
std::string companions(const section& s, std::string_view key) {
  std::string out;
  const auto needs = [&](std::string_view name, const std::string& text) {
    if (s.find(name) && s.find(name)->required && name != key)
      out += fmt::format(", {}: {}", name, text);
  };
  needs("certificate", "s.pem");
  needs("private_key", "s.key");
  needs("token_file", "token");
  needs("allow", "[10.0.0.0/8]");
  needs("url", "\"http://h\"");
  needs("command", "[/bin/x]");
  needs("id", "w1");
  needs("dir", "copies");
  if (s.path == "registration" && key != "bind") out += ", bind: \"127.0.0.1:9901\"";
  if (s.path == "pools.NAME.tls" && key == "certificate") out += ", private_key: s.key";
  if (s.path == "pools.NAME.tls" && key == "private_key") out += ", certificate: s.pem";
  return out;
}

// Keys that rules compare with the one under test, moved out of its way.
std::string out_of_the_way(std::string_view key) {
  if (key == "interval") return ", fast_interval: 10ms, down_interval_max: 24h";
  if (key == "fast_interval") return ", interval: 1h, down_interval_max: 24h";
  if (key == "down_interval_max") return ", interval: 10ms, fast_interval: 10ms";
  if (key == "base_time") return ", max_time: 24h";
  if (key == "max_time") return ", base_time: 100ms";
  if (key == "backoff_base") return ", backoff_max: 24h";
  if (key == "backoff_max") return ", backoff_base: 0s";
  if (key == "head_bytes_max") return ", target_bytes_max: 256B";
  if (key == "target_bytes_max") return ", head_bytes_max: 1MiB";
  if (key == "replay_batch_bytes_max") return ", replay_total_bytes_max: 1TiB";
  if (key == "replay_total_bytes_max") return ", replay_batch_bytes_max: 0";
  if (key == "min") return ", max: 65536";
  if (key == "max") return ", min: 0";
  return {};
}

// A whole configuration with that key at that value, "KEY" standing where it goes.
parts around(const section& s, std::string_view name, const std::string& text) {
  const std::string path(s.path);
  const bool compared = path.find("health_check") != path.npos ||
                        path.find("ejection") != path.npos || path.ends_with("retry") ||
                        path == "limits" || path.ends_with("autoscale");
  std::string keys = fmt::format("{}: {}{}{}", name, text, companions(s, name),
                                 compared ? out_of_the_way(name) : "");
  const auto within = [&](std::string_view prefix) {
    std::string inner = path.substr(prefix.size());
    while (!inner.empty()) {  // ".queue.durable" -> queue: {durable: {…}}
      const auto dot = inner.rfind('.');
      auto last = inner.substr(dot + 1);
      const bool list = last.ends_with("[]");
      if (list) last.resize(last.size() - 2);
      keys = list ? fmt::format("{}: [{{{}}}]", last, keys) : fmt::format("{}: {{{}}}", last, keys);
      inner.resize(dot);
    }
    return keys;
  };
  parts whole;
  if (path.starts_with("listeners[]")) {
    const auto k = within("listeners[]");
    const bool bind = path == "listeners[]" && name == "bind";
    const bool own_name = path == "listeners[]" && name == "name";
    whole.listeners = fmt::format("listeners: [{{{}{}{}}}]", own_name ? "" : "name: front, ",
                                  bind ? "" : "bind: \"127.0.0.1:8080\", ", k);
  } else if (path.starts_with("routes[]")) {
    const auto k = within("routes[]");
    const bool own_name = path == "routes[]" && name == "name";
    const bool pool = path == "routes[]" && name == "pool";
    whole.routes = fmt::format("routes: [{{{}{}{}}}]", own_name ? "" : "name: all, ",
                               pool ? "" : "pool: loaders, ", k);
  } else if (path.starts_with("pools.NAME")) {
    whole.pools = fmt::format("pools: {{loaders: {{{}}}}}", within("pools.NAME"));
  } else {
    whole.top = path.empty() ? keys : fmt::format("{}: {{{}}}", path, keys);
  }
  return whole;
}

bool takes(const place& p, const std::string& text) {
  const auto whole = around(*p.in, p.of->name, text);
  const auto got = world().read(whole.text());
  UNSCOPED_INFO(whole.text() << got.text());
  return got.ok();
}

// A number of that kind as it is written; a list when the key wants one.
std::string written(const shape& type, double n) {
  const auto one = type.what == kind::size        ? format_size(static_cast<std::uint64_t>(n))
                   : type.what == kind::time_span ? format_duration(base::from_seconds(n))
                   : type.what == kind::share     ? format_share(n)
                                                  : format_number(n);
  return type.how == many::one ? one : "[" + one + "]";
}

bool is_ranged(const shape& type) {
  return type.what == kind::count || type.what == kind::number || type.what == kind::size ||
         type.what == kind::time_span || type.what == kind::share;
}

double one_step(const shape& type) {
  if (type.what == kind::time_span) return 0.001;
  return type.what == kind::share || type.what == kind::number ? 0.0001 : 1;
}

}  // namespace

TEST_CASE("every number, size, duration and share is taken at both ends of its range") {
  for (const auto& p : all_leaves()) {
    if (!is_ranged(p.of->type)) continue;
    INFO(p.in->path << "." << p.of->name);
    CHECK(takes(p, written(p.of->type, p.of->type.min)));
    CHECK(takes(p, written(p.of->type, p.of->type.max)));
  }
}

TEST_CASE("every number, size, duration and share is refused one step beyond its range") {
  for (const auto& p : all_leaves()) {
    const auto& type = p.of->type;
    if (!is_ranged(type)) continue;
    INFO(p.in->path << "." << p.of->name);
    CHECK_FALSE(takes(p, written(type, type.max + one_step(type))));
    if (type.min > 0 && !(type.min == 1 && type.zero_word.size()))
      CHECK_FALSE(takes(p, written(type, type.min - one_step(type))));
  }
}

TEST_CASE("every default lies within its range") {
  for (const auto& p : all_leaves()) {
    const auto& type = p.of->type;
    if (!is_ranged(type) || type.how != many::one || p.of->required) continue;
    INFO(p.in->path << "." << p.of->name);
    CHECK(takes(p, to_text(type, p.of->fallback)));
  }
}

TEST_CASE("every word of every choice is taken and dumped as itself") {
  for (const auto& p : all_leaves()) {
    if (p.of->type.what != kind::choice) continue;
    for (const auto word : p.of->type.choices) {
      auto whole = around(*p.in, p.of->name, std::string(word));
      if (word == "always") whole.top = "state_dir: ./state";
      if (p.of->name == "client_auth")
        whole.listeners =
            replaced(whole.listeners, "client_auth", "client_ca: ca.pem, client_auth");
      INFO(whole.text());
      const auto got = world().read(whole.text());
      INFO(got.text());
      REQUIRE(got.ok());
      CHECK(dump_json(got.settings).find(fmt::format("\"{}\": \"{}\"", p.of->name, word)) !=
            std::string::npos);
    }
  }
}

TEST_CASE("every boolean is taken as true and false, and as nothing else") {
  for (const auto& p : all_leaves()) {
    if (p.of->type.what != kind::boolean) continue;
    INFO(p.in->path << "." << p.of->name);
    CHECK(takes(p, "true"));
    CHECK(takes(p, "false"));
    for (const auto text : {"yes", "no", "on", "off", "1", "0", "True", "\"true\"", "[true]", ""})
      CHECK_FALSE(takes(p, text));
  }
}

TEST_CASE("no key takes a list or keys where it wants a value, nor a value where it wants those") {
  for (const auto& p : all_leaves()) {
    INFO(p.in->path << "." << p.of->name);
    const bool wants_list = p.of->type.how == many::list || p.of->type.how == many::one_or_list;
    CHECK_FALSE(takes(p, ""));
    if (!wants_list) CHECK_FALSE(takes(p, "[a]"));
    if (p.of->type.how != many::map) CHECK_FALSE(takes(p, "{a: b}"));
    if (p.of->type.how == many::map || p.of->type.how == many::list) CHECK_FALSE(takes(p, "a"));
  }
}

TEST_CASE("no list takes more items than its bound, and lists that need one refuse none") {
  for (const auto& p : all_leaves()) {
    if (p.of->type.how != many::list) continue;
    INFO(p.in->path << "." << p.of->name);
    std::string items;
    for (std::size_t i = 0; i <= p.of->type.items_max; ++i) items += "x,";
    const auto whole = around(*p.in, p.of->name, "[" + items + "]");
    const auto text = world().read(whole.text()).text();
    CHECK(text.find(fmt::format("{} entries, expected {} to {}", p.of->type.items_max + 1,
                                p.of->type.items_min, p.of->type.items_max)) != text.npos);
    if (p.of->type.items_min > 0) CHECK_FALSE(takes(p, "[]"));
  }
}

TEST_CASE("a change of one number is one difference, under its own key") {
  for (const auto& p : all_leaves()) {
    const auto& type = p.of->type;
    const bool hook = p.in->path.find("hooks[]") != p.in->path.npos;
    if (!is_ranged(type) || type.how != many::one || hook) continue;
    const auto before = world().read(around(*p.in, p.of->name, written(type, type.min)).text());
    const auto after = world().read(around(*p.in, p.of->name, written(type, type.max)).text());
    INFO(p.in->path << "." << p.of->name << "\n" << before.text() << after.text());
    REQUIRE(before.ok());
    REQUIRE(after.ok());
    const auto changes = diff(before.settings, after.settings);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].key.ends_with(p.of->name));
    CHECK(changes[0].before == written(type, type.min));
    CHECK(changes[0].after == written(type, type.max));
    CHECK(changes[0].restart == p.of->restart);
  }
}

TEST_CASE("an unknown key in any section is told with that section's keys") {
  for (const auto* s : all_sections()) {
    const auto whole = around(*s, "no_such_key", "1");
    INFO(whole.text());
    const auto text = world().read(whole.text()).text();
    CHECK(text.find("unknown key `no_such_key`") != text.npos);
    CHECK(text.find(fmt::format("expected one of {}", s->keys.front().name)) != text.npos);
  }
}

TEST_CASE("a repeated key in any section is told") {
  for (const auto& p : all_leaves()) {
    const std::string twice = fmt::format("x, {}: x", p.of->name);
    const auto text = world().read(around(*p.in, p.of->name, twice).text()).text();
    INFO(p.in->path << "." << p.of->name);
    // The top level is a block, in which the second one would be a value of the first.
    if (p.in->path.empty()) continue;
    CHECK(text.find(fmt::format("repeated key `{}`", p.of->name)) != text.npos);
  }
}
