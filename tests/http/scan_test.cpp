// The fast loops find the same byte as slow ones do, for every length and every place of a hit, and
// the character classes are those of the RFCs.
#include "http/scan.hpp"

#include "http/support.hpp"

namespace weir::http {

namespace {

template <class Fits>
std::size_t slow(std::string_view text, Fits fits) {
  std::size_t n = 0;
  while (n < text.size() && fits(static_cast<unsigned char>(text[n]))) ++n;
  return n;
}
bool fits_value(unsigned char c) {
  return c == '\t' || (c >= 0x20 && c != 0x7f);
}
bool fits_token(unsigned char c) {
  return std::isalnum(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}
bool fits_name(unsigned char c) {
  return fits_token(c) && c != '_';
}

using scanner = const char* (*)(const char*, const char*);
std::size_t fast(std::string_view text, scanner scan) {
  return static_cast<std::size_t>(scan(text.data(), text.data() + text.size()) - text.data());
}

}  // namespace

TEST_CASE("every byte is classed as the RFCs say") {
  for (int i = 0; i < 256; ++i) {
    const auto c = static_cast<unsigned char>(i);
    INFO("byte " << i);
    CHECK(is(static_cast<char>(c), char_class::value) == fits_value(c));
    CHECK(is(static_cast<char>(c), char_class::token) == (i < 128 && fits_token(c)));
    CHECK(is(static_cast<char>(c), char_class::target) == (c > 0x20 && c < 0x7f && c != '#'));
    CHECK(is(static_cast<char>(c), char_class::digit) == (c >= '0' && c <= '9'));
    CHECK(is(static_cast<char>(c), char_class::hex) == (i < 128 && std::isxdigit(c) != 0));
  }
}

TEST_CASE("one odd byte is found wherever it is in a run of any length") {
  for (std::size_t size = 1; size <= 70; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int i = 0; i < 256; i += (size < 40 ? 1 : 7)) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(i);
        const exact_copy copy(text);
        if (fast(copy.view(), skip_value) != slow(text, fits_value) ||
            fast(copy.view(), skip_name) != slow(text, fits_name)) {
          INFO("byte " << i << " at " << at << " of " << size);
          CHECK(fast(copy.view(), skip_value) == slow(text, fits_value));
          CHECK(fast(copy.view(), skip_name) == slow(text, fits_name));
        }
      }
    }
  }
  SUCCEED("all agreed");
}

TEST_CASE("runs of random bytes end where the slow loop says") {
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  base::random random(seed);
  for (int i = 0; i < 20000; ++i) {
    std::string text(1 + random.below(80), ' ');
    const bool rare = random.below(2) == 0;
    for (char& c : text) {
      c = static_cast<char>(rare && random.below(30) != 0 ? 'a' + random.below(26)
                                                          : random.below(256));
    }
    const exact_copy copy(text);
    CHECK(fast(copy.view(), skip_value) == slow(text, fits_value));
    CHECK(fast(copy.view(), skip_name) == slow(text, fits_name));
  }
}

TEST_CASE("a list gives its elements trimmed, the empty ones too") {
  const auto elements = [](std::string_view list) {
    std::string out;
    while (list.data() != nullptr) out += "<" + std::string(next_element(list)) + ">";
    return out;
  };
  CHECK(elements("a") == "<a>");
  CHECK(elements(" a ,\tb\t,c") == "<a><b><c>");
  CHECK(elements(",a,,") == "<><a><><>");
  CHECK(elements("") == "<>");
  CHECK(elements({}) == "");
}

TEST_CASE("tokens are not empty, trimming takes blanks only") {
  CHECK(is_token("a-b.c"));
  CHECK_FALSE(is_token(""));
  CHECK_FALSE(is_token("a b"));
  CHECK_FALSE(is_token("a=b"));
  CHECK(trimmed(" \t a b \t") == "a b");
  CHECK(trimmed(" \t ").empty());
  CHECK(trimmed("\na\n") == "\na\n");
}

TEST_CASE("names compare without case, in ASCII only") {
  CHECK(iequals("", ""));
  CHECK(iequals("Content-Length", "cONTENT-lENGTH"));
  CHECK_FALSE(iequals("a", "ab"));
  CHECK_FALSE(iequals("[", "{"));
  CHECK_FALSE(iequals("@", "`"));
  CHECK_FALSE(iequals("\xc3\x84", "\xc3\xa4"));
}

TEST_CASE("a field line's name and value are checked as a head's are") {
  CHECK(valid_field_name("X-Own"));
  CHECK_FALSE(valid_field_name(""));
  CHECK_FALSE(valid_field_name("X Own"));
  CHECK_FALSE(valid_field_name("X:"));
  CHECK(valid_field_value(""));
  CHECK(valid_field_value("a b\tc \xc3\xa9"));
  CHECK_FALSE(valid_field_value(" a"));
  CHECK_FALSE(valid_field_value("a "));
  CHECK_FALSE(valid_field_value("a\r\nX: b"));
  CHECK_FALSE(valid_field_value(std::string_view("\0", 1)));
}

}  // namespace weir::http
