// weir's own answers: problem+json bodies (RFC 9457) with Proxy-Status (RFC 9209), written whole
// into a buffer. Every error says whose fault it was and what to do.
#pragma once

#include <string>
#include <string_view>

namespace weir::http {

struct problem {
  unsigned status = 500;
  std::string_view type;    // last part of the type URI, such as "queue-full"; a fixed word
  std::string_view title;   // short, the same for every occurrence
  std::string_view detail;  // this occurrence: what was wrong, what was expected, what to do
  std::string_view
      proxy_error;  // RFC 9209 §2.3 error type, such as "connection_refused"; may be empty
  std::string_view batch_id;        // may be empty
  std::string_view allow_or_extra;  // further field lines, each ending in CRLF; may be empty
  std::string_view date;            // IMF-fixdate for Date; may be empty
  int retry_after_seconds = -1;     // Retry-After when >= 0
  bool keep_alive = false;          // else Connection: close
  bool to_head = false;             // the request was HEAD: no body is written, its length is
};

// Appends a whole response.
void write_problem(const problem&, std::string& out);

// The reason phrase of a status code; "Unknown" when it is not registered.
std::string_view reason_phrase(unsigned status) noexcept;

}  // namespace weir::http
