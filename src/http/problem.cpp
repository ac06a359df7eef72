#include "http/problem.hpp"

#include "http/writer.hpp"

namespace weir::http {

namespace {

bool continues(std::string_view text, std::size_t at, unsigned low, unsigned high) noexcept {
  if (at >= text.size()) return false;
  const auto c = static_cast<unsigned char>(text[at]);
  return c >= low && c <= high;
}

// Bytes of the well-formed UTF-8 sequence at the front (Unicode 15 table 3-7); 0 when ill-formed.
std::size_t utf8_size(std::string_view text) noexcept {
  const auto c = static_cast<unsigned char>(text.front());
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return continues(text, 1, 0x80, 0xbf) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    const unsigned low = c == 0xe0 ? 0xa0 : 0x80, high = c == 0xed ? 0x9f : 0xbf;
    return continues(text, 1, low, high) && continues(text, 2, 0x80, 0xbf) ? 3 : 0;
  }
  if (c < 0xf0 || c > 0xf4) return 0;
  const unsigned low = c == 0xf0 ? 0x90 : 0x80, high = c == 0xf4 ? 0x8f : 0xbf;
  const bool whole = continues(text, 1, low, high) && continues(text, 2, 0x80, 0xbf) &&
                     continues(text, 3, 0x80, 0xbf);
  return whole ? 4 : 0;
}

void write_escaped(char c, writer& out) {
  constexpr std::string_view hex = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(c);
  switch (c) {
    case '"':
      out.text("\\\"");
      return;
    case '\\':
      out.text("\\\\");
      return;
    case '\n':
      out.text("\\n");
      return;
    case '\r':
      out.text("\\r");
      return;
    case '\t':
      out.text("\\t");
      return;
    default:
      out.text("\\u00").text(hex.substr(code >> 4, 1)).text(hex.substr(code & 15, 1));
  }
}

// A JSON string (RFC 8259 §7); bytes that are not UTF-8 become U+FFFD.
void write_json_string(std::string_view text, writer& out) {
  out.text("\"");
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const char c = text.front();
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
    if (size == 0)
      out.text("\\ufffd");
    else if (plain)
      out.text(text.substr(0, size));
    else
      write_escaped(c, out);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out.text("\"");
}

// A structured-field string (RFC 8941 §3.3.3): visible ASCII and spaces, anything else as '?'.
void write_field_string(std::string_view text, writer& out) {
  out.text("\"");
  for (const char& c : text) {
    if (c == '"' || c == '\\') out.text("\\");
    out.text(c >= 0x20 && c < 0x7f ? std::string_view{&c, 1} : "?");
  }
  out.text("\"");
}

std::string make_body(const problem& p) {
  std::string body;
  writer out(body, 120 + p.type.size() + p.title.size() + p.detail.size() + p.batch_id.size());
  out.text("{\"type\":\"").text(p.type.empty() ? "about:blank" : "urn:weir:problem:").text(p.type);
  out.text("\",\"title\":");
  write_json_string(p.title.empty() ? reason_phrase(p.status) : p.title, out);
  out.text(",\"status\":").number(p.status);
  if (!p.detail.empty()) {
    out.text(",\"detail\":");
    write_json_string(p.detail, out);
  }
  if (!p.batch_id.empty()) {
    out.text(",\"batch_id\":");
    write_json_string(p.batch_id, out);
  }
  out.text("}\n");
  return body;
}

void write_proxy_status(const problem& p, writer& out) {
  out.text("Proxy-Status: weir");
  if (!p.proxy_error.empty()) out.text("; error=").text(p.proxy_error);
  if (!p.detail.empty()) {
    out.text("; details=");
    write_field_string(p.detail, out);
  }
  out.text("\r\n");
}

}  // namespace

void write_problem(const problem& p, std::string& out) {
  const std::string body = make_body(p);
  writer to(out, 420 + 2 * p.detail.size() + p.allow_or_extra.size() + body.size());
  to.text("HTTP/1.1 ").number(p.status).text(" ").text(reason_phrase(p.status)).text("\r\n");
  if (!p.date.empty()) to.line("Date", p.date);
  to.text("Content-Type: application/problem+json\r\nContent-Length: ").number(body.size());
  to.text("\r\nCache-Control: no-store\r\n");
  write_proxy_status(p, to);
  if (!p.batch_id.empty()) to.line("Weir-Batch-Id", p.batch_id);
  if (p.retry_after_seconds >= 0)
    to.text("Retry-After: ").number(static_cast<unsigned>(p.retry_after_seconds)).text("\r\n");
  to.text(p.allow_or_extra);
  // keep-alive is said for the sake of HTTP/1.0 clients; others take it as the default that it is.
  to.text(p.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
  if (!p.to_head) to.text(body);
}

}  // namespace weir::http
