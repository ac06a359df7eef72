#include "config/document.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

using namespace weir::config;

namespace {

std::optional<std::string> variable(const std::string& name) {
  return name == "A" ? std::optional<std::string>("aa") : std::nullopt;
}

document parse(const std::string& text) {
  return parse_document(text, variable);
}

const node& good(const document& d) {
  for (const auto& m : d.mistakes) UNSCOPED_INFO(to_string(m, "f"));
  REQUIRE(d.mistakes.empty());
  REQUIRE(d.root);
  return *d.root;
}

std::string only_mistake(const std::string& text) {
  const auto d = parse(text);
  INFO(text);
  REQUIRE(d.mistakes.size() == 1);
  return to_string(d.mistakes.front(), "f");
}

std::string repeated(const std::string& piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

}  // namespace

TEST_CASE("a document becomes a tree with the place of every key and value") {
  const auto d = parse("a: 1\nb:\n  - x\n  - {c: y, d: [1, 2]}\n");
  const auto& root = good(d);
  REQUIRE(root.what == node::kind::map);
  CHECK(root.at == mark{1, 1});
  REQUIRE(root.entries.size() == 2);
  CHECK(root.entries[1].key == "b");
  CHECK(root.entries[1].at == mark{2, 1});
  CHECK(root.find("a")->text == "1");
  CHECK(root.find("a")->at == mark{1, 4});
  CHECK(root.find("nope") == nullptr);
  const auto& list = *root.find("b");
  REQUIRE(list.what == node::kind::list);
  CHECK(list.at == mark{3, 3});
  CHECK(list.items.at(0)->at == mark{3, 5});
  const auto& inner = *list.items.at(1);
  CHECK(inner.find("c")->at == mark{4, 9});
  CHECK(inner.find("d")->items.at(1)->at == mark{4, 19});
}

TEST_CASE("quotes are remembered, and blocks and folds are texts") {
  const auto d = parse("a: \"1\"\nb: '2'\nc: 3\nd: |\n  x\n  y\ne: >\n  x\n  y\n");
  const auto& root = good(d);
  CHECK(root.find("a")->quoted);
  CHECK(root.find("b")->quoted);
  CHECK_FALSE(root.find("c")->quoted);
  CHECK(root.find("d")->text == "x\ny\n");
  CHECK(root.find("e")->text == "x y\n");
}

TEST_CASE("a value that is missing, null or ~ is nothing, at its key") {
  const auto d = parse("a:\nb: null\nc: ~\nd: {e: , f: 1}\n");
  const auto& root = good(d);
  CHECK(root.find("a")->what == node::kind::nothing);
  CHECK(root.find("a")->at == mark{1, 1});
  CHECK(root.find("b")->what == node::kind::nothing);
  CHECK(root.find("b")->at == mark{2, 1});
  CHECK(root.find("c")->what == node::kind::nothing);
  CHECK(root.find("d")->find("e")->at == mark{4, 5});
}

TEST_CASE("repeated keys are kept for the reader to report, the first one is found") {
  const auto d = parse("a: 1\na: 2\n");
  const auto& root = good(d);
  CHECK(root.entries.size() == 2);
  CHECK(root.find("a")->text == "1");
}

TEST_CASE("variables are put into values, not into keys, and what was written is kept") {
  const auto d = parse("${A}: x${A}\nb: \"$$5\"\n");
  const auto& root = good(d);
  CHECK(root.entries[0].key == "${A}");
  CHECK(root.entries[0].value->text == "xaa");
  CHECK(root.entries[0].value->written == "x${A}");
  CHECK(root.entries[0].value->from_environment);
  CHECK(root.find("b")->text == "$5");
  CHECK_FALSE(root.find("b")->from_environment);
}

TEST_CASE("a variable that is not set is told where its dollar stands, in every style of text") {
  const std::vector<std::pair<std::string, mark>> rows{
      {"a: ${X}", {1, 4}},
      {"a: b${X}", {1, 5}},
      {"a: \"b ${X}\"", {1, 7}},
      {"a: '$$ ${X}'", {1, 8}},
      {"a: [1, \"${X}\"]", {1, 9}},
      {"a: |\n  line\n  b ${X}\n", {3, 5}},
      {"a: >\n  $$\n  ${X}\n", {3, 3}},
      {"a: b\r\nc: ${X}\r\n", {2, 4}},
      {"a: b $\n  ${X}\n", {2, 3}},
      {"# ${X}\na: \"\\t${X}\"", {2, 7}},
  };
  for (const auto& [text, at] : rows) {
    INFO(text);
    const auto d = parse(text);
    REQUIRE(d.mistakes.size() == 1);
    CHECK(d.mistakes[0].at == at);
    REQUIRE(d.root);
  }
}

TEST_CASE("every unset variable is told, and its value is marked as faulty") {
  const auto d = parse("a: ${X}${Y}\nb: ${Z}\nc: ok\n");
  CHECK(d.mistakes.size() == 3);
  CHECK(d.root->find("a")->faulty);
  CHECK(d.root->find("b")->faulty);
  CHECK_FALSE(d.root->find("c")->faulty);
}

TEST_CASE("an alias stands for its anchor's value, at the anchor's place") {
  const auto d = parse("a: &x {k: 1}\nb: *x\nc: [*x, *x]\n");
  const auto& root = good(d);
  CHECK(root.find("b") == root.find("a"));
  CHECK(root.find("c")->items.at(1).get() == root.find("a"));
  CHECK(root.find("b")->at == mark{1, 4});
}

TEST_CASE("what is no YAML is told with its place and what to do") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"a: [1\nb: 2",
       "f:2:2: not YAML: a `[` without its `]`, expected `,` or `]`, and quotes around texts with "
       "brackets (it opens at line 1)"},
      {"a: {b: 1\nc: 2",
       "f:2:2: not YAML: a `{` without its `}`, expected `,` or `}`, and quotes around texts with "
       "brackets (it opens at line 1)"},
      {"a: 1\nb: [1, 2",
       "f:2:4: not YAML: a `[` without its `]`, expected `,` or `]`, and quotes around texts with "
       "brackets (it opens at line 2)"},
      {"a: 1\n\tb: 2", "f:2:1: not YAML: a tab in the indentation, expected blanks"},
      {"a:\n\tb: 2", "f:2:1: not YAML: a tab in the indentation, expected blanks"},
      {"a:\n  b: 1\n  \tc: [2", "f:3:1: not YAML: a tab in the indentation, expected blanks"},
      {"a: 1\n  b: 2",
       "f:2:4: not YAML: a colon where no value can begin, expected other indentation, or quotes "
       "around a text"},
      {"a: [::]:80",
       "f:1:8: not YAML: a line that fits no block, expected the indentation of its block"},
      {"a: *nope", "f:1:4: not YAML: an alias without its anchor, expected `&name` before"},
      {"a: \"x", "f:1:6: not YAML: a text without its closing quote, expected the quote"},
      {"a: - 1",
       "f:1:4: not YAML: a `-` where no list can begin, expected it on a line of its own"},
      {"a: %b", "f:1:4: not YAML: unknown token, expected a YAML document"},
  };
  for (const auto& [text, message] : rows) CHECK(only_mistake(text) == message);
}

