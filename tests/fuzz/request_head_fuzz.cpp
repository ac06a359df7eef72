// Request heads: the outcome must not depend on the split, and what is taken must forward to a head
// that is taken again with the same framing.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "http/forward.hpp"

namespace {

using namespace weir::http;
using kind = parse_outcome::kind;

constexpr head_limits limits{2048, 30, 512};

parse_outcome read(std::string_view text, std::size_t piece, request_head& head) {
  std::size_t scanned = 0;
  parse_outcome outcome;
  for (std::size_t fed = 0; fed < text.size() && outcome.what == kind::need_more;) {
    fed = fed + piece < text.size() ? fed + piece : text.size();
    outcome = parse_request(text.substr(0, fed), limits, scanned, head);
    WEIR_CHECK(scanned <= fed);
  }
  return outcome;
}

// An input that ends early may be found bad whole and still need more in pieces: the end of a line
// tells. Whatever is decided in pieces is what is decided whole.
void check_splits(std::string_view text, const parse_outcome& whole) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{13}, std::size_t{61}}) {
    request_head head;
    const parse_outcome pieces = read(text, piece, head);
    if (pieces.what == kind::need_more) {
      WEIR_CHECK(whole.what != kind::complete);
      continue;
    }
    WEIR_CHECK(pieces.what == whole.what && pieces.status == whole.status);
    WEIR_CHECK(pieces.consumed == whole.consumed && pieces.reason == whole.reason);
  }
}

void check_forwarded(const request_head& head, bool trusted) {
  forward_request how;
  how.head = &head;
  how.strip_prefix = "/a";
  how.client_address = "2001:db8::1";
  how.client_trusted = trusted;
  how.batch_id = "b1";
  how.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  std::string out;
  write_request_head(how, out);
  finish_request_head(1, out);
  request_head again;
  std::size_t scanned = 0;
  const head_limits wide{1 << 16, 1000, 1 << 14};
  const parse_outcome outcome = parse_request(out, wide, scanned, again);
  // A 1.0 request may come without Host, and goes on with an empty one, which weir itself refuses.
  if (head.authority.empty()) return;
  WEIR_CHECK(outcome.what == kind::complete && outcome.consumed == out.size());
  WEIR_CHECK(again.method == head.method && again.authority == head.authority);
  WEIR_CHECK(again.body == head.body && again.content_length == head.content_length);
  for (const field& f : again.fields)
    WEIR_CHECK(!f.hop_by_hop || f.known == field_name::transfer_encoding);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  request_head head;
  const parse_outcome whole = read(text, size + 1, head);
  check_splits(text, whole);
  if (whole.what == kind::bad) WEIR_CHECK(whole.status >= 400 && !whole.reason.empty());
  if (whole.what != kind::complete) return 0;
  WEIR_CHECK(whole.consumed <= size && whole.consumed <= limits.head_bytes_max);
  WEIR_CHECK(head.fields.size() <= limits.fields_max);
  check_forwarded(head, true);
  check_forwarded(head, false);
  return 0;
}
