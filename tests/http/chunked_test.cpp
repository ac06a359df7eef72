// Chunked bodies: what is decoded, what is refused, limits, and that the split of the input changes
// nothing; and that what is encoded is decoded again.
#include "http/chunked.hpp"

#include <vector>

#include "http/support.hpp"

namespace weir::http {

namespace {

using namespace std::string_literals;
using kind = chunk_decoder::step::kind;

struct decoded {
  kind what = kind::need_more;
  std::string body, reason;
  std::size_t consumed = 0;
  bool operator==(const decoded&) const = default;
};

// Feeds pieces of at most `piece` bytes, each from a copy of its own.
decoded decode(std::string_view text, std::size_t piece, chunk_limits limits = {}) {
  chunk_decoder decoder(limits);
  decoded out;
  while (!text.empty() && out.what != kind::done && out.what != kind::bad) {
    const exact_copy copy(text.substr(0, piece));
    std::string_view input = copy.view();
    do {
      const auto step = decoder.next(input);
      REQUIRE(step.consumed <= input.size());
      out.what = step.what;
      out.body += step.data;
      out.reason = std::string(step.reason);
      out.consumed += step.consumed;
      if (step.what == kind::need_more) CHECK(step.consumed == input.size());
      if (step.what == kind::data) CHECK_FALSE(step.data.empty());
      input.remove_prefix(step.consumed);
      text.remove_prefix(step.consumed);
    } while (out.what == kind::data && !input.empty());
  }
  CHECK(decoder.done() == (out.what == kind::done));
  return out;
}

// The same at every split; what it is.
decoded decode_all_ways(std::string_view text, chunk_limits limits = {}) {
  const decoded whole = decode(text, text.size(), limits);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}})
    CHECK(decode(text, piece, limits) == whole);
  return whole;
}

struct row {
  std::string text, body;
};