TEST_CASE("YAML that a configuration has no use for is refused with its place") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"a: !int 1", "f:1:4: a YAML tag, expected a value without one"},
      {"a: !!str 1", "f:1:4: a YAML tag, expected a value without one"},
      {"!x {a: 1}", "f:1:1: a YAML tag, expected a value without one"},
      {"!x a: 1", "f:1:1: a YAML tag, expected a value without one"},
      {"a: 1\n---\nb: 2\n", "f:2:1: a second document, expected one document a file"},
      {"? [a]\n: 1\n",
       "f:1:3: a bracket that is not closed, or is no name, expected its end, or a name and a "
       "colon"},
      {"{[a]: 1}",
       "f:1:2: a bracket that is not closed, or is no name, expected its end, or a name and a "
       "colon"},
      {"a:\n  - {b: 1\n",
       "f:2:5: a bracket that is not closed, or is no name, expected its end, or a name and a "
       "colon"},
      {"~: 1", "f:1:1: a key that is not plain text, expected a name and a colon"},
      {"a: &x 1\n*x : 2\n", "f:2:1: a key that is not plain text, expected a name and a colon"},
      {"a: &x [1, *x]", "f:1:11: an alias inside its own anchor, expected the value written out"},
  };
  for (const auto& [text, message] : rows) CHECK(only_mistake(text) == message);
}

