// Chunked bodies: decoded alike at every split, within the limits, and what was decoded is encoded
// and decoded to the same.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "http/chunked.hpp"

namespace {

using namespace weir::http;
using kind = chunk_decoder::step::kind;

struct decoded {
  std::string body;
  kind what = kind::need_more;
  std::size_t consumed = 0;
};

decoded decode(std::string_view text, std::size_t piece) {
  chunk_decoder decoder;
  decoded out;
  while (!text.empty() && out.what != kind::done && out.what != kind::bad) {
    const std::string_view input = text.substr(0, std::min(piece, text.size()));
    const auto step = decoder.next(input);
    WEIR_CHECK(step.consumed <= input.size());
    WEIR_CHECK(step.what != kind::need_more || step.consumed == input.size());
    WEIR_CHECK(step.what != kind::data || !step.data.empty());
    WEIR_CHECK((step.what == kind::bad) == !step.reason.empty());
    out.body += step.data;
    out.what = step.what;
    out.consumed += step.consumed;
    text.remove_prefix(step.consumed);
  }
  WEIR_CHECK(decoder.done() == (out.what == kind::done));
  return out;
}

void check_again(const std::string& body) {
  std::string text;
  for (std::size_t at = 0; at < body.size(); at += 7) {
    const std::string part = body.substr(at, 7);
    text += std::string(make_chunk_head(part.size()).view()) + part + std::string(chunk_tail);
  }
  text += last_chunk;
  const decoded out = decode(text, 5);
  WEIR_CHECK(out.what == kind::done && out.body == body && out.consumed == text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const decoded whole = decode(text, size + 1);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{64}}) {
    const decoded pieces = decode(text, piece);
    WEIR_CHECK(pieces.body == whole.body && pieces.consumed == whole.consumed);
    const bool same = pieces.what == whole.what;
    const auto going_on = [](kind k) { return k == kind::need_more || k == kind::data; };
    WEIR_CHECK(same || (going_on(pieces.what) && going_on(whole.what)));
  }
  if (whole.what == kind::done) check_again(whole.body);
  return 0;
}