const std::vector<row> good = {
    {"0\r\n\r\n", ""},
    {"5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"},
    {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
    {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
    {"000005\r\nhello\r\n00000\r\n\r\n", "hello"},
    {"0000000000000001\r\nx\r\n0\r\n\r\n", "x"},
    {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"},
    {"3\r\n\0\1\2\r\n0\r\n\r\n"s, "\0\1\2"s},
    {"5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello"},
    {"5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n", "hello"},
    {"5; a = b ; \xc3\xa9\r\nhello\r\n0\r\n\r\n", "hello"},
    {"0\r\nX: y\r\n\r\n", ""},
    {"1\r\na\r\n0\r\nX: y\r\nChecksum:\r\nZ: \t1 2\r\n\r\n", "a"},
    {"5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"},
};

const std::vector<std::string> bad = {
    "\r\n",
    "\n",
    " 5\r\nhello\r\n",
    "5 \r\nhello\r\n",
    "5\t;a\r\nhello\r\n",
    "g\r\n",
    "-5\r\n",
    "+5\r\n",
    "0x5\r\nhello\r\n",
    "5h\r\nhello\r\n",
    ";a\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello",
    "5\r\r\nhello",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n",
    "5\r\nhello!\r\n0\r\n\r\n",
    "3\r\nhello\r\n0\r\n\r\n",
    "5;a\nX\r\nhello\r\n0\r\n\r\n",
    "5;a\rX\r\nhello\r\n0\r\n\r\n",
    "5;a\0\r\nhello\r\n0\r\n\r\n"s,
    "5;a\x7f\r\nhello\r\n0\r\n\r\n",
    "8000000000000000\r\n",
    "FFFFFFFFFFFFFFFF\r\n",
    "10000000000000000\r\n",
    "00000000000000005\r\nhello\r\n",
    "1000000000000000000000005\r\n",
    "5\xef\xbc\x95\r\n",
    "0\r\n\n",
    "0\r\n\rX",
    "0\n\r\n",
    "0\r\nX: y\n\r\n",
    "0\r\nX: y\rZ\r\n\r\n",
    "0\r\nX: \0\r\n\r\n"s,
    "0\r\n X: y\r\n\r\n",
    "0\r\nX: y\r\n z\r\n\r\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\n: y\r\n\r\n",
    "0\r\nno colon\r\n\r\n",
    "0\r\nnocolon\r\n\r\n",
    "0\r\nGET / HTTP/1.1\r\n\r\n",
};

}  // namespace

TEST_CASE("a good chunked body is decoded alike at every split") {
  for (const row& r : good) {
    INFO(shown(r.text));
    const decoded out = decode_all_ways(r.text);
    CHECK(out.what == kind::done);
    CHECK(out.body == r.body);
    CHECK(out.consumed == r.text.size());
  }
}

TEST_CASE("a bad chunked body is refused alike at every split, with a reason") {
  for (const std::string& text : bad) {
    INFO(shown(text));
    const decoded out = decode_all_ways(text);
    CHECK(out.what == kind::bad);
    CHECK(out.reason.size() > 20);
    CHECK(out.reason.ends_with('.'));
  }
}

TEST_CASE("what follows the last chunk is left alone") {
  for (const row& r : good) {
    INFO(shown(r.text));
    const decoded out = decode_all_ways(r.text + "GET / HTTP/1.1\r\n");
    CHECK(out.what == kind::done);
    CHECK(out.consumed == r.text.size());
  }
}

TEST_CASE("a chunked body that was cut short is never done") {
  for (const row& r : good)
    for (std::size_t n = 1; n < r.text.size(); ++n) {
      const auto what = decode(std::string_view(r.text).substr(0, n), 1000).what;
      INFO(shown(r.text) << " cut at " << n);
      CHECK((what == kind::need_more || what == kind::data));
    }
}

TEST_CASE("once bad or done a decoder stays so") {
  chunk_decoder broken;
  CHECK(broken.next("x").what == kind::bad);
  CHECK(broken.next("0\r\n\r\n").what == kind::bad);
  CHECK(broken.next("").what == kind::bad);
  CHECK_FALSE(broken.done());
  chunk_decoder finished;
  CHECK(finished.next("0\r\n\r\n").what == kind::done);
  const auto step = finished.next("5\r\nhello\r\n");
  CHECK(step.what == kind::done);
  CHECK(step.consumed == 0);
}

TEST_CASE("what a chunk still owes is known") {
  chunk_decoder decoder;
  CHECK(decoder.chunk_left() == 0);
  CHECK(decoder.next("10\r\n").what == kind::need_more);
  CHECK(decoder.chunk_left() == 16);
  CHECK(decoder.next("0123456789").data == "0123456789");
  CHECK(decoder.chunk_left() == 6);
  CHECK(decoder.next("abcdef").data == "abcdef");
  CHECK(decoder.chunk_left() == 0);
  CHECK(decoder.next("\r\n7fffffffffffffff\r\n").what == kind::need_more);
  CHECK(decoder.chunk_left() == 0x7fffffffffffffff);
}

TEST_CASE("the limits of extensions and trailers are exact") {
  const chunk_limits limits{.line_bytes_max = 10, .trailer_bytes_max = 20};
  const auto extended = [](std::size_t n) {
    return "1;" + std::string(n, 'e') + "\r\na\r\n0\r\n\r\n";
  };
  CHECK(decode_all_ways(extended(7), limits).what == kind::done);  // "1;eeeeeee" and CR: 10
  CHECK(decode_all_ways(extended(8), limits).what == kind::bad);
  const auto trailed = [](std::size_t n) { return "0\r\nX:" + std::string(n, 't') + "\r\n\r\n"; };
  CHECK(decode_all_ways(trailed(16), limits).what == kind::done);  // with both final CRs 20
  CHECK(decode_all_ways(trailed(17), limits).what == kind::bad);
  const std::string many = "0\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\n\r\n";
  CHECK(decode_all_ways(many, limits).what == kind::bad);
  CHECK(decode_all_ways("0;" + std::string(300, 'e') + "\r\n\r\n").what == kind::bad);
  CHECK(decode_all_ways("0\r\nX: " + std::string(5000, 't') + "\r\n\r\n").what == kind::bad);
}

TEST_CASE("each chunk's extensions have the limit of their own") {
  const chunk_limits limits{.line_bytes_max = 10, .trailer_bytes_max = 20};
  std::string text;
  for (int i = 0; i < 50; ++i) text += "1;eeeeeee\r\na\r\n";
  CHECK(decode_all_ways(text + "0\r\n\r\n", limits).body == std::string(50, 'a'));
}

TEST_CASE("a chunk's head is its size in hexadecimal") {
  CHECK(make_chunk_head(1).view() == "1\r\n");
  CHECK(make_chunk_head(10).view() == "a\r\n");
  CHECK(make_chunk_head(0x1a2b).view() == "1a2b\r\n");
  CHECK(make_chunk_head(65536).view() == "10000\r\n");
  CHECK(make_chunk_head(UINT64_MAX).view() == "ffffffffffffffff\r\n");
}

TEST_CASE("what is encoded in any cuts is decoded in any splits") {
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  base::random random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string body, text;
    for (std::uint32_t chunks = random.below(6); chunks > 0; --chunks) {
      std::string data(1 + random.below(round % 10 == 0 ? 5000 : 60), ' ');
      for (char& c : data) c = static_cast<char>(random.below(256));
      text += std::string(make_chunk_head(data.size()).view()) + data + std::string(chunk_tail);
      body += data;
    }
    text += last_chunk;
    const decoded out = decode(text, 1 + random.below(200));
    REQUIRE(out.what == kind::done);
    REQUIRE(out.body == body);
    REQUIRE(out.consumed == text.size());
  }
}

TEST_CASE("random changes never make a decoder read beyond its input or contradict itself") {
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  base::random random(seed);
  for (int round = 0; round < 5000; ++round) {
    std::string text = good[random.below(static_cast<std::uint32_t>(good.size()))].text;
    for (std::uint32_t n = random.below(3); n > 0; --n)
      text[random.below(static_cast<std::uint32_t>(text.size()))] =
          static_cast<char>(random.below(256));
    INFO(shown(text));
    const decoded whole = decode(text, text.size());
    const decoded bytes = decode(text, 1);
    CHECK(whole == bytes);
  }
}

}  // namespace weir::http