TEST_CASE("mistakes found before the YAML broke are told too") {
  const auto d = parse("a: ${X}\nb: [\n");
  REQUIRE(d.mistakes.size() == 2);
  CHECK_FALSE(d.root);
}

TEST_CASE("a text that is empty or only comments has no root and no mistake") {
  for (const auto text : {"", "\n", "# nothing\n", "  \n\n"}) {
    INFO(text);
    const auto d = parse(text);
    CHECK(d.mistakes.empty());
    CHECK((!d.root || d.root->what == node::kind::nothing));
  }
}

TEST_CASE("only UTF-8 without control characters is read") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {std::string("a: b\0c", 6), "f:1:5: byte 0x00"},
      {"a: b\nc: \x01", "f:2:4: byte 0x01"},
      {"a: \x7f\xff", "f:1:5: byte 0xff"},
      {"\xfe\xff", "f:1:1: byte 0xfe"},
      {"a: \xc0\x80", "f:1:4: byte 0xc0"},
      {"a: \xe0\x80\x80", "f:1:4: byte 0xe0"},
      {"a: \xed\xa0\x80", "f:1:4: byte 0xed"},
      {"a: \xf0\x80\x80\x80", "f:1:4: byte 0xf0"},
      {"a: \xf4\x90\x80\x80", "f:1:4: byte 0xf4"},
      {"a: \xc3", "f:1:4: byte 0xc3"},
      {"a: \xe2\x82", "f:1:4: byte 0xe2"},
      {"a: \xf5\x80\x80\x80", "f:1:4: byte 0xf5"},
      {"a: \x80", "f:1:4: byte 0x80"},
  };
  for (const auto& [text, start] : rows)
    CHECK(only_mistake(text) == start + ", expected UTF-8 text without control characters");
  for (const auto text : {"a: \xc3\xa9", "a: \xe2\x82\xac", "a: \xf0\x9f\x98\x80",
                          "a: \xed\x9f\xbf", "a: \xef\xbf\xbd",
                          "\xef\xbb\xbf"
                          "a: 1"}) {
    INFO(text);
    CHECK(parse(text).mistakes.empty());
  }
}

TEST_CASE("a text of more than a MiB is refused unread, one of a MiB is not") {
  const std::string whole = "a: 1\n" + std::string(document_bytes_max - 5, '#');
  CHECK(parse(whole).mistakes.empty());
  CHECK(only_mistake(whole + "#") == "f:1:1: a file of 1048577 bytes, expected at most 1048576");
}

TEST_CASE("nesting ends at 32 levels, in blocks and in brackets") {
  const auto nested = [](std::size_t depth) { return repeated("[", depth) + repeated("]", depth); };
  CHECK(parse(nested(document_depth_max)).mistakes.empty());
  CHECK(only_mistake(nested(document_depth_max + 1)) ==
        "f:1:33: nested too deeply, expected at most 32 levels");
  CHECK(only_mistake("x: " + repeated("{a: ", 100'000)) ==
        "f:1:128: nested too deeply, expected at most 32 levels");
  CHECK(only_mistake(repeated("- ", 100'000) + "x") ==
        "f:1:65: nested too deeply, expected at most 32 levels");
}

TEST_CASE("aliases of aliases are counted, not built") {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    const auto one = "*a" + std::to_string(i - 1);
    const auto name = "a" + std::to_string(i);
    laughs += name + ": &" + name + " [" + one + ", " + one + ", " + one + ", " + one + ", " + one +
              ", " + one + ", " + one + ", " + one + ", " + one + ", " + one + "]\n";
  }
  const auto message = only_mistake(laughs);
  CHECK(message.ends_with("too many values, aliases followed, expected at most 100000"));
}

TEST_CASE("many values are fine up to the limit") {
  CHECK(parse("[" + repeated("x,", document_nodes_max - 1) + "]").mistakes.empty());
  CHECK(parse("[" + repeated("x,", document_nodes_max) + "]").mistakes.size() == 1);
}

TEST_CASE("a diagnostic is written with file, line and column") {
  CHECK(to_string(diagnostic{{3, 14}, "is wrong"}, "a b.yaml") == "a b.yaml:3:14: is wrong");
}
