// Response heads: the outcome must not depend on the split, what is taken must forward to a head
// that is taken again, framed for the client, and bad is always the worker's fault.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "http/forward.hpp"

namespace {

using namespace weir::http;
using kind = parse_outcome::kind;

constexpr head_limits limits{2048, 30, 512};

parse_outcome read(std::string_view text, std::size_t piece, bool to_head, response_head& head) {
  std::size_t scanned = 0;
  parse_outcome outcome;
  for (std::size_t fed = 0; fed < text.size() && outcome.what == kind::need_more;) {
    fed = fed + piece < text.size() ? fed + piece : text.size();
    outcome = parse_response(text.substr(0, fed), limits, scanned, to_head, head);
    WEIR_CHECK(scanned <= fed);
  }
  return outcome;
}

void check_splits(std::string_view text, bool to_head, const parse_outcome& whole) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{17}}) {
    response_head head;
    const parse_outcome pieces = read(text, piece, to_head, head);
    if (pieces.what == kind::need_more) {
      WEIR_CHECK(whole.what != kind::complete);
      continue;
    }
    WEIR_CHECK(pieces.what == whole.what && pieces.consumed == whole.consumed);
    WEIR_CHECK(pieces.reason == whole.reason);
  }
}

void check_forwarded(const response_head& head, bool to_head, unsigned client_minor) {
  forward_response how;
  how.head = &head;
  how.batch_id = "b1";
  how.worker = "w1";
  how.client_minor = client_minor;
  std::string out;
  const body_kind kind_sent = write_response_head(how, out);
  response_head again;
  std::size_t scanned = 0;
  const head_limits wide{1 << 16, 1000, 1 << 14};
  const parse_outcome outcome = parse_response(out, wide, scanned, to_head, again);
  WEIR_CHECK(outcome.what == kind::complete && outcome.consumed == out.size());
  WEIR_CHECK(again.status == head.status && again.body == kind_sent);
  WEIR_CHECK(client_minor == 1 || kind_sent != body_kind::chunked);
  WEIR_CHECK(kind_sent != body_kind::length || again.content_length == head.content_length);
  WEIR_CHECK(again.find(field_name::weir_agent) == nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool to_head : {false, true}) {
    response_head head;
    const parse_outcome whole = read(text, size + 1, to_head, head);
    check_splits(text, to_head, whole);
    WEIR_CHECK(whole.what != kind::bad || (whole.status == 502 && !whole.reason.empty()));
    if (whole.what != kind::complete) continue;
    WEIR_CHECK(head.status >= 100 && head.status <= 599 && head.status != 101);
    if (head.status < 200) {
      std::string out;
      write_interim_head(head, out);
      continue;
    }
    check_forwarded(head, to_head, 1);
    check_forwarded(head, to_head, 0);
  }
  return 0;
}
