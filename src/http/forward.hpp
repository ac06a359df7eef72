// Writes the heads that weir sends on: a client's request to a worker and a worker's response to a
// client, straight into one reusable buffer. Hop-by-hop fields and those that Connection names are
// left out, framing is rebuilt, Via and the forwarding fields are added (RFC 9110 §7.6, RFC 7239),
// client-sent Weir-* fields are dropped save Weir-Deadline and Weir-Group.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/head.hpp"

namespace weir::http {

// A route's rewriting, prepared once per configuration.
struct edits {
  std::vector<std::pair<std::string, std::string>> set;  // replaces every field of that name
  std::vector<std::string> remove;                       // names
  bool touches(std::string_view name) const noexcept;    // set or removed; case-insensitive
  // Names and values can stand in a field line, and no name is one that edits cannot change:
  // framing and hop-by-hop fields, Weir-*. Such names have no effect when writing.
  bool valid() const noexcept;
};

struct forward_request {
  const request_head* head = nullptr;  // as parse_request left it: views into one buffer
  std::string_view strip_prefix;       // taken off the path's front; the rest keeps its leading '/'
  std::string_view host;               // replaces Host unless empty (rewrite.host: worker)
  const edits* changes = nullptr;
  std::string_view client_address;  // "192.0.2.7" or "2001:db8::1", "unix" for a unix socket
  bool client_tls = false;
  bool client_trusted = false;   // its forwarding fields are kept and appended to, else replaced
  std::string_view batch_id;     // Weir-Batch-Id
  std::string_view traceparent;  // used when the client sent none that is valid
  std::string_view idempotency_key;  // written when the client sent none (RFC 8941 string or token)
};

// Appends everything but the per-attempt lines: request line, fields, framing (Content-Length or
// `Transfer-Encoding: chunked`), Via, Forwarded, X-Forwarded-*, traceparent, Weir-Batch-Id. No
// final empty line: finish_request_head closes it for each attempt.
void write_request_head(const forward_request&, std::string& out);

// In a head that write_request_head wrote: another Host, or one where there was none.
void replace_host(std::string& request_head, std::string_view host);

// The lines of a response's head that write_response_head wrote, each with its CRLF: without the
// status line, the framing and Connection. What a stored answer keeps of it.
std::string end_to_end_lines(std::string_view response_head);

// Appends `Weir-Attempt: n`, Expect is never forwarded, and the empty line.
void finish_request_head(unsigned attempt, std::string& out);

struct forward_response {
  const response_head* head = nullptr;  // as parse_response left it: views into one buffer
  const edits* changes = nullptr;
  std::string_view batch_id, worker;   // Weir-Batch-Id, Weir-Worker
  double queue_ms = 0, worker_ms = 0;  // Server-Timing: queue;dur=…, worker;dur=… (appended)
  unsigned client_minor = 1;           // a 1.0 client gets no chunked: until_close instead
  bool keep_alive = true;              // false: Connection: close is said
  std::string_view date;  // IMF-fixdate, written when the worker sent none (RFC 9110 §6.6.1)
};

// Appends a whole final response head with its empty line. The body kind to use towards the client
// is returned: length, chunked (until_close from the worker becomes chunked for a 1.1 client),
// until_close (1.0 client) or none.
body_kind write_response_head(const forward_response&, std::string& out);

// Appends a 1xx head (RFC 9110 §15.2) without hop-by-hop fields. Not for 101.
void write_interim_head(const response_head&, std::string& out);

}  // namespace weir::http
