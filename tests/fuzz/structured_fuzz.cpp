// The small grammars, dates, authorities and problem texts against arbitrary bytes.
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "http/head.hpp"
#include "http/problem.hpp"
#include "http/structured.hpp"
#include "http/target.hpp"

namespace {

using namespace weir::http;

constexpr std::int64_t now_ms = 784'111'777'000;

void check_fields(std::string_view text) {
  const auto priority = parse_priority(text);
  WEIR_CHECK(!priority || priority->urgency <= 7);
  const auto key = parse_idempotency_key(text);
  WEIR_CHECK(!key || (!key->empty() && key->size() <= 255));
  const auto number = parse_number(text);
  WEIR_CHECK(!number || (std::isfinite(*number) && *number >= 0));
  parse_prefer(text);
  parse_keep_alive_timeout(text);
  list_contains(text, "close");
  WEIR_CHECK(!valid_traceparent(text) || text.size() >= 55);
}

void check_times(std::string_view text) {
  const auto deadline = parse_deadline(text, now_ms);
  WEIR_CHECK(!deadline || deadline->count() >= 0);
  const auto wait = parse_retry_after(text, now_ms);
  WEIR_CHECK(!wait || wait->count() >= 0);
  if (const auto date = parse_http_date_ms(text))
    WEIR_CHECK(parse_http_date_ms(make_http_date(*date / 1000).view()) == date);
}

void check_problem(std::string_view text) {
  problem p;
  p.status = 400;
  p.title = p.detail = text;
  std::string out;
  write_problem(p, out);
  response_head head;
  std::size_t scanned = 0;
  const head_limits wide{1 << 22, 100, 100};
  const auto outcome = parse_response(out, wide, scanned, false, head);
  WEIR_CHECK(outcome.what == parse_outcome::kind::complete);
  WEIR_CHECK(head.content_length == out.size() - outcome.consumed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_fields(text);
  check_times(text);
  check_problem(text);
  WEIR_CHECK(!valid_authority(text) || !text.empty());
  return 0;
}
