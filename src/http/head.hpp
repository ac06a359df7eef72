// Message heads as read from a peer: views into the caller's input buffer, valid as long as that
// is. parse_request and parse_response read one whole head strictly (RFC 9112, RFC 9110 and the
// rules of src/README.md "Framing"); they are called by the sessions and worker connections, on any
// loop. No allocation but for `fields`, whose capacity the caller keeps from head to head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::http {

struct head_limits {
  std::size_t head_bytes_max = 16 * 1024;
  std::size_t fields_max = 100;
  std::size_t target_bytes_max = 8 * 1024;
};

// Fields that weir looks at; everything else is `other`.
enum class field_name : std::uint8_t {
  other,
  connection,
  content_length,
  content_type,
  date,
  expect,
  forwarded,
  host,
  idempotency_key,
  keep_alive,
  prefer,
  priority,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  proxy_status,
  retry_after,
  server_timing,
  te,
  traceparent,
  trailer,
  transfer_encoding,
  upgrade,
  via,
  weir_agent,
  weir_deadline,
  weir_group,
  weir_other,  // weir_other: any other Weir-*
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  endpoint_load_metrics,
  endpoint_load_metrics_bin,
};

struct field {
  std::string_view name, value;  // as sent; value without surrounding blanks
  field_name known = field_name::other;
  bool hop_by_hop = false;  // by the RFC, or named in Connection, or (in requests) a name that
                            // CGI rules would take for a known one: not forwarded
};

enum class body_kind : std::uint8_t { none, length, chunked, until_close };

// What parsing found. `status` and `reason` are set on error: the answer to give (400, 413 is not
// decided here, 414, 431, 501, 505), and one sentence on what was wrong and expected.
struct parse_outcome {
  enum class kind : std::uint8_t { need_more, complete, bad };
  kind what = kind::need_more;
  std::size_t consumed = 0;  // bytes of the head, final CRLF CRLF included, when complete
  unsigned status = 0;       // 502 whenever a response was bad
  std::string_view reason;
};

struct request_head {
  std::string_view method, target;
  // Of an origin-form or absolute-form target. path is "*" for OPTIONS *; query is without its '?',
  // and its data() is null when the target has none ("/a" and "/a?" differ).
  std::string_view path, query;
  std::string_view authority;  // Host, or the target's authority when absolute-form
  unsigned version_minor = 1;
  body_kind body = body_kind::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;        // the client may send another request on this connection
  bool expect_continue = false;  // a body is due and the client waits for 100 (Continue)
  bool idempotent = false;       // GET HEAD OPTIONS TRACE PUT DELETE (RFC 9110 §9.2.2)
  bool is_head = false;
  std::vector<field> fields;  // in order of arrival

  // The first field of that name; nullptr when absent.
  const field* find(field_name known) const noexcept;
  const field* find(std::string_view name) const noexcept;  // case-insensitive
};

struct response_head {
  unsigned status = 0;
  std::string_view reason;
  unsigned version_minor = 1;
  body_kind body = body_kind::none;  // for the request method given to the parser
  std::uint64_t content_length = 0;  // also of an answer to HEAD or a 304, see has_length
  bool has_length = false;
  bool keep_alive = true;  // the worker's connection can be used again
  std::vector<field> fields;
  const field* find(field_name known) const noexcept;
  const field* find(std::string_view name) const noexcept;
};

// `input` starts at the request line (up to 4 empty lines before it are skipped, RFC 9112 §2.2).
// `scanned` remembers between calls how far the end of the head was already looked for; start at 0.
// The outcome is the same however the input was split. A body that is announced as Content-Length:
// 0 is body_kind::length with 0 bytes. After complete or bad, `scanned` is 0 again.
parse_outcome parse_request(std::string_view input, const head_limits&, std::size_t& scanned,
                            request_head& out);

// `to_head`: the request was HEAD; 1xx, 204 and 304 have no body either. `bad` always means that
// the worker is at fault (502).
parse_outcome parse_response(std::string_view input, const head_limits&, std::size_t& scanned,
                             bool to_head, response_head& out);

// What a field line may hold (RFC 9110 §5.1, §5.5): for names and values from a configuration.
bool valid_field_name(std::string_view name) noexcept;
bool valid_field_value(std::string_view value) noexcept;  // no blanks at its ends

bool iequals(std::string_view a, std::string_view b) noexcept;  // ASCII case-insensitive

}  // namespace weir::http
